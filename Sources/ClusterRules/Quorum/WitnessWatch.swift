import ClusterModel

/// When the cluster should say that its witness is lost, and that it is back: what the leader of an open epoch proposes.
///
/// Pure: the time comes in. Until the loss is said the witness keeps its vote, which nobody can cast.
public struct WitnessWatch: Hashable, Sendable {
    /// Long enough for the witness to change hands, and for an array that fails over quickly.
    public static let patience = Duration.seconds(10)
    private var absentSince: Duration?

    public init() {}

    /// - Parameters:
    ///   - isWritten: Whether a member holds the witness and has written it in this epoch.
    ///   - reason: Why it cannot be used, as far as this node knows.
    ///   - now: Never goes back.
    public mutating func due(_ state: ClusterState, isWritten: Bool, reason: String?, now: Duration) -> ClusterCommand? {
        guard state.witness.witness != .none, state.witness.condition != .maintenance, !isWritten,
            // One that is named only now has yet to be taken and written.
            state.votes.witnessID == state.witness.number
        else {
            absentSince = nil
            return state.witness.condition == .lost && isWritten ? .witnessReturned : nil
        }
        let since = absentSince ?? now
        absentSince = since
        guard state.witness.condition == .present, now - since >= Self.patience else { return nil }
        return .witnessLost(reason: reason ?? "No node holds it and could write it for \(Self.patience.components.seconds) s.")
    }

    /// The epoch is over, or another node leads: it begins to count anew.
    public mutating func pause() { absentSince = nil }
}
