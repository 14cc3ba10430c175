import CISCSI
import Foundation
import SCSI

/// Owns a libiscsi context, on the thread that calls ``run(_:identity:silenceLimit:loginLimit:mailbox:opened:)`` and on no other.
final class SessionLoop {
    let mailbox: SessionMailbox
    private let context: OpaquePointer
    /// nil until the login has succeeded.
    private var wire: SessionWire?
    private let target: ISCSITarget
    private let silenceLimit: Duration
    /// With libiscsi, or answered by a limit and still with libiscsi.
    private var sent: [UInt64: PendingRequest] = [:]
    /// Not sent, because a reset of their logical unit is under way.
    private var held: [PendingRequest] = []
    /// At most one for each logical unit; later ones wait among ``held``.
    private var resets: [LogicalUnitNumber: PendingRequest] = [:]
    private var lastHeard = ContinuousClock.now
    private var pingSent: ContinuousClock.Instant?
    private let login = Answered()
    private let logout = Answered()
    private var sentCount: UInt64 = 0
    /// Why the session ends, once that is certain.
    private(set) var loss: String?

    private init(context: OpaquePointer, target: ISCSITarget, silenceLimit: Duration, mailbox: SessionMailbox) {
        self.context = context
        self.target = target
        self.silenceLimit = silenceLimit
        self.mailbox = mailbox
    }

    static func run(
        _ target: ISCSITarget, identity: ISCSISessionIdentity, silenceLimit: Duration, loginLimit: Duration, mailbox: SessionMailbox,
        opened: CheckedContinuation<Result<Void, ISCSIError>, Never>
    ) {
        guard let context = iscsi_create_context(target.initiator) else {
            _ = mailbox.die(because: "there was no memory")
            return opened.resume(returning: .failure(.noResources("memory")))
        }
        let loop = SessionLoop(context: context, target: target, silenceLimit: silenceLimit, mailbox: mailbox)
        loop.configure(identity)
        if let failure = loop.logIn(within: loginLimit) {
            loop.end(because: failure.description, closing: [])
            return opened.resume(returning: .failure(failure))
        }
        opened.resume(returning: .success(()))
        loop.serve()
    }

    private func configure(_ identity: ISCSISessionIdentity) {
        iscsi_set_targetname(context, target.name)
        iscsi_set_session_type(context, ISCSI_SESSION_NORMAL)
        iscsi_set_header_digest(context, ISCSI_HEADER_DIGEST_NONE)
        iscsi_set_isid_random(context, identity.random, UInt32(identity.qualifier))
        if let credentials = target.credentials {
            iscsi_set_initiator_username_pwd(context, credentials.user, credentials.secret)
        }
        // A lost session must be seen: its successor is another nexus and must not replay what this one left.
        iscsi_set_noautoreconnect(context, 1)
        // libiscsi would take a late PDU out of its lists even when half of it is on the wire. Limits are kept here instead.
        iscsi_set_timeout(context, 0)
    }

    // MARK: Login

    /// Where libiscsi's answer to a login or logout is put. The loop holds it until the context is gone.
    private final class Answered {
        var status: Int32?
        /// libiscsi's text at that moment; what it does afterwards may replace it.
        var text = ""
    }

    private func logIn(within limit: Duration) -> ISCSIError? {
        let deadline = ContinuousClock.now.advanced(by: limit)
        let result = iscsi_full_connect_async(
            context, target.portal, -1,
            { context, status, _, login in
                guard let login else { return }
                let answered = Unmanaged<Answered>.fromOpaque(login).takeUnretainedValue()
                answered.status = status
                answered.text = SessionLoop.errorText(of: context)
            }, Unmanaged.passUnretained(login).toOpaque())
        guard result == 0 else { return .loginFailed(target, reason: lastError) }
        while login.status == nil {
            guard ContinuousClock.now < deadline else { return .noAnswer(target, after: limit) }
            turn(until: deadline)
            if mailbox.collect().mustClose { return .cancelled }
            if let loss, login.status == nil { return .loginFailed(target, reason: loss) }
        }
        guard login.status == 0 else { return .loginFailed(target, reason: login.text) }
        // Were this process killed, or the session given up, the kernel would go on sending what is queued, long after another
        // node took the disk over. With this, closing drops it.
        guard ciscsi_discard_on_close(iscsi_get_fd(context)) == 0 else {
            return .loginFailed(target, reason: "the socket does not take SO_LINGER")
        }
        wire = SessionWire(context: context)
        return wire == nil ? .noResources("file descriptors") : nil
    }

    // MARK: Service

    private func serve() {
        lastHeard = .now
        while loss == nil {
            turn(until: nextDeadline())
            let delivery = mailbox.collect()
            if delivery.mustClose {
                if !delivery.isAbrupt { logOut() }
                return end(because: "the session was closed", closing: delivery.closing, late: delivery.requests)
            }
            for request in delivery.requests { take(PendingRequest(request, loop: self)) }
            for id in delivery.cancelled { cancel(id) }
            expire()
            ping()
            sendDrainedResets()
        }
        end(because: loss ?? "it ended", closing: [])
    }

    /// One poll, and what libiscsi makes of it.
    private func turn(until deadline: ContinuousClock.Instant) {
        // libiscsi has no timers of its own; neither limit nor sign of life waits longer than this tick.
        let wait = min(max(deadline - .now, .zero), .milliseconds(500))
        let milliseconds = Int32(wait.components.attoseconds / 1_000_000_000_000_000) + 1
        let bare = pollfd(
            fd: iscsi_get_fd(context), events: Int16(truncatingIfNeeded: iscsi_which_events(context)) | ciscsi_peer_closed, revents: 0)
        var descriptors = [wire?.interest ?? bare, pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
        guard poll(&descriptors, 2, milliseconds) >= 0 || errno == EINTR else {
            loss = "poll failed: \(String(cString: strerror(errno)))"
            return
        }
        if descriptors[1].revents != 0 { mailbox.drainWakeups() }
        if let wire {
            if let end = wire.exchange() { loss = loss ?? end }
            return
        }
        let happened = descriptors[0].revents
        if iscsi_service(context, Int32(happened & ~ciscsi_peer_closed)) < 0 { loss = loss ?? lastError }
        // What had come before the end was read just now.
        if happened & (ciscsi_peer_closed | Int16(POLLHUP) | Int16(POLLERR)) != 0 {
            loss = loss ?? (happened & Int16(POLLERR) != 0 ? lastError : "the target closed the connection")
        }
    }

    private func take(_ pending: PendingRequest) {
        guard resets[pending.request.lun] == nil else {
            held.append(pending)
            return
        }
        switch pending.request.work {
        case .reset:
            // Sent when everything queued before it is on the wire: libiscsi puts task management in front of its queue, and a write
            // that the reset overtakes would land after the barrier.
            resets[pending.request.lun] = pending
        case .command(let command):
            sentCount += 1
            pending.order = sentCount
            guard loss == nil, pending.send(command, context: context) else {
                return pending.fail(.transportLost, loss ?? lastError)
            }
            sent[pending.request.id] = pending
        }
    }

    private func sendDrainedResets() {
        guard loss == nil, !resets.isEmpty, iscsi_out_queue_length(context) == 0, iscsi_which_events(context) & Int32(POLLOUT) == 0
        else { return }
        for reset in resets.values where !reset.isSent {
            sentCount += 1
            reset.order = sentCount
            guard reset.sendReset(context: context) else {
                reset.fail(.transportLost, lastError)
                finished(reset)
                continue
            }
            sent[reset.request.id] = reset
        }
    }

    /// libiscsi will not call back for this request any more.
    func finished(_ pending: PendingRequest) {
        sent[pending.request.id] = nil
        releaseReset(pending)
    }

    private func releaseReset(_ pending: PendingRequest) {
        guard resets[pending.request.lun] === pending else { return }
        resets[pending.request.lun] = nil
        let waiting = held
        held = []
        for next in waiting { take(next) }
    }

    /// The target has ended every command that it had for this logical unit; it answers none of them (SAM-5 5.3.3).
    func resetCompleted(_ reset: PendingRequest) {
        for other in sent.values where other.order < reset.order && other.request.lun == reset.request.lun {
            other.fail(.reset, "a reset of the logical unit ended it")
        }
    }

    private func cancel(_ id: UInt64) { giveUp(.cancelled, "the request was cancelled") { $0.request.id == id } }

    private func expire() {
        let now = ContinuousClock.now
        for pending in allOpen where pending.request.deadline <= now {
            giveUp(.deadline, "there was no answer within \(pending.request.limit)") { $0 === pending }
        }
    }

    /// Lets the caller go. What is with libiscsi stays there, with its buffer.
    private func giveUp(_ cause: SCSITransportError.Cause, _ reason: String, _ isMeant: (PendingRequest) -> Bool) {
        for pending in allOpen where isMeant(pending) {
            pending.fail(cause, reason)
            held.removeAll { $0 === pending }
            releaseReset(pending)
        }
    }

    private var allOpen: [PendingRequest] { (sent.values + held + resets.values.filter { !$0.isSent }).filter(\.isOpen) }

    private func nextDeadline() -> ContinuousClock.Instant {
        allOpen.reduce(ContinuousClock.now.advanced(by: .milliseconds(500))) { min($0, $1.request.deadline) }
    }

    // MARK: Signs of life

    func heard() {
        lastHeard = .now
        pingSent = nil
    }

    /// libiscsi ended a request by itself. It does so when the connection broke and it was told not to log in again.
    func noticed(status: Int32) {
        if status == SCSI_STATUS_CANCELLED.rawValue { loss = loss ?? lastError }
    }

    private func ping() {
        let now = ContinuousClock.now
        if let pingSent {
            guard now - pingSent >= silenceLimit - .seconds(1) else { return }
            loss = loss ?? "the target has been silent for \(silenceLimit)"
        } else if now - lastHeard >= .seconds(1) {
            let result = iscsi_nop_out_async(
                context,
                { _, status, _, me in
                    guard let me, status == SCSI_STATUS_GOOD.rawValue else { return }
                    Unmanaged<SessionLoop>.fromOpaque(me).takeUnretainedValue().heard()
                }, nil, 0, Unmanaged.passUnretained(self).toOpaque())
            if result == 0 { pingSent = now } else { loss = loss ?? lastError }
        }
    }

    var lastError: String { Self.errorText(of: context) }

    static func errorText(of context: OpaquePointer?) -> String {
        guard let context, let text = iscsi_get_error(context) else { return "the connection broke" }
        let trimmed = String(cString: text).trimmingCharacters(in: .whitespacesAndNewlines.union(CharacterSet(charactersIn: ".")))
        return trimmed.isEmpty ? "the connection broke" : trimmed
    }

    // MARK: End

    private func logOut() {
        let deadline = ContinuousClock.now.advanced(by: .seconds(1))
        let result = iscsi_logout_async(
            context,
            { _, status, _, logout in
                guard let logout else { return }
                Unmanaged<Answered>.fromOpaque(logout).takeUnretainedValue().status = status
            }, Unmanaged.passUnretained(logout).toOpaque())
        while result == 0, loss == nil, logout.status == nil, ContinuousClock.now < deadline {
            turn(until: deadline)
        }
    }

    /// Nothing is accepted any more, the connection goes, and everybody who waits is told.
    private func end(because reason: String, closing: [CheckedContinuation<Void, Never>], late: [SessionRequest] = []) {
        loss = loss ?? reason
        let rest = mailbox.die(because: reason)
        for request in late + rest.requests { PendingRequest(request, loop: self).fail(.transportLost, reason) }
        for pending in held + resets.values where !pending.isSent { pending.fail(.transportLost, reason) }
        // Calls back for what is in flight; the objects stay until it is done.
        let inFlight = sent
        iscsi_destroy_context(context)
        wire?.close()
        for pending in inFlight.values { pending.fail(.transportLost, reason) }
        sent = [:]
        held = []
        resets = [:]
        for continuation in closing + rest.closing { continuation.resume() }
    }
}
