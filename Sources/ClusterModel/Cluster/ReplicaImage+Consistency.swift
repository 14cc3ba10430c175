extension ReplicaImage {
    /// What is inconsistent in it; nil when it is whole.
    ///
    /// Every entry follows the one before in index and in chain, so an image without an inconsistency that ends in the right chain is the
    /// right one.
    public var inconsistency: String? {
        guard position.adopted <= position.promised else {
            return "it adopted epoch \(position.adopted) and promised only \(position.promised)"
        }
        guard position.lastIndex <= UInt64(Int64.max) else { return "entry \(position.lastIndex) is out of range" }
        guard snapshotIndex <= committed, committed <= position.lastIndex else {
            return "snapshot \(snapshotIndex), committed \(committed) and last entry \(position.lastIndex) are not in order"
        }
        guard UInt64(entries.count) == position.lastIndex - snapshotIndex else {
            return "\(entries.count) entries between snapshot \(snapshotIndex) and last entry \(position.lastIndex)"
        }
        var chain = snapshotChain
        var epoch: UInt64 = 0
        for (offset, entry) in entries.enumerated() {
            guard entry.index == snapshotIndex + UInt64(offset) + 1 else { return "entry \(entry.index) is out of order" }
            guard entry.follows(chain: chain) else { return "entry \(entry.index) does not follow from the one before" }
            guard entry.epoch >= epoch, entry.epoch <= position.adopted else {
                return "entry \(entry.index) has epoch \(entry.epoch), after \(epoch) and in a log of epoch \(position.adopted)"
            }
            (chain, epoch) = (entry.chain, entry.epoch)
        }
        return chain == position.chain ? nil : "its last entry is not the one that its position names"
    }

    /// ``LogEntry/chain`` of an entry of this image; nil when it has none with that index.
    public func chain(at index: UInt64) -> UInt64? {
        if index == snapshotIndex { return snapshotChain }
        guard index > snapshotIndex, index - snapshotIndex <= UInt64(entries.count) else { return nil }
        return entries[Int(index - snapshotIndex) - 1].chain
    }
}
