import ClusterModel

/// One replica's log in memory: the state up to an entry, and the entries after it.
struct ReplicatedLog: Sendable {
    var promised: UInt64 = 0
    var adopted: UInt64 = 0
    private(set) var snapshot: [UInt8] = []
    private(set) var snapshotIndex: UInt64 = 0
    private(set) var snapshotChain: UInt64 = 0
    private(set) var snapshotVotes = VoteTable(version: 0, nodes: [:], witness: 0)
    private(set) var entries: [LogEntry] = []
    /// Entries that change the votes, after the snapshot.
    private(set) var voteChanges: [(index: UInt64, table: VoteTable)] = []
    private(set) var requests = RequestLedger()
    private(set) var bytes = 0

    init() {}
    init(_ image: ReplicaImage) {
        promised = image.position.promised
        adopted = image.position.adopted
        snapshot = image.snapshot
        snapshotIndex = image.snapshotIndex
        snapshotChain = image.snapshotChain
        snapshotVotes = image.snapshotVotes
        entries = image.entries
        index()
    }

    private mutating func index() {
        requests = snapshotRequests
        voteChanges = []
        bytes = 0
        for entry in entries { note(entry) }
    }
    private mutating func note(_ entry: LogEntry) {
        requests.record(entry.request)
        bytes += entry.payload.count
        if let votes = entry.votes { voteChanges.append((entry.index, votes)) }
    }
    /// Every image was looked at where it came in, so its snapshot can be read.
    private var readSnapshot: LogSnapshot { (try? LogSnapshot.decode(snapshot)) ?? LogSnapshot() }
    /// Who asked what last, up to the snapshot.
    var snapshotRequests: RequestLedger { readSnapshot.requests }
    /// What the owner gave.
    var snapshotState: [UInt8] { readSnapshot.state }

    var lastIndex: UInt64 { snapshotIndex + UInt64(entries.count) }
    var lastChain: UInt64 { entries.last?.chain ?? snapshotChain }
    var position: ReplicaPosition { ReplicaPosition(promised: promised, adopted: adopted, lastIndex: lastIndex, chain: lastChain) }

    func chain(at index: UInt64) -> UInt64? {
        if index == snapshotIndex { return snapshotChain }
        guard index > snapshotIndex, index <= lastIndex else { return nil }
        return entries[Int(index - snapshotIndex) - 1].chain
    }
    /// Entries after an index, up to another.
    func entries(after index: UInt64, through last: UInt64) -> ArraySlice<LogEntry> {
        let from = Int(max(index, snapshotIndex) - snapshotIndex)
        let to = Int(max(min(last, lastIndex), snapshotIndex) - snapshotIndex)
        return entries[min(from, to)..<to]
    }
    func image(committed: UInt64) -> ReplicaImage {
        ReplicaImage(
            position: position, committed: min(max(committed, snapshotIndex), lastIndex), snapshot: snapshot, snapshotIndex: snapshotIndex,
            snapshotChain: snapshotChain, snapshotVotes: snapshotVotes, entries: entries)
    }

    /// The newest table, whether it is committed or not.
    var newestVotes: VoteTable { voteChanges.last?.table ?? snapshotVotes }
    /// The table in force, and the change that is not known to be committed yet, if any.
    func votes(committed: UInt64) -> (inForce: VoteTable, next: (index: UInt64, table: VoteTable)?) {
        var inForce = snapshotVotes
        var next: (index: UInt64, table: VoteTable)?
        for change in voteChanges {
            // A forced quorum asks nobody: its table, known by the version that it leaves out, is in force wherever it stands in a log.
            if change.index <= committed || change.table.version > (next?.table ?? inForce).version + 1 {
                (inForce, next) = (change.table, nil)
            } else if next == nil {
                next = change
            }
        }
        return (inForce, next)
    }
    func tables(committed: UInt64) -> [VoteTable] {
        let votes = votes(committed: committed)
        guard let next = votes.next?.table else { return [votes.inForce] }
        return [votes.inForce, next]
    }

    mutating func append(_ entry: LogEntry) {
        entries.append(entry)
        note(entry)
    }
    /// Takes over another log. What it lacks because it was compacted further here is kept.
    mutating func replace(with image: ReplicaImage) {
        guard image.snapshotIndex < snapshotIndex, let chain = image.chain(at: snapshotIndex), chain == snapshotChain else {
            let (promised, adopted) = (promised, adopted)
            self = ReplicatedLog(image)
            self.promised = promised
            self.adopted = adopted
            return
        }
        entries = Array(image.entries[Int(snapshotIndex - image.snapshotIndex)...])
        index()
    }
    /// Puts the end of another log behind an entry of this one.
    ///
    /// - Returns: False when it does not follow; nothing is changed then.
    mutating func replaceTail(with tail: ReplicaImage) -> Bool {
        guard chain(at: tail.snapshotIndex) == tail.snapshotChain else { return false }
        entries.removeLast(Int(lastIndex - tail.snapshotIndex))
        entries += tail.entries
        index()
        return true
    }
    mutating func compact(to index: UInt64, state: [UInt8]) -> [UInt8]? {
        guard index > snapshotIndex, let chain = chain(at: index) else { return nil }
        var made = LogSnapshot(requests: snapshotRequests, state: state)
        let gone = Int(index - snapshotIndex)
        for entry in entries[..<gone] { made.requests.record(entry.request) }
        snapshotVotes = votes(committed: index).inForce
        snapshot = made.encoded()
        (snapshotIndex, snapshotChain) = (index, chain)
        entries.removeFirst(gone)
        self.index()
        return snapshot
    }
}

extension ReplicaImage {
    /// Which tables an epoch needs that goes on from it: the one in force, and one that may be.
    public var tables: [VoteTable] { ReplicatedLog(self).tables(committed: committed) }
}
