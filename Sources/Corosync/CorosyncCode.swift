import CCorosync

/// What a call of Corosync's client libraries returned, when it was not success (`cs_error_t` in corotypes.h).
public struct CorosyncCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    init(_ code: cs_error_t) { rawValue = UInt32(code.rawValue) }

    public static let library = CorosyncCode(CS_ERR_LIBRARY)
    public static let timeout = CorosyncCode(CS_ERR_TIMEOUT)
    public static let tryAgain = CorosyncCode(CS_ERR_TRY_AGAIN)
    public static let invalidParameter = CorosyncCode(CS_ERR_INVALID_PARAM)
    public static let badHandle = CorosyncCode(CS_ERR_BAD_HANDLE)
    public static let access = CorosyncCode(CS_ERR_ACCESS)
    public static let doesNotExist = CorosyncCode(CS_ERR_NOT_EXIST)
    public static let exists = CorosyncCode(CS_ERR_EXIST)
    public static let noResources = CorosyncCode(CS_ERR_NO_RESOURCES)
    public static let notSupported = CorosyncCode(CS_ERR_NOT_SUPPORTED)
    public static let messageError = CorosyncCode(CS_ERR_MESSAGE_ERROR)
    public static let noSections = CorosyncCode(CS_ERR_NO_SECTIONS)

    /// The name in corotypes.h, which is what Corosync's own tools and documentation use.
    public var description: String {
        Self.names[rawValue].map { "CS_ERR_\($0)" } ?? "cs_error_t \(rawValue)"
    }

    private static let names: [UInt32: String] = [
        2: "LIBRARY", 3: "VERSION", 4: "INIT", 5: "TIMEOUT", 6: "TRY_AGAIN", 7: "INVALID_PARAM", 8: "NO_MEMORY", 9: "BAD_HANDLE",
        10: "BUSY", 11: "ACCESS", 12: "NOT_EXIST", 13: "NAME_TOO_LONG", 14: "EXIST", 15: "NO_SPACE", 16: "INTERRUPT",
        17: "NAME_NOT_FOUND", 18: "NO_RESOURCES", 19: "NOT_SUPPORTED", 20: "BAD_OPERATION", 21: "FAILED_OPERATION",
        22: "MESSAGE_ERROR", 23: "QUEUE_FULL", 24: "QUEUE_NOT_AVAILABLE", 25: "BAD_FLAGS", 26: "TOO_BIG", 27: "NO_SECTIONS",
        28: "CONTEXT_NOT_FOUND", 30: "TOO_MANY_GROUPS", 100: "SECURITY",
    ]

    /// What it means here and what can be done.
    var advice: String {
        switch self {
        case .library: "Corosync is not running or was restarted; see its log, then connect again."
        case .access: "This process may not talk to Corosync; run it as root, or allow its user in /etc/corosync/uidgid.d."
        case .tryAgain: "Corosync is busy, usually because the membership is changing; try again."
        case .timeout: "Corosync did not answer; see its log."
        case .invalidParameter: "Corosync refused the value; its log says why."
        case .doesNotExist: "Corosync does not know it."
        case .exists: "It exists already, or under another name on another node."
        case .noResources, CorosyncCode(CS_ERR_NO_MEMORY), CorosyncCode(CS_ERR_NO_SPACE):
            "The system is out of memory, descriptors or space in /dev/shm."
        case .notSupported, CorosyncCode(CS_ERR_VERSION): "This Corosync is too old; Apus needs 3.1."
        default: "Corosync's log may say more."
        }
    }

    /// Whether the connection is of no use any more.
    var endsConnection: Bool { self == .library || self == .badHandle }

    /// Whether connecting may succeed a moment later: nobody listens yet, or the service is still starting.
    var mayConnectLater: Bool { self == .library || self == .tryAgain || self == .doesNotExist || self == .timeout }
}
