import ClusterModel
import GRDB

/// Carries out changes inside a transaction, after it has made sure that they are ones the log may ask for.
///
/// The rules of the log decide; this repeats the few that keep the cluster's promises, because a defect up there must not reach the disk.
struct ChangeWriter {
    let database: Database
    /// Where the changes so far lead.
    var position: StoredPosition

    mutating func make(_ change: DurableChange) throws {
        switch change {
        case .promise(let epoch): try promise(epoch)
        case .adopt(let image): try adopt(image, isForced: false)
        case .replace(let image): try adopt(image, isForced: true)
        case .append(let entries): try append(entries)
        case .commit(let index): try commit(index)
        case .snapshot(let state, let index): try snapshot(state, index: index)
        }
    }

    private mutating func promise(_ epoch: UInt64) throws {
        try require(epoch > position.replica.promised, "a promise of epoch \(epoch) after one of \(position.replica.promised)")
        position.replica.promised = epoch
    }

    private mutating func append(_ entries: [LogEntry]) throws {
        for entry in entries {
            try require(position.replica.adopted > 0, "entry \(entry.index) for a replica that adopted no log yet")
            // A promise means to accept nothing of a lower epoch, so between a promise and its log nothing can be added.
            try require(
                entry.epoch == position.replica.adopted && entry.epoch == position.replica.promised,
                "entry \(entry.index) of epoch \(entry.epoch), with \(position.replica.adopted) adopted and \(position.replica.promised) promised"
            )
            try require(
                entry.index == position.replica.lastIndex + 1 && entry.index <= UInt64(Int64.max),
                "entry \(entry.index) after entry \(position.replica.lastIndex)")
            try require(entry.follows(chain: position.replica.chain), "entry \(entry.index) does not follow from the one before")
            try StoredLog.append(entry, to: database)
            position.replica.lastIndex = entry.index
            position.replica.chain = entry.chain
        }
    }

    private mutating func commit(_ index: UInt64) throws {
        try require(
            index >= position.committed && index <= position.replica.lastIndex,
            "commit of \(index), with \(position.committed) committed and \(position.replica.lastIndex) entries")
        position.committed = index
    }

    private mutating func snapshot(_ state: [UInt8], index: UInt64) throws {
        try require(
            index > position.snapshotIndex && index <= position.committed,
            "a snapshot at \(index), with one at \(position.snapshotIndex) and \(position.committed) committed")
        guard let chain = try StoredLog.chain(of: index, in: database) else { throw Damage("entry \(index) is not there") }
        let votes = try StoredLog.votes(upTo: index, in: database) ?? StoredSnapshot.read(from: database).votes
        try StoredSnapshot(index: index, chain: chain, votes: votes, state: state).write(to: database)
        try StoredLog.remove(upTo: index, in: database)
        position.snapshotIndex = index
    }

    /// - Parameter isForced: An operator made the cluster go on with this log, although it may lack what was committed here.
    private mutating func adopt(_ image: ReplicaImage, isForced: Bool) throws {
        if let inconsistency = image.inconsistency { throw StoreError.contradiction("a log to adopt in which \(inconsistency)") }
        let held = position
        try require(image.position.adopted > 0, "a log to adopt that has no epoch")
        try require(
            image.position.adopted >= held.replica.promised,
            "a log of epoch \(image.position.adopted) after a promise of \(held.replica.promised)")
        let isFirst = held.replica.adopted == 0
        if !isFirst, !isForced { try requireCommitted(in: image) }

        // A snapshot of ours that reaches further says the same in fewer words: it is of committed entries, which both logs have.
        if isFirst || isForced || image.snapshotIndex > held.snapshotIndex {
            try StoredSnapshot(
                index: image.snapshotIndex, chain: image.snapshotChain, votes: image.snapshotVotes, state: image.snapshot
            ).write(to: database)
            try StoredLog.remove(upTo: image.snapshotIndex, in: database)
            // Of a forced log that is shorter nothing may stay that is beyond its snapshot but not its own.
            position.snapshotIndex = image.snapshotIndex
        }
        // Entries that are the same stay as they are: a log that differs in the last entry is not written anew.
        let entries = image.entries.drop { $0.index <= position.snapshotIndex }
        let same = zip(try StoredLog.chains(from: position.snapshotIndex + 1, in: database), entries).prefix { $0 == $1.chain }.count
        try StoredLog.remove(from: position.snapshotIndex + UInt64(same) + 1, in: database)
        for entry in entries.dropFirst(same) { try StoredLog.append(entry, to: database) }

        position.replica = image.position
        position.committed = isForced ? image.committed : max(held.committed, image.committed)
        position.memory = .whole
    }

    /// No log that lacks what was committed may ever replace one that has it.
    private func requireCommitted(in image: ReplicaImage) throws {
        let committed = position.committed
        try require(
            image.position.lastIndex >= committed, "a log that ends at \(image.position.lastIndex), with \(committed) committed")
        // Before the snapshot of the other log there is nothing left to compare.
        guard image.snapshotIndex <= committed else { return }
        let ours =
            committed == position.snapshotIndex
            ? try StoredSnapshot.read(from: database).chain : try StoredLog.chain(of: committed, in: database)
        try require(image.chain(at: committed) == ours, "a log that differs from ours at the committed entry \(committed) or before")
    }

    private func require(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
        guard condition else { throw StoreError.contradiction(otherwise()) }
    }
}
