import ClusterModel
import Foundation

/// Takes a seat at disks: a session of its own with the target, under which one key can be registered.
///
/// The node's own session is left alone, so that nothing that runs over it notices the tests.
public struct ReservationSeatQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// For ``ReservationActQuestion``.
        public var seat: UUID
        /// In the order of the question.
        public var disks: [Ground]
        public init(seat: UUID, disks: [Ground]) {
            self.seat = seat
            self.disks = disks
        }
    }
    /// What a disk said before anything was done to it.
    public struct Ground: Codable, Hashable, Sendable {
        public var disk: DiskID
        public var keys: [DiskKey]
        public var holder: DiskKey?
        /// What the disk said when it was asked for its keys; nil when it has persistent reservations.
        public var refusal: String?
        public init(disk: DiskID, keys: [DiskKey] = [], holder: DiskKey? = nil, refusal: String? = nil) {
            self.disk = disk
            self.keys = keys
            self.holder = holder
            self.refusal = refusal
        }
    }
    public static let name = "reservation-seat"
    public var disks: [DiskID]
    /// Must belong to the run.
    public var key: DiskKey
    public init(disks: [DiskID], key: DiskKey) {
        self.disks = disks
        self.key = key
    }
}

/// Does one thing at a seat, on all its disks at the same time.
public struct ReservationActQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// In the order of the seat's disks.
        public var answers: [ReservationAnswer]
        /// For all of them together.
        public var milliseconds: Double
        public init(answers: [ReservationAnswer], milliseconds: Double) {
            self.answers = answers
            self.milliseconds = milliseconds
        }
    }
    public static let name = "reservation-act"
    public var seat: UUID
    public var act: ReservationAct
    public init(seat: UUID, act: ReservationAct) {
        self.seat = seat
        self.act = act
    }
}

/// Says that a seat is still wanted, while its node waits for others. A seat for which nobody asks leaves by itself.
public struct ReservationKeepQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public init() {}
    }
    public static let name = "reservation-keep"
    public var seat: UUID
    public init(seat: UUID) { self.seat = seat }
}

/// Ends what a seat does until it is told to stop, see ``ReservationAct/beat(milliseconds:interval:)``. Its answer comes as if its time were over.
public struct ReservationStopQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public init() {}
    }
    public static let name = "reservation-stop"
    public var seat: UUID
    public init(seat: UUID) { self.seat = seat }
}

/// Gives a seat back: what it changed is restored, its key is gone from the disks, its session is closed.
public struct ReservationLeaveQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public init() {}
    }
    public static let name = "reservation-leave"
    public var seat: UUID
    public init(seat: UUID) { self.seat = seat }
}

/// What can be done at a seat. "Its key" is the one that the seat was taken with.
public enum ReservationAct: Hashable, Sendable, Codable {
    /// Reads keys and reservation.
    case look
    /// Reads what the device can do with reservations.
    case capabilities
    case register
    case unregister
    case reserve
    case release
    case clear
    /// PREEMPT alone.
    case preempt(victim: DiskKey)
    /// As the cluster fences: PREEMPT AND ABORT, or PREEMPT and a reset of the unit.
    case fence(victim: DiskKey)
    /// Reads a block of the scratch area and writes the same bytes back.
    case write
    case read
    /// The session ends as if its cable were pulled: no logout.
    case drop
    /// A new session under the same identity.
    case login
    /// What the cluster does after a new login: registers, and takes over what the session before left.
    case adopt
    /// Removes keys of this run whose seats did not leave.
    case expel(keys: [DiskKey])
    /// Reads the blocks that the next acts change, so that they can be restored.
    case borrow
    /// Holds the disk as the owner of a witness does: each round a heartbeat is written, then the reservation read. Until it is told to stop,
    /// or for the time given when nobody does.
    case beat(milliseconds: Int, interval: Int)
    /// Watches the owner's heartbeat, and tries to reserve the disk all the time.
    case watch(owner: DiskKey, milliseconds: Int)
    /// Waits until the owner has the reservation, and fences it at once.
    case challenge(owner: DiskKey, milliseconds: Int)
    /// Writes numbered blocks as fast as it can until the disk refuses them.
    case stream(milliseconds: Int)
    /// Waits until such writes are seen, fences the writer, and watches the blocks.
    case fenceAndWatch(victim: DiskKey, milliseconds: Int)
}

/// What came of an act on one disk.
public struct ReservationAnswer: Codable, Hashable, Sendable {
    public enum Result: String, Codable, Hashable, Sendable {
        case done
        /// RESERVATION CONFLICT.
        case conflict
        /// The disk told this seat that it was fenced.
        case preempted
        case failed
    }
    /// How a fence made sure that nothing lands any more.
    public enum Barrier: String, Codable, Hashable, Sendable {
        case preemptAndAbort = "PREEMPT AND ABORT"
        case reset = "PREEMPT and LOGICAL UNIT RESET"
    }
    public var result: Result
    /// What the disk or the session said when it was not done.
    public var words: String
    public var milliseconds: Double
    public var keys: [DiskKey]
    public var holder: DiskKey?
    public var barrier: Barrier?
    /// Of ``ReservationAct/capabilities``: whether registrations can outlast a loss of power.
    public var canPersist: Bool?
    /// Of ``ReservationAct/beat(milliseconds:interval:)``: how long each round took.
    public var rounds: [Double]
    /// Of the same: the longest time between two heartbeats that were written, in milliseconds.
    public var longestPause: Double?
    public var watching: Watching?
    public var writing: Writing?
    public var landing: Landing?

    public struct Watching: Codable, Hashable, Sendable {
        /// How often the heartbeat was seen to have moved.
        public var moves: Int
        /// The longest time without a move, in milliseconds.
        public var longestSilence: Double
        public var refusals: Int
        /// RESERVE was done although somebody else holds the disk.
        public var wins: Int
        /// Somebody else than the owner was read as the holder.
        public var strangers: [DiskKey]
        public init(moves: Int = 0, longestSilence: Double = 0, refusals: Int = 0, wins: Int = 0, strangers: [DiskKey] = []) {
            self.moves = moves
            self.longestSilence = longestSilence
            self.refusals = refusals
            self.wins = wins
            self.strangers = strangers
        }
    }
    public struct Writing: Codable, Hashable, Sendable {
        public var acknowledged: Int
        public init(acknowledged: Int) { self.acknowledged = acknowledged }
    }
    public struct Landing: Codable, Hashable, Sendable {
        /// Whether writes were seen before the fence.
        public var sawWrites: Bool
        /// How often the blocks were read after it.
        public var readings: Int
        /// Milliseconds after the fence's answer, for each reading that differed from the one before.
        public var changes: [Double]
        public init(sawWrites: Bool, readings: Int, changes: [Double]) {
            self.sawWrites = sawWrites
            self.readings = readings
            self.changes = changes
        }
    }

    public init(
        _ result: Result = .done, _ words: String = "", milliseconds: Double = 0, keys: [DiskKey] = [], holder: DiskKey? = nil,
        barrier: Barrier? = nil, canPersist: Bool? = nil, rounds: [Double] = [], longestPause: Double? = nil, watching: Watching? = nil,
        writing: Writing? = nil, landing: Landing? = nil
    ) {
        self.result = result
        self.words = words
        self.milliseconds = milliseconds
        self.keys = keys
        self.holder = holder
        self.barrier = barrier
        self.canPersist = canPersist
        self.rounds = rounds
        self.longestPause = longestPause
        self.watching = watching
        self.writing = writing
        self.landing = landing
    }
}
