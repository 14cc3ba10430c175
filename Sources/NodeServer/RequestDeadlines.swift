import Synchronization

/// Ends work that does not come to its end in time, for many requests at once.
///
/// One task looks ten times a second, as long as there is something to look at. A timer for each request would cost more than a small
/// request does: Swift's runtime keeps one until it is due, also when the request was answered long ago.
final class RequestDeadlines: Sendable {
    private struct State {
        var lastID: UInt64 = 0
        var running: [UInt64: (due: ContinuousClock.Instant, cancel: @Sendable () -> Void)] = [:]
        var isWatching = false
    }
    private let state = Mutex(State())
    private static let interval = Duration.milliseconds(100)

    /// Runs work, and cancels it when its time is over, to the tenth of a second.
    ///
    /// - Returns: nil when it failed for want of time.
    func run<Value: Sendable>(
        within limit: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        let task = Task { try await work() }
        let id = begin(.now + limit) { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        let isInTime = end(id)
        do { return try result.get() } catch {
            if isInTime { throw error }
            return nil
        }
    }

    private func begin(_ due: ContinuousClock.Instant, _ cancel: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, mustWatch) = state.withLock { state in
            state.lastID += 1
            state.running[state.lastID] = (due, cancel)
            defer { state.isWatching = true }
            return (state.lastID, !state.isWatching)
        }
        if mustWatch { Task { await self.watch() } }
        return id
    }

    /// - Returns: Whether it was not cancelled before.
    private func end(_ id: UInt64) -> Bool { state.withLock { $0.running.removeValue(forKey: id) != nil } }

    /// Ends by itself when nothing runs any more, which every running request sees to.
    private func watch() async {
        while true {
            // Nobody cancels this task.
            try? await Task.sleep(for: Self.interval)
            let now = ContinuousClock.now
            let (late, isOver) = state.withLock { state in
                let late = state.running.filter { $0.value.due <= now }
                for id in late.keys { state.running[id] = nil }
                if state.running.isEmpty { state.isWatching = false }
                return (late.values.map(\.cancel), state.running.isEmpty)
            }
            for cancel in late { cancel() }
            if isOver { return }
        }
    }
}
