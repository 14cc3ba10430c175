import ClusterModel

/// What a test cannot do without.
public enum ValidationNeed: String, Hashable, Sendable, Codable, CaseIterable {
    case twoNodes = "two-nodes"
    case threeNodes = "three-nodes"
    /// A disk that every node sees and that may be written to: the operator named it, and it is empty or ours and not in use.
    case testableDisk = "testable-disk"
    case twoTestableDisks = "two-testable-disks"
    case fileShare = "file-share"
    case runningCluster = "running-cluster"
    case witness

    /// Why the test is not applicable: a sentence.
    public var missing: String {
        switch self {
        case .twoNodes: "It compares or connects nodes, and there is only one."
        case .threeNodes: "It takes three nodes."
        case .testableDisk:
            "There is no shared disk that may be written to. Name one that holds nothing with --disk ID, or take all such with --all-empty-disks."
        case .twoTestableDisks: "It takes two shared disks that may be written to."
        case .fileShare: "No file share was named; --share /PATH names one."
        case .runningCluster: "The nodes are no cluster yet, or not all of them belong to it."
        case .witness: "The cluster has no witness."
        }
    }
}

/// What a run is about, as far as it is known before it begins.
public struct ValidationSubject: Hashable, Sendable, Codable {
    /// In the order of the operator's list.
    public var nodes: [NodeName]
    /// Shared disks that storage tests may write to, in the order of their LUNs.
    public var testableDisks: [DiskID]
    /// Mount points of file shares, the same on all nodes.
    public var shares: [String]
    /// nil before a cluster was formed.
    public var cluster: ClusterName?
    public var hasWitness: Bool
    /// Disks that the operator named to be written to, whether that can be or not.
    public var namedDisks: [DiskID]?

    public init(
        nodes: [NodeName], testableDisks: [DiskID] = [], shares: [String] = [], cluster: ClusterName? = nil, hasWitness: Bool = false,
        namedDisks: [DiskID]? = nil
    ) {
        self.nodes = nodes
        self.testableDisks = testableDisks
        self.shares = shares
        self.cluster = cluster
        self.hasWitness = hasWitness
        self.namedDisks = namedDisks
    }

    public func meets(_ need: ValidationNeed) -> Bool {
        switch need {
        case .twoNodes: nodes.count >= 2
        case .threeNodes: nodes.count >= 3
        case .testableDisk: !testableDisks.isEmpty
        case .twoTestableDisks: testableDisks.count >= 2
        case .fileShare: !shares.isEmpty
        case .runningCluster: cluster != nil
        case .witness: hasWitness
        }
    }

    /// - Returns: The first need that keeps the test from running; nil when it applies.
    public func unmetNeed(of test: ValidationTest) -> ValidationNeed? { test.needs.first { !meets($0) } }
}
