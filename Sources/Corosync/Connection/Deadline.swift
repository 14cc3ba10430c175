import CCorosync
import Synchronization

/// Runs a call and gives up waiting for it when the time is over.
///
/// The client libraries wait for Corosync without a limit. A call that hangs keeps the queue of its connection; it does not keep the
/// caller. Its late result is dropped.
func withDeadline<Success: Sendable>(
    _ call: String, _ limit: Duration, _ work: @escaping @Sendable (ContinuousClock.Instant) async throws(CorosyncError) -> Success
) async throws(CorosyncError) -> Success {
    let answer = Answer<Success>()
    let deadline = ContinuousClock.now.advanced(by: limit)
    let result: Result<Success, CorosyncError> = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            answer.wait(continuation)
            let worker = Task {
                do throws(CorosyncError) { answer.give(.success(try await work(deadline))) } catch { answer.give(.failure(error)) }
            }
            let timer = Task {
                // A little later than the work's own deadline, so that its better reason is the one that is told.
                do { try await Task.sleep(until: deadline + .milliseconds(100), clock: .continuous) } catch { return }
                answer.give(.failure(.noAnswer(call: call, after: limit)))
            }
            answer.whenGiven {
                worker.cancel()
                timer.cancel()
            }
        }
    } onCancel: {
        answer.give(.failure(.cancelled(call: call)))
    }
    return try result.get()
}

/// A result of which the first one counts.
private final class Answer<Success: Sendable>: Sendable {
    typealias Outcome = Result<Success, CorosyncError>
    private struct State {
        var outcome: Outcome?
        var continuation: CheckedContinuation<Outcome, Never>?
        var cleanUp: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
        let early = state.withLock { state in
            if state.outcome == nil { state.continuation = continuation }
            return state.outcome
        }
        if let early { continuation.resume(returning: early) }
    }

    func give(_ outcome: Outcome) {
        let (continuation, cleanUp) = state.withLock { state in
            guard state.outcome == nil else { return (nil as CheckedContinuation<Outcome, Never>?, nil as (@Sendable () -> Void)?) }
            state.outcome = outcome
            defer { (state.continuation, state.cleanUp) = (nil, nil) }
            return (state.continuation, state.cleanUp)
        }
        continuation?.resume(returning: outcome)
        cleanUp?()
    }

    func whenGiven(_ cleanUp: @escaping @Sendable () -> Void) {
        let isGiven = state.withLock { state in
            if state.outcome == nil { state.cleanUp = cleanUp }
            return state.outcome != nil
        }
        if isGiven { cleanUp() }
    }
}

/// Repeats a call while Corosync says "try again", without keeping the queue between two tries.
///
/// - Parameter retries: Which other codes are worth another try.
func retrying(
    _ call: String, limit: Duration, until deadline: ContinuousClock.Instant, every pause: Duration = .milliseconds(1),
    isolation: isolated (any Actor)? = #isolation,
    _ attempt: () throws(CorosyncError) -> cs_error_t
) async throws(CorosyncError) {
    while true {
        let code = try attempt()
        if code == CS_OK { return }
        guard code == CS_ERR_TRY_AGAIN else { throw .refused(call: call, CorosyncCode(code)) }
        guard ContinuousClock.now < deadline else { throw .busy(call: call, after: limit) }
        do { try await Task.sleep(for: pause) } catch { throw .cancelled(call: call) }
    }
}

/// Repeats the first call of a library until somebody listens.
func connecting(
    _ call: String, limit: Duration, until deadline: ContinuousClock.Instant, isolation: isolated (any Actor)? = #isolation,
    _ attempt: () -> cs_error_t
) async throws(CorosyncError) {
    while true {
        let code = attempt()
        if code == CS_OK { return }
        guard CorosyncCode(code).mayConnectLater else { throw .refused(call: call, CorosyncCode(code)) }
        guard ContinuousClock.now.advanced(by: .milliseconds(50)) < deadline else {
            throw .notConnected(after: limit, CorosyncCode(code))
        }
        do { try await Task.sleep(for: .milliseconds(50)) } catch { throw .cancelled(call: call) }
    }
}

func check(_ call: String, _ code: cs_error_t) throws(CorosyncError) {
    guard code == CS_OK else { throw .refused(call: call, CorosyncCode(code)) }
}
