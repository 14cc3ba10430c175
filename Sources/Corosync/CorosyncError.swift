/// Why a call to Corosync failed. `call` is the C function, as in its manual pages.
public enum CorosyncError: Error, Hashable, Sendable, CustomStringConvertible {
    case refused(call: String, CorosyncCode)
    /// Corosync answered "try again" until the deadline. Nothing was done.
    case busy(call: String, after: Duration)
    /// Corosync did not answer until the deadline. It may still do what was asked.
    case noAnswer(call: String, after: Duration)
    /// No connection until the deadline; the last reason.
    case notConnected(after: Duration, CorosyncCode)
    case tooLarge(byteCount: Int, limit: Int)
    /// The reader of the events fell so far behind that the connection was given up rather than an event lost.
    case readerTooSlow(waitingEvents: Int)
    /// The vote was meant for a ring that is over.
    case staleRing(RingID)
    /// Corosync runs with its quorum device switched off, because the votes in corosync.conf contradict each other.
    case deviceDisabled(String)
    case invalidName(String)
    case closed(call: String)
    case cancelled(call: String)

    public var description: String {
        switch self {
        case .refused(let call, let code): "\(call) failed with \(code). \(code.advice)"
        case .busy(let call, let limit):
            "\(call) found Corosync busy for \(limit), usually because the membership is changing. Try again; if it lasts, see its log."
        case .noAnswer(let call, let limit):
            "\(call) had no answer for \(limit): Corosync hangs or was stopped. See its process and its log."
        case .notConnected(let limit, let code): "No connection to Corosync within \(limit): \(code). \(code.advice)"
        case .tooLarge(let count, let limit): "A message of \(count) bytes is more than the \(limit) that are sent in one piece; divide it."
        case .readerTooSlow(let count):
            "\(count) events of Corosync were waiting to be read, so the connection was given up. This node is overloaded; connect again."
        case .staleRing(let ring): "The vote for ring \(ring) came too late: the membership has changed. Vote for the new ring."
        case .deviceDisabled(let name):
            "Corosync takes no vote of the quorum device \(name): device votes and expected_votes in corosync.conf do not fit together, "
                + "as its log says. Write a file where the nodes have at least two votes and reload it."
        case .invalidName(let name): "\"\(name)\" cannot be a name for Corosync: use 1 to 127 bytes without a zero."
        case .closed(let call): "\(call) was called on a connection that is closed."
        case .cancelled(let call): "\(call) was cancelled."
        }
    }

    /// Whether the connection is over, so that only a new one helps.
    public var endsConnection: Bool {
        switch self {
        case .refused(_, let code): code.endsConnection
        case .readerTooSlow, .closed, .notConnected: true
        default: false
        }
    }
}
