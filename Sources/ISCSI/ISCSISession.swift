import Foundation
import SCSI

/// One iSCSI session: one I_T nexus with a target, for all its logical units.
///
/// libiscsi lets one thread at a time touch a context, so each session has a thread of its own that owns it; callers reach it through
/// a queue and never wait on a thread. When the connection breaks the session is dead for good: it never logs in again by itself,
/// because a new nexus is not registered and whoever owns the reservations must decide about it. ``reopen(within:)`` makes a successor.
///
/// The session asks the target for a sign of life (NOP-Out, RFC 7143 section 11.18) after a second of silence and gives it up when
/// none came for ``silenceLimit``. A slow disk behind a live target does not end the session; only the command's own limit counts.
public final class ISCSISession: SCSITransport {
    public let target: ISCSITarget
    public let identity: ISCSISessionIdentity
    /// How long the target may be mute before the session is given up.
    public let silenceLimit: Duration
    private let mailbox: SessionMailbox

    private init(target: ISCSITarget, identity: ISCSISessionIdentity, silenceLimit: Duration, mailbox: SessionMailbox) {
        self.target = target
        self.identity = identity
        self.silenceLimit = silenceLimit
        self.mailbox = mailbox
    }
    deinit { mailbox.close(nil) }

    /// Logs in.
    ///
    /// - Parameters:
    ///   - identity: See ``ISCSISessionIdentity``.
    ///   - silenceLimit: At least two seconds.
    ///   - limit: For connecting and logging in.
    public static func open(
        _ target: ISCSITarget, identity: ISCSISessionIdentity = ISCSISessionIdentity(), silenceLimit: Duration = .seconds(5),
        within limit: Duration = .seconds(5)
    ) async throws(ISCSIError) -> ISCSISession {
        try target.validate()
        let mailbox = try SessionMailbox(targetName: "\(target.name) at \(target.portal)")
        let silenceLimit = max(silenceLimit, .seconds(2))
        let opened: Result<Void, ISCSIError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let thread = Thread {
                    SessionLoop.run(
                        target, identity: identity, silenceLimit: silenceLimit, loginLimit: limit, mailbox: mailbox, opened: continuation)
                }
                thread.name = "iscsi"
                thread.stackSize = 512 << 10
                thread.start()
            }
        } onCancel: {
            mailbox.close(nil)
        }
        try opened.get()
        return ISCSISession(target: target, identity: identity, silenceLimit: silenceLimit, mailbox: mailbox)
    }

    /// Logs in again under the same identity, which makes the target drop whatever is left of this session.
    public func reopen(within limit: Duration = .seconds(5)) async throws(ISCSIError) -> ISCSISession {
        await close()
        return try await Self.open(target, identity: identity, silenceLimit: silenceLimit, within: limit)
    }

    public var name: String { mailbox.targetName }

    /// Why the session is dead; nil while it lives.
    public var loss: String? { mailbox.loss }

    public func execute(
        _ command: SCSICommand, on lun: LogicalUnitNumber, within limit: Duration
    ) async throws(SCSITransportError) -> SCSIReply {
        try await submit(.command(command), lun: lun, limit: limit).get()
    }

    public func resetLogicalUnit(_ lun: LogicalUnitNumber, within limit: Duration) async throws(SCSITransportError) {
        _ = try await submit(.reset, lun: lun, limit: limit).get()
    }

    /// Logs out. Commands without an answer fail; returns when the connection is gone, after a second at most.
    public func close() async {
        await withCheckedContinuation { mailbox.close($0) }
    }

    /// Ends the connection without a logout, as a broken cable or a dead host does. For trying out what a target makes of it.
    public func drop() async {
        await withCheckedContinuation { mailbox.close($0, isAbrupt: true) }
    }

    private func submit(_ work: SessionRequest.Work, lun: LogicalUnitNumber, limit: Duration) async -> Answer {
        let id = mailbox.newID()
        defer { mailbox.finish(id) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                mailbox.submit(
                    SessionRequest(
                        id: id, work: work, lun: lun, limit: limit, deadline: .now.advanced(by: limit), continuation: continuation))
            }
        } onCancel: {
            mailbox.cancel(id)
        }
    }
}
