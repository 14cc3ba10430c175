import ClusterModel

extension ReplicaImage {
    /// What every replica of a new cluster begins with, the witness included: the same on all of them.
    ///
    /// - Parameters:
    ///   - state: The owner's state; it counts as the outcome of entry 1, which nobody has any more.
    ///   - votes: The first vote table.
    public static func founding(state: [UInt8], votes: VoteTable) -> ReplicaImage {
        var snapshot = LogSnapshot()
        snapshot.state = state
        var chain = DifferenceHash(from: 1)
        chain.combine(state)
        chain.combine(votes)
        return ReplicaImage(
            position: ReplicaPosition(promised: 1, adopted: 1, lastIndex: 1, chain: chain.value), committed: 1,
            snapshot: snapshot.encoded(), snapshotIndex: 1, snapshotChain: chain.value, snapshotVotes: votes, entries: [])
    }

    /// The owner's state in the snapshot.
    ///
    /// - Throws: ``CodingError`` when the snapshot is none.
    public func snapshotState() throws(CodingError) -> [UInt8] { try LogSnapshot.decode(snapshot).state }
}
