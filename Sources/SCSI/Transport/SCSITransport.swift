/// Carries commands to the logical units of one target: an iSCSI session, or a kernel device.
///
/// One transport is one I_T nexus: reservations and unit attentions belong to it (SAM-5 4.6). It lasts until ``SCSITransportError``
/// says that it is lost; a new one is a new nexus, which whoever owns the reservations must decide to make.
public protocol SCSITransport: Sendable {
    /// For messages: "iqn.2025-01.io.apus:san at 10.0.0.1:3260".
    var name: String { get }

    /// Sends one command and waits for its answer. Any status the device gives is an answer, not an error.
    ///
    /// When the task is cancelled or `limit` passes the call returns at once, but a command that was sent is not taken back:
    /// ``SCSITransportError/outcome`` tells whether the device may have carried it out, or may yet.
    func execute(
        _ command: SCSICommand, on lun: LogicalUnitNumber, within limit: Duration
    ) async throws(SCSITransportError) -> SCSIReply

    /// LOGICAL UNIT RESET (SAM-5 7.4): ends every command of every initiator on this logical unit.
    ///
    /// Returns when the target has answered. The answer is a barrier: no command that reached the target before can change the medium
    /// after it. Commands of this transport that the reset ended fail with ``SCSITransportError/Cause/reset``.
    func resetLogicalUnit(_ lun: LogicalUnitNumber, within limit: Duration) async throws(SCSITransportError)
}

/// No answer to a command.
public struct SCSITransportError: Error, Hashable, CustomStringConvertible {
    public enum Cause: Hashable, Sendable {
        /// The transport is dead for good; every later command fails the same way.
        case transportLost
        case deadline
        case cancelled
        /// A LOGICAL UNIT RESET of this transport ended the command.
        case reset
        /// The target answered, but refused to do it (a task management function) or broke the protocol.
        case refused
    }
    /// What may have become of the command.
    public enum Outcome: Hashable, Sendable {
        /// It never left this node.
        case notSent
        /// It may have been carried out, in whole or in part, or may yet be until a barrier is passed.
        case unknown
    }

    public var cause: Cause
    public var outcome: Outcome
    /// Command, target and reason, in a sentence.
    public var description: String

    public init(cause: Cause, outcome: Outcome, description: String) {
        self.cause = cause
        self.outcome = outcome
        self.description = description
    }
}
