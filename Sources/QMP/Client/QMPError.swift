import Glibc

/// Why a monitor connection ended.
public enum QMPDisconnection: Hashable, Sendable, CustomStringConvertible {
    /// ``QMPClient/close()``, or the last reference to the client was dropped.
    case closedByClient
    /// QEMU ended, or was killed.
    case closedByQEMU
    /// The operating system ended it; the text is its message.
    case failed(String)
    /// QEMU, or whoever answers at the socket, sent something that QMP does not allow. Nothing after it could be trusted.
    case protocolViolation(String)

    public var description: String {
        switch self {
        case .closedByClient: "the connection was closed on this side"
        case .closedByQEMU: "QEMU closed the connection"
        case .failed(let text): "the connection failed: \(text)"
        case .protocolViolation(let text): "QEMU broke the protocol: \(text)"
        }
    }
}

/// Why a monitor could not be reached or a command has no reply.
///
/// After ``timeout(command:deadline:)``, ``disconnected(_:command:)`` and ``cancelled(command:)`` the command may still be, or
/// have been, carried out: ask for the state before deciding anything.
public enum QMPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// QEMU's own refusal: its error class ("GenericError", "CommandNotFound", "DeviceNotActive", "DeviceNotFound",
    /// "KVMMissingCap"; qapi/error.json) and its text.
    case refused(class: String, text: String, command: String)
    case timeout(command: String, deadline: Duration)
    case disconnected(QMPDisconnection, command: String)
    /// The reply of one command does not have the documented shape; the connection goes on.
    case protocolViolation(String, command: String)
    /// So many commands are without a reply that no more are sent.
    case tooManyUnanswered(Int, command: String)
    /// The command could not be written as JSON, for instance because a number is not finite.
    case unencodable(String, command: String)
    case cannotConnect(socketPath: String, ConnectFailure)
    /// The task was cancelled.
    case cancelled(command: String)

    public enum ConnectFailure: Hashable, Sendable {
        /// No socket, or nobody listening, until the deadline.
        case noListener(within: Duration, errno: CInt)
        /// Connected, but no greeting until the deadline.
        case noGreeting(within: Duration)
        /// The operating system refused for good, for instance for want of permission.
        case system(errno: CInt)
        /// The connection ended before the greeting.
        case ended(QMPDisconnection)
    }

    /// Whether QEMU said nothing in time: it is stopped or overloaded, or its main loop waits for something.
    public var isSilence: Bool {
        switch self {
        case .timeout, .tooManyUnanswered: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .refused("CommandNotFound", let text, let command):
            "QEMU does not know \(command): \(text). Apus needs QEMU 7.2 or newer."
        case .refused(let kind, let text, let command):
            "QEMU refused \(command): \(text) (\(kind))."
        case .timeout(let command, let deadline):
            "QEMU did not answer \(command) within \(deadline). It may be stopped or overloaded, and may still carry the command out; "
                + "look at the process and query its state before you repeat it."
        case .disconnected(let reason, let command):
            "The monitor connection ended before \(command) was answered: \(reason). Whether it was carried out is unknown; "
                + "see the log of this QEMU."
        case .protocolViolation(let text, let command):
            "The reply of QEMU to \(command) is not what its documentation says: \(text). Check the version of QEMU."
        case .tooManyUnanswered(let count, let command):
            "\(command) was not sent: QEMU owes replies to \(count) commands. It is probably stopped; look at its process."
        case .unencodable(let text, let command):
            "\(command) cannot be written as JSON: \(text)."
        case .cannotConnect(let path, let failure):
            "Cannot connect to the monitor at \(path): \(failure)"
        case .cancelled(let command):
            "\(command) was given up because its task was cancelled; QEMU may still carry it out."
        }
    }
}

extension QMPError.ConnectFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noListener(let deadline, EAGAIN):
            "its queue stayed full for \(deadline). QEMU serves one client at a time: end the other clients of this monitor."
        case .noListener(let deadline, let code):
            "nobody listened within \(deadline) (\(String(cString: strerror(code)))). "
                + "Check that this QEMU runs, and its log for why it did not start."
        case .noGreeting(let deadline):
            "it accepted, but did not greet within \(deadline). QEMU serves one client at a time: another one is probably connected. "
                + "End it, or use the machine's second monitor. If there is none, QEMU hangs."
        case .system(ENAMETOOLONG):
            "the path is empty or longer than the 107 bytes that a Unix socket may have. Use a shorter directory."
        case .system(let code):
            "\(String(cString: strerror(code))). Check the path and its permissions."
        case .ended(let reason):
            "\(reason) before its greeting. Check what listens there, and the log of this QEMU."
        }
    }
}
