import ClusterModel

/// Everything that a node found out about itself for a validation. Collected once a run; all tests with `evidence: .facts` judge it.
///
/// What could not be read is nil or empty, and named in ``unreadable``: a judge must not take "unknown" for "absent". Nodes of other versions
/// send and read this too, so a field that is added later is optional.
public struct NodeInventory: Hashable, Sendable, Codable {
    public var node: NodeName
    /// The node's clock when it began to collect.
    public var collectedAt: WallTime
    public var hardware = HardwareFacts()
    public var software = SoftwareFacts()
    public var network = NetworkFacts()
    public var storage = StorageFacts()
    public var system = SystemFacts()
    public var hypervisor = HypervisorFacts()
    public var unreadable: [UnreadableFact] = []

    public init(node: NodeName, collectedAt: WallTime) {
        self.node = node
        self.collectedAt = collectedAt
    }
}

/// Something that a node should have been able to read of itself and could not.
public struct UnreadableFact: Hashable, Sendable, Codable {
    /// The part of the inventory: "firmware", "iSCSI initiator".
    public var what: String
    /// What the system said, with the file or program: a sentence.
    public var reason: String
    public init(_ what: String, reason: String) {
        self.what = what
        self.reason = reason
    }
}

/// The inventories of a run, as judges get them.
public struct CollectedFacts: Hashable, Sendable {
    public var subject: ValidationSubject
    public var inventories: [NodeName: NodeInventory]
    /// Why a node has no inventory: a sentence.
    public var silent: [NodeName: String]

    public init(subject: ValidationSubject, inventories: [NodeName: NodeInventory], silent: [NodeName: String] = [:]) {
        self.subject = subject
        self.inventories = inventories
        self.silent = silent
    }

    /// Those that answered, in the order of the operator's list.
    public var answers: [NodeInventory] { subject.nodes.compactMap { inventories[$0] } }
}
