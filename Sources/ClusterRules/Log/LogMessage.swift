import ClusterModel

/// One process in the group: a service that is started again on the same node is another member.
public struct GroupMember: Hashable, Sendable, Comparable {
    public var node: NodeID
    public var process: UInt32
    public init(node: NodeID, process: UInt32) {
        self.node = node
        self.process = process
    }
    public static func < (left: Self, right: Self) -> Bool { (left.node, left.process) < (right.node, right.process) }
}

/// Names one session: a stretch of time in which the same members follow one of their number. What belongs to another one is ignored.
public struct SessionTag: Hashable, Sendable {
    public var round: UInt64
    /// A hash over the members and over who was left out.
    public var membership: UInt64
}

/// What members of the group say to each other: ordered alike for all by Corosync.
public struct LogMessage: Hashable, Sendable {
    /// The session it belongs to. A ``Body/hello(_:)`` makes one and has its own round.
    public var tag: SessionTag
    public var body: Body

    public enum Body: Hashable, Sendable {
        case hello(Hello)
        /// By the coordinator of the session: the epoch to promise, and whose log it goes on with.
        case begin(Begin)
        /// The sender's replica, or the witness through its holder, promised the epoch; durable.
        case promised(epoch: UInt64, witness: Bool)
        /// The sender holds the witness and read this from it; nil when it lost it.
        case witness(WitnessReport?)
        /// The sender needs the log, or the end of it.
        case fetch(Fetch)
        case chunk(Chunk)
        case chunkReceived(transfer: UInt64, sequence: UInt32)
        case propose(Proposal)
        /// By the leader: the next entries, in this order.
        case append(Append)
        /// The sender's replica, or the witness, has everything up to this entry in the log of the epoch; durable.
        case acknowledged(epoch: UInt64, index: UInt64, witness: Bool)
        /// By the leader: this proposal is not accepted.
        case refused(RequestID, Refusal)
        /// By the leader: that node is no member of the cluster.
        case turnedAway(NodeID, tableVersion: UInt64)
        /// An operator orders the members of this session to go on without a majority.
        case force(Proposal)
        /// The sender is alive.
        case pulse
    }

    public init(tag: SessionTag, body: Body) {
        self.tag = tag
        self.body = body
    }
}

/// What a member says at the start of a session.
public struct Hello: Hashable, Sendable {
    /// The members of the group as the sender sees them, sorted.
    public var members: [GroupMember]
    /// Members that go without: they did not answer.
    public var leftOut: [NodeID]
    public var incarnation: UInt64
    public var replica: ReplicaReport
    /// When the sender holds the witness and has read it.
    public var witness: WitnessReport?
}

/// Where a replica is, and what it takes to go on from there.
public struct ReplicaReport: Hashable, Sendable {
    public var position: ReplicaPosition
    /// Whether its promises and acknowledgements count: not after it lost its memory, nor while it cannot write.
    public var counts: Bool
    /// Vote tables whose majorities an epoch that goes on from this log needs: the one in force, and one that may be.
    public var tables: [VoteTable]
}

/// A witness, as its holder read it.
public struct WitnessReport: Hashable, Sendable {
    public var witnessID: UInt64
    public var replica: ReplicaReport
    /// The last request of each node in its log.
    public var requests: [RequestID]
}

public struct Begin: Hashable, Sendable {
    public var epoch: UInt64
    public var leader: NodeID
    /// The log that goes on. The leader has it.
    public var base: ReplicaPosition
    /// It comes from the witness, which the leader holds.
    public var baseIsWitness: Bool
    /// Every one of these needs its majority.
    public var tables: [VoteTable]
    /// The witness whose report was considered, and who made it: only through that node its promise counts. Another one may have read
    /// more from it.
    public var witnessID: UInt64?
    public var witnessHolder: NodeID?
    /// An operator's order, which becomes the first entry. Then ``tables`` is the one it makes.
    public var forced: Proposal?
}

public struct Fetch: Hashable, Sendable {
    public var transfer: UInt64
    public var lastIndex: UInt64
    public var chain: UInt64
    /// Known to be committed, and so surely the same in the log of the leader, unless that one was forced.
    public var committed: UInt64
    public var committedChain: UInt64
}

public struct Chunk: Hashable, Sendable {
    public var to: NodeID
    public var transfer: UInt64
    public var sequence: UInt32
    public var count: UInt32
    public var bytes: [UInt8]
}

public struct Proposal: Hashable, Sendable {
    public var request: RequestID
    public var payload: [UInt8]
    public var votes: VoteTable?
    public init(request: RequestID, payload: [UInt8], votes: VoteTable? = nil) {
        self.request = request
        self.payload = payload
        self.votes = votes
    }
}

public struct Append: Hashable, Sendable {
    public var epoch: UInt64
    public var firstIndex: UInt64
    /// The chain of the entry before the first: who has another one there must not add to it.
    public var previousChain: UInt64
    public var items: [Item]

    public enum Item: Hashable, Sendable {
        case proposal(Proposal)
        /// One that was delivered as ``LogMessage/Body/propose(_:)`` before.
        case delivered(RequestID)
    }
}

/// Why a proposal was not accepted. It never will be under this request.
public enum Refusal: UInt8, Hashable, Sendable, CustomStringConvertible {
    case tooLarge = 1
    case busy
    case numberNotRising
    case votesOutOfDate
    case votesInProgress
    case votesWithoutMajority
    case twoWitnesses
    case notNeeded
    case passedOver
    case notAMember

    public var description: String {
        switch self {
        case .tooLarge: "The change is larger than \(LogLimits.payloadBytes >> 10) KiB."
        case .busy: "Too many changes wait for their answer. Try again."
        case .numberNotRising: "Requests have to be numbered upwards."
        case .votesOutOfDate: "The votes were changed meanwhile. Look at them and try again."
        case .votesInProgress: "Another change of the votes is not finished. Try again."
        case .votesWithoutMajority: "The nodes that are present would not be a majority under the new votes. Start more nodes first."
        case .twoWitnesses: "A witness is replaced in two steps: take the old one's vote, then give the new one its vote."
        case .notNeeded: "This partition has the majority already; nothing has to be forced."
        case .notAMember: "The node that asked is no member of the cluster any more."
        case .passedOver: "A later change of this node was accepted first. Nothing was changed; try again."
        }
    }
}
