/// One test of a configuration: what it is and what it asks for. How it is carried out is the runner's business.
public struct ValidationTest: Hashable, Sendable, Identifiable {
    public let id: ValidationTestID
    /// What the administrator reads in lists: "Arbitration of shared disks".
    public let title: String
    /// What a pass proves: a sentence.
    public let proves: String
    /// How the work is divided into steps.
    public let scope: TestScope
    /// Where its evidence comes from.
    public let evidence: TestEvidence
    /// Without all of these the test is not applicable.
    public let needs: [ValidationNeed]
    /// What others notice of it while it runs.
    public let disturbance: Disturbance
    /// What the operator can do when a finding has no better advice of its own: a sentence or two.
    public let cure: String
    /// How long one step may take. A step that takes longer is a failed step, not a failed run. Many times what it takes on a busy machine: a
    /// deadline ends what does not go on at all, and what is slow is judged by its figures.
    public let deadline: Duration

    /// - Parameter name: Becomes `category/name`.
    public init(
        _ category: ValidationCategory, _ name: String, _ title: String, proves: String, scope: TestScope, evidence: TestEvidence = .probe,
        needs: [ValidationNeed] = [], disturbance: Disturbance = .none, cure: String, deadline: Duration = .seconds(90)
    ) {
        id = ValidationTestID(category, name)
        self.title = title
        self.proves = proves
        self.scope = scope
        self.evidence = evidence
        self.needs = needs
        self.disturbance = disturbance
        self.cure = cure
        self.deadline = deadline
    }

    public var category: ValidationCategory { id.category }
}

/// How the work of a test is divided. Each part is a ``ValidationStep`` with a deadline of its own.
public enum TestScope: String, Hashable, Sendable, CaseIterable {
    /// One step; nodes and disks are looked at together.
    case whole
    case eachNode
    /// Each two nodes, both directions in one step.
    case eachPair
    /// Each shared disk that may be tested, with all nodes taking part.
    case eachDisk
    /// Each file share, with all nodes taking part.
    case eachShare
}

/// Where the evidence of a test comes from.
public enum TestEvidence: String, Hashable, Sendable, CaseIterable {
    /// From the ``NodeInventory`` of each node, which is collected once for all such tests. Judging it takes no time worth planning.
    case facts
    /// From work done for this test.
    case probe
}

/// What others notice of a test while it runs. Decides what may run beside it, and what the operator is told beforehand.
public enum Disturbance: String, Hashable, Sendable, Codable, CaseIterable {
    /// It only reads.
    case none
    /// It fills the network between nodes, or measures it.
    case networkLoad = "network-load"
    /// It fills a disk's queue, or measures it, by reading.
    case diskLoad = "disk-load"
    /// It writes to a scratch area of a disk or registers keys there; nothing else may use the disk meanwhile.
    case scratch
    /// Nodes drop their sessions to the storage and log in again.
    case sessionLoss = "session-loss"
    /// It runs a guest of its own on one or two nodes.
    case guest

    /// What the operator should expect: a sentence.
    public var sentence: String {
        switch self {
        case .none: "Reads only; nothing notices it."
        case .networkLoad: "Fills the network between nodes for some seconds."
        case .diskLoad: "Reads from the disk as fast as it can for some seconds."
        case .scratch: "Writes to the scratch area of the disk and registers keys on it, and takes both back."
        case .sessionLoss: "Drops the nodes' sessions to the storage for some seconds; no machine may use the disk."
        case .guest: "Starts a small guest of its own; it takes a processor and 64 MiB for some seconds."
        }
    }
}
