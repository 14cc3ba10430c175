extension LogEntry {
    /// An entry with its ``chain`` worked out.
    ///
    /// - Parameter previousChain: ``chain`` of the entry before; zero before the first.
    public static func chained(
        after previousChain: UInt64, index: UInt64, epoch: UInt64, request: RequestID, payload: [UInt8], votes: VoteTable? = nil
    ) -> LogEntry {
        var entry = LogEntry(index: index, epoch: epoch, request: request, payload: payload, votes: votes, chain: 0)
        entry.chain = entry.chain(after: previousChain)
        return entry
    }

    /// What ``chain`` has to be when the entry before has `previousChain`: a hash over every other field, going on from there.
    ///
    /// Because each step of ``DifferenceHash`` is a bijection of its state, the same entry after different logs has different chains:
    /// a difference once there never heals by itself.
    public func chain(after previousChain: UInt64) -> UInt64 {
        var hash = DifferenceHash(from: previousChain)
        hash.combine(index)
        hash.combine(epoch)
        hash.combine(UInt64(request.node.rawValue))
        hash.combine(request.incarnation)
        hash.combine(request.number)
        hash.combine(payload)
        hash.combine(votes == nil ? 0 : 1)
        if let votes { hash.combine(votes) }
        return hash.value
    }

    /// Whether this entry is whole and belongs after one with that chain.
    public func follows(chain previousChain: UInt64) -> Bool { chain == chain(after: previousChain) }
}
