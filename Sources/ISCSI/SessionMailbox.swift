import CISCSI
import Foundation
import SCSI
import Synchronization

typealias Answer = Result<SCSIReply, SCSITransportError>

/// What callers hand to a session's thread.
struct SessionRequest: Sendable {
    enum Work: Sendable {
        case command(SCSICommand)
        case reset
    }
    var id: UInt64
    var work: Work
    var lun: LogicalUnitNumber
    var limit: Duration
    var deadline: ContinuousClock.Instant
    var continuation: CheckedContinuation<Answer, Never>
}

/// The only way between callers and the thread of a session. Both sides hold it; the thread does not hold the session, so that a
/// session which nobody uses any more can end.
final class SessionMailbox: Sendable {
    struct Delivery: Sendable {
        var requests: [SessionRequest] = []
        var cancelled: [UInt64] = []
        var closing: [CheckedContinuation<Void, Never>] = []
        var mustClose = false
        /// Close without a word to the target.
        var isAbrupt = false
    }
    private struct State {
        var delivery = Delivery()
        var nextID: UInt64 = 0
        /// Taken out by ``finish(_:)``, so a cancellation that overtakes its request is found when the request comes.
        var cancelledEarly: Set<UInt64> = []
        var submitted: Set<UInt64> = []
        var loss: String?
    }

    private let state = Mutex(State())
    let wakeDescriptor: Int32
    let targetName: String

    init(targetName: String) throws(ISCSIError) {
        self.targetName = targetName
        wakeDescriptor = ciscsi_eventfd()
        guard wakeDescriptor >= 0 else { throw .noResources("file descriptors") }
    }
    deinit { Foundation.close(wakeDescriptor) }

    /// Why the session is dead; nil while it lives.
    var loss: String? { state.withLock { $0.loss } }

    func newID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    func submit(_ request: SessionRequest) {
        let refusal: SCSITransportError? = state.withLock { state in
            if let loss = state.loss {
                return SCSITransportError(cause: .transportLost, outcome: .notSent, description: notSent(request, because: loss))
            }
            if state.cancelledEarly.contains(request.id) {
                return SCSITransportError(cause: .cancelled, outcome: .notSent, description: notSent(request, because: "it was cancelled"))
            }
            state.submitted.insert(request.id)
            state.delivery.requests.append(request)
            return nil
        }
        if let refusal { request.continuation.resume(returning: .failure(refusal)) } else { wake() }
    }

    func cancel(_ id: UInt64) {
        let known = state.withLock { state in
            if state.submitted.contains(id) {
                state.delivery.cancelled.append(id)
                return true
            }
            state.cancelledEarly.insert(id)
            return false
        }
        if known { wake() }
    }

    /// The caller of `id` has its answer.
    func finish(_ id: UInt64) {
        state.withLock { state in
            state.submitted.remove(id)
            state.cancelledEarly.remove(id)
        }
    }

    /// Ends the session; `continuation` is resumed when the connection is gone.
    func close(_ continuation: CheckedContinuation<Void, Never>?, isAbrupt: Bool = false) {
        let alreadyDead = state.withLock { state in
            guard state.loss == nil else { return true }
            state.delivery.mustClose = true
            if isAbrupt { state.delivery.isAbrupt = true }
            if let continuation { state.delivery.closing.append(continuation) }
            return false
        }
        if alreadyDead { continuation?.resume() } else { wake() }
    }

    func collect() -> Delivery {
        state.withLock { state in
            defer { state.delivery = Delivery() }
            return state.delivery
        }
    }

    /// From now on nothing is accepted. Returns what came too late.
    func die(because reason: String) -> Delivery {
        state.withLock { state in
            state.loss = state.loss ?? reason
            defer { state.delivery = Delivery() }
            return state.delivery
        }
    }

    func notSent(_ request: SessionRequest, because reason: String) -> String {
        "\(request.name) was not sent to \(request.lun) of \(targetName): \(reason)."
    }

    private func wake() {
        var one: UInt64 = 1
        // It can only fail when the counter is full, and then the thread is awake anyway.
        _ = Foundation.write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }
    func drainWakeups() {
        var count: UInt64 = 0
        _ = Foundation.read(wakeDescriptor, &count, MemoryLayout<UInt64>.size)
    }
}

extension SessionRequest {
    var name: String {
        switch work {
        case .command(let command): command.name
        case .reset: "LOGICAL UNIT RESET"
        }
    }
}
