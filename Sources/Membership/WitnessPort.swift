import ClusterModel
import ClusterRules

/// The witness as the engine uses it: arbitration runs behind it.
public protocol WitnessPort: Sendable {
    /// Changes of who holds it. Ends when the witness is closed.
    var changes: AsyncStream<WitnessChange> { get }
    /// What arbitration decided last, and for which ring. Nil while it has not decided. Never waits.
    var vote: WitnessDecision? { get }

    /// Must return at once.
    func newRing(_ ring: ArbitrationRing)
    /// Corosync of this node is gone, or hangs.
    func ringGone()
    func newVotes(_ votes: VoteTable)
    func newMode(_ mode: ArbitrationMode)
    func force()
    /// The newest vote table of the copy, whoever holds the witness: a hint for arbitration. Nil when it cannot be read.
    func peek() async -> VoteTable?
    /// The copy of the configuration; nil when there is none yet, or none that may speak for what was acknowledged.
    func read() async throws -> ReplicaImage?
    /// Writes the older slot and returns once that is durable, and this node still held the witness afterwards.
    func write(_ image: ReplicaImage) async throws
    func close() async
}

/// The witness's vote for one ring of Corosync.
public struct WitnessDecision: Hashable, Sendable {
    public var representative: UInt32
    public var sequence: UInt64
    public var isYes: Bool
    /// Not to be cast as yes after this instant.
    public var validUntil: ContinuousClock.Instant
    public init(representative: UInt32, sequence: UInt64, isYes: Bool, validUntil: ContinuousClock.Instant) {
        self.representative = representative
        self.sequence = sequence
        self.isYes = isYes
        self.validUntil = validUntil
    }
}

public enum WitnessChange: Hashable, Sendable {
    /// This node holds it, and nothing that was written before can land any more. Once for each time that it becomes the holder.
    case held(id: UInt64)
    /// This node does not hold it, or not any more.
    case notHeld
    case holder(NodeID?)
    /// Why it cannot be used; nil when it can again.
    case problem(String?)
}
