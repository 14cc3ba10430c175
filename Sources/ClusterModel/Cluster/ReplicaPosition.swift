/// How far one replica of the configuration is: what decides whose log the cluster goes on with.
public struct ReplicaPosition: Hashable, Sendable, Codable {
    /// The highest epoch it has promised to. It will accept nothing of a lower one.
    public var promised: UInt64
    /// The epoch whose log it holds. At most ``promised``.
    public var adopted: UInt64
    /// The last entry it holds; zero for none.
    public var lastIndex: UInt64
    /// ``LogEntry/chain`` of that entry.
    public var chain: UInt64

    public init(promised: UInt64 = 0, adopted: UInt64 = 0, lastIndex: UInt64 = 0, chain: UInt64 = 0) {
        self.promised = promised
        self.adopted = adopted
        self.lastIndex = lastIndex
        self.chain = chain
    }

    /// Whether this replica's log is ahead of another's. The epoch of the log counts first: a longer log of an older epoch may end
    /// in entries that were never acknowledged.
    public func isAhead(of other: ReplicaPosition) -> Bool {
        (adopted, lastIndex) > (other.adopted, other.lastIndex)
    }
}

/// One change of the configuration, at its place in the order.
public struct LogEntry: Hashable, Sendable, Codable {
    /// The first is 1; no gaps.
    public var index: UInt64
    /// The epoch it was accepted in.
    public var epoch: UInt64
    /// Chosen by who asked: the same request twice is applied once.
    public var request: RequestID
    /// The encoded command; the log does not look inside.
    public var payload: [UInt8]
    /// The vote table from here on, when this entry changes it. It commits only under the majority of the old and of the new table.
    public var votes: VoteTable?
    /// A hash over this entry and the ``chain`` of the one before: two logs with the same value at an index are the same up to it.
    public var chain: UInt64

    public init(index: UInt64, epoch: UInt64, request: RequestID, payload: [UInt8], votes: VoteTable?, chain: UInt64) {
        self.index = index
        self.epoch = epoch
        self.request = request
        self.payload = payload
        self.votes = votes
        self.chain = chain
    }
}

/// Names one request for a change: who asked, in which life of its service, and which one it was.
public struct RequestID: Hashable, Sendable, Codable {
    public var node: NodeID
    /// Drawn at random at every start of the service.
    public var incarnation: UInt64
    public var number: UInt64
    public init(node: NodeID, incarnation: UInt64, number: UInt64) {
        self.node = node
        self.incarnation = incarnation
        self.number = number
    }
}

/// Everything a replica holds, to be copied to another one or to the witness: the state up to an entry, and the entries after it.
public struct ReplicaImage: Hashable, Sendable, Codable {
    public var position: ReplicaPosition
    /// Known to be committed; entries after it may be.
    public var committed: UInt64
    /// The encoded state after ``snapshotIndex`` was applied; empty before the first.
    public var snapshot: [UInt8]
    public var snapshotIndex: UInt64
    /// ``LogEntry/chain`` of entry ``snapshotIndex``.
    public var snapshotChain: UInt64
    /// The vote table in force after ``snapshotIndex``.
    public var snapshotVotes: VoteTable
    /// `snapshotIndex + 1 ... position.lastIndex`, in order.
    public var entries: [LogEntry]

    public init(
        position: ReplicaPosition, committed: UInt64, snapshot: [UInt8], snapshotIndex: UInt64, snapshotChain: UInt64,
        snapshotVotes: VoteTable, entries: [LogEntry]
    ) {
        self.position = position
        self.committed = committed
        self.snapshot = snapshot
        self.snapshotIndex = snapshotIndex
        self.snapshotChain = snapshotChain
        self.snapshotVotes = snapshotVotes
        self.entries = entries
    }
}

/// What a replica is asked to make durable. Each is all or nothing: after a crash it has happened whole or not at all.
public enum DurableChange: Hashable, Sendable {
    /// Promise an epoch: accept nothing of a lower one any more.
    case promise(epoch: UInt64)
    /// Take over a log: it replaces what is there from the first entry that differs, and the epoch with it.
    case adopt(ReplicaImage)
    /// Like ``adopt(_:)``, but this log may lack what was committed here: the other side was made to go on by an operator's order.
    case replace(ReplicaImage)
    /// Add entries at the end.
    case append([LogEntry])
    /// Everything up to here is committed. Need not be synced: it only saves work after a restart.
    case commit(index: UInt64)
    /// The state after an entry that is committed; entries up to it may go.
    case snapshot(state: [UInt8], index: UInt64)
}
