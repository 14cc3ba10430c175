import ClusterModel

/// A membership of Corosync: who sees whom, under a name that is never used again.
public struct ArbitrationRing: Hashable, Sendable {
    public var representative: UInt32
    public var sequence: UInt64
    public var members: Set<NodeID>
    public init(representative: UInt32, sequence: UInt64, members: Set<NodeID>) {
        self.representative = representative
        self.sequence = sequence
        self.members = members
    }
}

/// A node's sector on the witness, as far as it matters here.
public struct ArbitrationBeat: Hashable, Sendable {
    public var incarnation: UInt64
    public var counter: UInt64
    /// The node casts the witness's vote because it holds the reservation.
    public var claims: Bool
    public init(incarnation: UInt64, counter: UInt64, claims: Bool) {
        self.incarnation = incarnation
        self.counter = counter
        self.claims = claims
    }
}

/// One round at the witness: own heartbeat written, then all heartbeats read, **then** the reservation read.
///
/// The order matters. A heartbeat that was seen before the reservation was read as its writer's was written before anybody preempted it.
public struct WitnessObservation: Hashable, Sendable {
    /// When the write of the own heartbeat was sent; nil when none was written.
    public var writtenAt: Duration?
    /// When the read of the heartbeats was sent.
    public var readAt: Duration
    /// Nodes that never wrote, or whose sector cannot be read, are missing.
    public var beats: [NodeID: ArbitrationBeat]
    /// When the read of the reservation was sent.
    public var reservationReadAt: Duration
    /// Nil when nobody holds it.
    public var holder: NodeReservationKey?
    public init(
        writtenAt: Duration?, readAt: Duration, beats: [NodeID: ArbitrationBeat], reservationReadAt: Duration, holder: NodeReservationKey?
    ) {
        self.writtenAt = writtenAt
        self.readAt = readAt
        self.beats = beats
        self.reservationReadAt = reservationReadAt
        self.holder = holder
    }
}

/// What is done at the witness. One at a time; each ends within a deadline of the one who carries it out.
public enum ArbitrationOperation: Hashable, Sendable {
    /// Close the session, if there is one, and log in again under the same identity.
    case openSession
    /// REGISTER AND IGNORE EXISTING KEY.
    case register
    /// See ``WitnessObservation``. `heartbeat` nil: only read.
    case observe(heartbeat: ArbitrationBeat?, nodes: [NodeID])
    /// Take the free reservation, then pass the barrier.
    case reserve
    /// Take the reservation from its holder, then pass the barrier: no write of the victim can land after it is done.
    case preempt(NodeReservationKey)
    /// Take over what an earlier session of this node left, then pass the barrier.
    case adopt(NodeReservationKey)
    case release
}

public enum ArbitrationResult: Hashable, Sendable {
    case done
    case observed(WitnessObservation)
    /// RESERVATION CONFLICT on taking or giving back: somebody was quicker, or the target forgot this node.
    case conflict
    /// The heartbeat was refused, or a unit attention said so: this session's registration was removed.
    case excluded
    /// No session any more.
    case sessionLost
    /// Anything else. What became of it is not known.
    case failed
}

public enum ArbitrationInput: Hashable, Sendable {
    /// Time went by; ``WitnessArbitration/nextWake`` says when this is due.
    case tick
    case ring(ArbitrationRing)
    /// This node is in no ring, or its Corosync says nothing any more. Until the next ``ring(_:)``, which may be the same.
    case ringGone
    case votes(VoteTable)
    case mode(ArbitrationMode)
    /// The operator forces quorum on this partition: take the witness even from a holder that lives.
    case force
    /// An operation ended. An id that is not the current one is ignored.
    case finished(id: UInt64, ArbitrationResult)
}

/// The witness's vote, as this node casts it.
public enum WitnessVote: Hashable, Sendable {
    case no
    /// Not to be given to Corosync after this instant, whatever kept the caller.
    case yes(until: Duration)
    public var isYes: Bool { self != .no }
}

public enum ArbitrationEvent: Hashable, Sendable {
    case took(from: NodeID?)
    case restored
    case adopted
    case lost(to: NodeID?)
    case released
    case challenging(NodeID)
    case holderAnswered(NodeID)
    /// The reservation is not of this cluster; the operator has to find out whose it is.
    case foreignReservation(NodeReservationKey)
    case unreachable
    case reachable
}

public enum ArbitrationEffect: Hashable, Sendable {
    case perform(ArbitrationOperation, id: UInt64)
    /// For ``ArbitrationRing`` and no other: a poll with another ring's name must not be sent.
    case castVote(WitnessVote, ring: ArbitrationRing)
    case event(ArbitrationEvent)
}
