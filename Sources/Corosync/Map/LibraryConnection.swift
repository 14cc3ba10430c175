import CCorosync
import Executors

/// A connection without events, made when it is needed and again after Corosync was restarted: it holds no state that could be lost.
actor LibraryConnection<Handle: Sendable> {
    // A handle of libqb belongs to one thread at a time: two threads on one handle get each other's replies.
    private nonisolated let executor: QueueExecutor
    private let call: String
    private let initialize: @Sendable (inout Handle) -> cs_error_t
    private let finalize: @Sendable (Handle) -> Void
    private let none: Handle
    private var handle: Handle?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        label: String, call: String, none: Handle, initialize: @escaping @Sendable (inout Handle) -> cs_error_t,
        finalize: @escaping @Sendable (Handle) -> Void
    ) {
        executor = QueueExecutor(label: label)
        self.call = call
        self.none = none
        self.initialize = initialize
        self.finalize = finalize
    }

    // No call is in progress when the last reference goes.
    deinit { if let handle { finalize(handle) } }

    /// Runs `body` with the handle; connects first if need be, until the deadline.
    nonisolated func perform<Success: Sendable>(
        _ call: String, within limit: Duration, _ body: @escaping @Sendable (Handle) throws(CorosyncError) -> Success
    ) async throws(CorosyncError) -> Success {
        try await withDeadline(call, limit) { deadline throws(CorosyncError) in
            try await self.attempt(call, limit: limit, until: deadline, body)
        }
    }

    private func attempt<Success: Sendable>(
        _ call: String, limit: Duration, until deadline: ContinuousClock.Instant, _ body: (Handle) throws(CorosyncError) -> Success
    ) async throws(CorosyncError) -> Success {
        // A handle that was kept may be of a Corosync that is gone: that is found out by using it, once.
        var mayBeStale = handle != nil
        while true {
            let open = try await opened(limit: limit, until: deadline)
            do throws(CorosyncError) {
                return try body(open)
            } catch {
                guard error.endsConnection else {
                    guard case .refused(_, .tryAgain) = error else { throw error }
                    guard ContinuousClock.now < deadline else { throw .busy(call: call, after: limit) }
                    do { try await Task.sleep(for: .milliseconds(5)) } catch { throw .cancelled(call: call) }
                    continue
                }
                finalize(open)
                handle = nil
                guard mayBeStale else { throw error }
                mayBeStale = false
            }
        }
    }

    private func opened(limit: Duration, until deadline: ContinuousClock.Instant) async throws(CorosyncError) -> Handle {
        if let handle { return handle }
        var fresh = none
        try await connecting(call, limit: limit, until: deadline) { initialize(&fresh) }
        // Another call may have connected while this one slept.
        if let handle {
            finalize(fresh)
            return handle
        }
        handle = fresh
        return fresh
    }
}
