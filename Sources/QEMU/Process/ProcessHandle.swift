import CProcess
import Dispatch
import Glibc
import Synchronization

/// A process through a pidfd: it stands for this process for ever, whoever gets the number afterwards (pidfd_open(2)).
final class ProcessHandle: Sendable {
    let identity: ProcessIdentity
    private let descriptor: Int32
    /// Safe: sources may be used from any thread (dispatch_source_create(3)); the type is only not marked so.
    nonisolated(unsafe) private let source: any DispatchSourceRead
    private let state = Mutex(State())

    private struct State {
        var hasEnded = false
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    /// - Returns: nil when the process has ended, or its number belongs to another one by now.
    init?(_ identity: ProcessIdentity) {
        let descriptor = cprocess_pidfd_open(identity.processID)
        guard descriptor >= 0 else { return nil }
        // The descriptor is of whoever has the number at this moment; only now can it be compared.
        guard ProcessIdentity.current(identity.processID) == identity else {
            close(descriptor)
            return nil
        }
        self.identity = identity
        self.descriptor = descriptor
        // A pidfd becomes readable when its process ends.
        // The source closes its own copy whenever it is done with it; ours lives as long as we do, so a signal never meets a
        // descriptor that became another one.
        let watched = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard watched >= 0 else {
            close(descriptor)
            return nil
        }
        source = DispatchSource.makeReadSource(fileDescriptor: watched, queue: DispatchQueue(label: "apus.process.exit"))
        source.setCancelHandler { close(watched) }
        source.setEventHandler { [weak self] in self?.ended() }
        source.activate()
    }

    deinit {
        source.cancel()
        close(descriptor)
    }

    var hasEnded: Bool {
        state.withLock { $0.hasEnded } || cprocess_pidfd_wait(descriptor, 0) == 1
    }

    /// Blocks; only for threads of their own.
    func waitBlocking(milliseconds: Int32) -> Bool { cprocess_pidfd_wait(descriptor, milliseconds) == 1 }

    /// Returns when the process has ended or the task is cancelled.
    func waitForEnd() async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // The cancellation handler may have run already; then there will be nobody to resume it later.
                    if state.hasEnded || Task.isCancelled { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    /// SIGKILL; nothing happens when it has ended.
    func kill() { _ = cprocess_pidfd_signal(descriptor, SIGKILL) }

    private func ended() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [:] }
            return state.waiters.values.map { $0 }
        }
        source.cancel()
        for waiter in waiters { waiter.resume() }
    }
}
