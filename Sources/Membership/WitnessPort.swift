import ClusterModel
import ClusterRules

/// The witness as the engine uses it: arbitration runs behind it.
public protocol WitnessPort: Sendable {
    /// Changes of who holds it. Ends when the witness is closed.
    var changes: AsyncStream<WitnessChange> { get }
    /// What arbitration decided last, and for which ring. Nil while it has not decided.
    var vote: (WitnessVote, ArbitrationRing)? { get }
    /// The clock of ``WitnessVote/yes(until:)``.
    var now: Duration { get }

    /// Must return at once.
    func newRing(_ ring: ArbitrationRing)
    func newVotes(_ votes: VoteTable)
    func force()
    /// The copy of the configuration; nil when there is none yet.
    func read() async throws -> ReplicaImage?
    /// Writes the older slot and returns once that is durable, and this node still held the witness afterwards.
    func write(_ image: ReplicaImage) async throws
    func close() async
}

public enum WitnessChange: Hashable, Sendable {
    /// This node holds it, and nothing that was written before can land any more.
    case held(id: UInt64)
    /// This node does not hold it, or not any more.
    case notHeld
    case holder(NodeID?)
    /// Why it cannot be used; nil when it can again.
    case problem(String?)
}
