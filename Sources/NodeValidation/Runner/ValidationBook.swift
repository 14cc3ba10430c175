import Foundation
import Validation

/// The validations that this node carries out or has carried out since it started, for those who follow them.
actor ValidationBook {
    private var statuses: [ValidationStatus] = []
    private var runs: [UUID: ValidationRun] = [:]
    private var tasks: [UUID: Task<Void, Never>] = [:]
    private var followers: [UUID: [UUID: AsyncThrowingStream<ValidationStatus, any Error>.Continuation]] = [:]
    private static let most = 16

    /// One that has not ended; there is at most one at a time.
    var current: ValidationStatus? { statuses.first { !$0.isEnded } }

    /// Begins one, which goes on in the background whoever follows it.
    ///
    /// - Parameter work: Told how to report; returns the run. It ends soon after it is cancelled, having cleaned up.
    /// - Returns: nil when another one goes on.
    func begin(
        _ first: ValidationStatus,
        work: @escaping @Sendable (_ report: @escaping @Sendable (ValidationStatus) async -> Void) async -> ValidationRun?
    ) -> ValidationStatus? {
        guard current == nil else { return nil }
        statuses.insert(first, at: 0)
        if statuses.count > Self.most { runs[statuses.removeLast().id] = nil }
        let id = first.id
        tasks[id] = Task {
            let run = await work { status in await self.update(status) }
            end(id, run)
        }
        return first
    }

    func status(_ id: UUID) -> ValidationStatus? { statuses.first { $0.id == id } }
    func run(_ id: UUID) -> ValidationRun? { runs[id] }

    /// - Returns: nil when it is not known.
    func cancel(_ id: UUID) -> ValidationStatus? {
        tasks[id]?.cancel()
        return status(id)
    }

    /// Cancels what goes on and waits for its end: the service stops.
    func stop() async {
        for task in tasks.values { task.cancel() }
        for task in tasks.values { await task.value }
    }

    /// - Returns: nil when it is not known.
    func follow(_ id: UUID) -> AsyncThrowingStream<ValidationStatus, any Error>? {
        guard let status = status(id) else { return nil }
        // A follower that does not read loses old news, never the newest.
        let (stream, continuation) = AsyncThrowingStream<ValidationStatus, any Error>.makeStream(bufferingPolicy: .bufferingNewest(8))
        continuation.yield(status)
        guard !status.isEnded else {
            continuation.finish()
            return stream
        }
        let follower = UUID()
        followers[id, default: [:]][follower] = continuation
        continuation.onTermination = { _ in Task { await self.forget(follower, of: id) } }
        return stream
    }

    private func forget(_ follower: UUID, of id: UUID) { followers[id]?[follower] = nil }

    private func update(_ status: ValidationStatus) {
        guard let index = statuses.firstIndex(where: { $0.id == status.id }) else { return }
        statuses[index] = status
        // Its end is told only once the report can be asked for.
        guard !status.isEnded else { return }
        for follower in (followers[status.id] ?? [:]).values { follower.yield(status) }
    }

    private func end(_ id: UUID, _ run: ValidationRun?) {
        runs[id] = run
        tasks[id] = nil
        guard let index = statuses.firstIndex(where: { $0.id == id }) else { return }
        statuses[index].phase = .ended
        for follower in (followers.removeValue(forKey: id) ?? [:]).values {
            follower.yield(statuses[index])
            follower.finish()
        }
    }
}
