/// Who has how many votes. Part of the replicated configuration: a change of it is an entry of the log like any other.
public struct VoteTable: Hashable, Sendable, Codable {
    /// Rises by one with every change.
    public var version: UInt64
    /// Every member of the cluster. With dynamic quorum one that left cleanly or was lost has none: it still holds a copy.
    public var nodes: [NodeID: Int]
    /// Votes of the witness; zero when there is none.
    public var witness: Int
    /// Which witness has them: the number drawn at random when it was initialised. Another disk, or the same one initialised anew, has
    /// another number and so no vote: it would not know what was acknowledged. Zero when there is none.
    public var witnessID: UInt64

    public init(version: UInt64 = 1, nodes: [NodeID: Int], witness: Int, witnessID: UInt64 = 0) {
        self.version = version
        self.nodes = nodes
        self.witness = witness
        self.witnessID = witnessID
    }

    /// All votes there are.
    public var total: Int { nodes.values.reduce(0, +) + witness }
    /// The least number of votes that is more than half.
    public var majority: Int { total / 2 + 1 }

    /// Votes of some nodes, with or without the witness.
    public func votes(of present: some Sequence<NodeID>, withWitness: Bool) -> Int {
        Set(present).reduce(withWitness ? witness : 0) { $0 + (nodes[$1] ?? 0) }
    }
    /// Whether some replicas are a majority.
    public func isMajority(_ present: some Sequence<NodeID>, withWitness: Bool) -> Bool {
        votes(of: present, withWitness: withWitness) >= majority
    }
}
