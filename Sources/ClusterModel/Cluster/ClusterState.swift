import Foundation

/// Everything the nodes agree on: what applying the log from its first entry gives, byte for byte the same on every node.
///
/// Collections are dictionaries by name or number and ordered lists, never sets, so that it has one encoded form (``ClusterCoding``).
public struct ClusterState: Hashable, Sendable, Codable {
    /// Events kept here; older ones are in each node's own history. Bounded, because a witness write carries the whole state.
    public static let historyLimit = 256

    /// Nil before ``ClusterCommand/createCluster(founding:)``.
    public var identity: ClusterIdentity?
    /// Set once the cluster was destroyed: every later command is refused.
    public var destroyedAt: WallTime?

    public var nodes: [NodeID: ClusterNode]
    public var evicted: [NodeID: EvictedNode]
    /// Numbers are never given twice, so that an old reservation key cannot be taken for a new node's.
    public var highestNodeID: UInt16

    public var networks: [ClusterNetwork]
    public var disks: [DiskID: ClusterDisk]
    public var machines: [VMName: ClusterMachine]

    public var witness: WitnessStatus
    public var quorum: QuorumSettings
    /// The vote table in force after ``appliedIndex``; the same that the log counts with.
    public var votes: VoteTable
    /// The last time quorum was forced; nil if it never was.
    public var forcedQuorum: ForcedQuorum?

    public var authority: ClusterAuthority?
    /// The key of Corosync's links, base64; nil while it is the one that the members got when they joined.
    public var corosyncKey: Secret?
    /// By serial.
    public var certificates: [String: IssuedCertificate]
    /// By hash.
    public var joinTokens: [String: JoinToken]
    /// By identifier, upper case.
    public var operations: [String: PendingOperation]

    /// The newest ``historyLimit`` events, oldest first.
    public var history: [ClusterEvent]
    public var lastEventID: UInt64
    /// The last request of each node that was applied or rejected: the same request again is ignored.
    public var lastRequests: [NodeID: RequestMark]
    /// The last entry of the log that this state contains.
    public var appliedIndex: UInt64
    /// The entry that last changed what corosync.conf says: nodes, rings, votes. It is the version of that file.
    public var membershipVersion: UInt64

    /// The state before the first entry.
    public init() {
        nodes = [:]
        evicted = [:]
        highestNodeID = 0
        networks = []
        disks = [:]
        machines = [:]
        witness = WitnessStatus(witness: .none, condition: .present, since: WallTime(milliseconds: 0))
        quorum = QuorumSettings(model: .nodeMajority)
        votes = VoteTable(version: 0, nodes: [:], witness: 0)
        certificates = [:]
        joinTokens = [:]
        operations = [:]
        history = []
        lastEventID = 0
        lastRequests = [:]
        appliedIndex = 0
        membershipVersion = 0
    }

    /// The node that decides for the cluster and writes volume metadata: the lowest number among the nodes that are up.
    ///
    /// Only a node in an open epoch may act on it; see `ClusterRules` (`Coordinator`) for the form that looks at the members present.
    public var coordinator: NodeID? { nodes.values.lazy.filter { $0.presence == .up }.map(\.id).min() }

    /// A node by the name an operator uses.
    public func node(named name: NodeName) -> ClusterNode? { nodes.values.first { $0.name == name } }
    /// The name of a node, also of one that is no member any more.
    public func name(of node: NodeID) -> String {
        nodes[node]?.name.rawValue ?? evicted[node]?.name.rawValue ?? "node \(node)"
    }
    /// Machines that a node owns, in the order of their names.
    public func machines(ownedBy node: NodeID) -> [ClusterMachine] {
        machines.values.filter { $0.owner == node }.sorted { $0.name < $1.name }
    }
}

/// What names the cluster for as long as it lives.
public struct ClusterIdentity: Hashable, Sendable, Codable {
    /// Written on every disk of the cluster.
    public var id: UUID
    public var name: ClusterName
    public var createdAt: WallTime
    public init(id: UUID, name: ClusterName, createdAt: WallTime) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }
}

/// Who overrode the count of votes, and when: shown until the cluster has all its votes again.
public struct ForcedQuorum: Hashable, Sendable, Codable {
    public var by: String
    public var at: WallTime
    public var reason: String
    /// The nodes that were there.
    public var nodes: [NodeID]
    public init(by: String, at: WallTime, reason: String, nodes: [NodeID]) {
        self.by = by
        self.at = at
        self.reason = reason
        self.nodes = nodes
    }
}

/// How far a node's requests have been applied. A node's requests arrive in the order of their numbers.
public struct RequestMark: Hashable, Sendable, Codable {
    /// ``RequestID/incarnation``.
    public var incarnation: UInt64
    public var number: UInt64
    public init(incarnation: UInt64, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }
}
