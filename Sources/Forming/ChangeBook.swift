import ClusterModel
import Foundation

/// The changes of the cluster that this node has in hand, and the last few that ended, for those who follow them.
public actor ChangeBook {
    private var changes: [ClusterChange] = []
    private var followers: [UUID: [UUID: AsyncThrowingStream<ClusterChange, any Error>.Continuation]] = [:]
    private var tasks: [UUID: Task<Void, Never>] = [:]
    private static let most = 32

    public init() {}

    /// One that has not ended; there is at most one at a time.
    public var current: ClusterChange? { changes.first { $0.outcome == nil } }

    /// Begins a change, which goes on in the background whoever follows it.
    ///
    /// - Parameters:
    ///   - work: Told how to report steps; returns the sentence it ends with, or throws the one that says why it failed.
    /// - Returns: nil when another one goes on.
    public func begin(
        _ kind: ClusterChange.Kind, of subject: String, now: Date,
        work: @escaping @Sendable (_ report: @escaping @Sendable (String) async -> Void) async throws -> String
    ) -> ClusterChange? {
        guard current == nil else { return nil }
        let change = ClusterChange(id: UUID(), kind: kind, subject: subject)
        changes.insert(change, at: 0)
        if changes.count > Self.most { changes.removeLast() }
        let id = change.id
        tasks[id] = Task {
            do {
                let message = try await work { text in await self.report(text, in: id) }
                end(id, .done, message)
            } catch {
                end(id, .failed, "\(error)")
            }
        }
        return change
    }

    /// Cancels what goes on and waits for its end: the service stops.
    public func stop() async {
        for task in tasks.values { task.cancel() }
        for task in tasks.values { await task.value }
    }

    /// - Returns: nil when it is not known.
    public func follow(_ id: UUID) -> AsyncThrowingStream<ClusterChange, any Error>? {
        guard let change = changes.first(where: { $0.id == id }) else { return nil }
        let (stream, continuation) = AsyncThrowingStream<ClusterChange, any Error>.makeStream()
        continuation.yield(change)
        guard change.outcome == nil else {
            continuation.finish()
            return stream
        }
        let follower = UUID()
        followers[id, default: [:]][follower] = continuation
        continuation.onTermination = { _ in Task { await self.forget(follower, of: id) } }
        return stream
    }

    private func forget(_ follower: UUID, of id: UUID) { followers[id]?[follower] = nil }

    private func report(_ text: String, in id: UUID) {
        update(id) { $0.steps.append(ClusterChange.Step(at: Date(), text: text)) }
    }

    private func end(_ id: UUID, _ outcome: ClusterChange.Outcome, _ message: String) {
        update(id) { change in
            change.outcome = outcome
            change.message = message
        }
        for follower in (followers.removeValue(forKey: id) ?? [:]).values { follower.finish() }
        tasks[id] = nil
    }

    private func update(_ id: UUID, _ body: (inout ClusterChange) -> Void) {
        guard let index = changes.firstIndex(where: { $0.id == id }) else { return }
        body(&changes[index])
        for follower in (followers[id] ?? [:]).values { follower.yield(changes[index]) }
    }
}
