import ClusterModel

/// What ``ConfigurationLog`` is told.
public enum LogEvent: Hashable, Sendable {
    /// The group changed: all messages delivered from here on were delivered after this change. Empty when Corosync is gone.
    case membership([GroupMember])
    /// In the order of the group, own messages included.
    case delivered(from: GroupMember, LogMessage)
    /// The changes of an ``LogEffect/persist(_:token:)`` are durable.
    case persisted(token: UInt64)
    /// They are not, and did not happen.
    case persistFailed(token: UInt64, reason: String)
    /// This node holds the reservation of the witness, and nothing that was written to it before can land any more: after the barrier
    /// (PREEMPT AND ABORT, or LUN RESET and its answer), also when this node held it before its service was started again.
    case witnessHeld(id: UInt64)
    case witnessLost
    /// Nil for a witness that has no valid image.
    case witnessRead(token: UInt64, ReplicaImage?)
    /// Written and synced.
    case witnessWritten(token: UInt64)
    /// Not read, or perhaps not written.
    case witnessFailed(token: UInt64, reason: String)
    /// A change is asked for on this node. Numbers rise within the ``ConfigurationLog/Settings/incarnation``.
    case propose(Proposal)
    /// Nobody waits for the answer any more: it is not sent again. It may still be committed.
    case giveUp(RequestID)
    /// An operator orders this partition to go on without a majority. The payload is the record of it.
    case force(Proposal)
    /// The owner's state after the entry with that index, as asked for by ``LogEffect/takeSnapshot(after:)`` or unasked.
    case snapshotReady(state: [UInt8], index: UInt64)
    /// Time passed. At least four times a second.
    case tick
}

/// What ``ConfigurationLog`` wants done, in this order.
public enum LogEffect: Hashable, Sendable {
    /// To the group.
    case send(LogMessage)
    /// In one durable step, all or nothing. There is at most one at a time.
    case persist([DurableChange], token: UInt64)
    case readWitness(token: UInt64)
    /// To the slot that is not the newest, then sync. There is at most one at a time.
    case writeWitness(ReplicaImage, token: UInt64)
    /// The owner's state is replaced by this one: empty for the beginning.
    case restore(state: [UInt8], index: UInt64)
    /// Committed: to be applied, in this order. Each index comes once, unless a ``restore(state:index:)`` went back.
    case committed([LogEntry])
    case answer(RequestID, ProposalResult)
    case takeSnapshot(after: UInt64)
    /// Entries of this replica that the cluster went on without. `acknowledged` were told to be committed, and are lost by a forced quorum.
    case dropped([LogEntry], acknowledged: Int)
    case status(LogStatus)
}

/// How a proposal ended.
public enum ProposalResult: Hashable, Sendable {
    /// It is part of the configuration. What it came to is known from applying the entry.
    case committed(index: UInt64)
    case refused(Refusal)
    /// The log went on beyond it while this node was away: it may have been applied. Look.
    case unknown
}

/// Where this replica stands, for people and for those who start machines.
public struct LogStatus: Hashable, Sendable {
    public enum Phase: Hashable, Sendable {
        /// Not in the group.
        case apart
        /// Members that have not answered yet.
        case gathering(waitingFor: [NodeID])
        /// Left out by the others since this node did not answer in time; it asks to be let in again.
        case leftOut
        /// The members are not enough: present and needed votes of the table that lacks most.
        case waitingForMajority(present: Int, needed: Int, of: Int, missing: [NodeID], witnessMissing: Bool)
        /// No member has a configuration.
        case empty
        /// A quorum was forced, and nobody here has the log that came of it: that side has to return, or be given up by forcing again.
        case forcedElsewhere(epoch: UInt64)
        /// The epoch is being promised, and its log copied.
        case opening(epoch: UInt64)
        /// Changes are accepted. `behind` while this node does not have them all.
        case open(epoch: UInt64, leader: NodeID, behind: Bool)
        /// This node is no member of the cluster; the others' vote table says so.
        case turnedAway(tableVersion: UInt64)
        /// The epoch numbers are used up, so a replica must be damaged.
        case epochsExhausted
    }
    public var phase: Phase
    /// Why this node's database cannot be written: it does not count meanwhile.
    public var storageFailure: String?
    /// Why the witness cannot be used, on its holder.
    public var witnessFailure: String?

    public init(phase: Phase, storageFailure: String? = nil, witnessFailure: String? = nil) {
        self.phase = phase
        self.storageFailure = storageFailure
        self.witnessFailure = witnessFailure
    }

    /// Whether this partition may change things, as far as the log is concerned. Votequorum has to agree.
    public var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    /// Whether the log is closed, and among the votes that it lacks is the witness's.
    public var isWitnessMissing: Bool {
        if case .waitingForMajority(_, _, _, _, witnessMissing: true) = phase { true } else { false }
    }
}
