/// Where a target is and how to log in to it.
public struct ISCSITarget: Hashable, Sendable {
    /// One-way CHAP (RFC 7143 section 12.1.3): the target checks the initiator.
    public struct Credentials: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        public var user: String
        /// 12 to 255 bytes: RFC 7143 asks for at least 96 random bits.
        public var secret: String
        public init(user: String, secret: String) {
            self.user = user
            self.secret = secret
        }
        // However a target ends up in a log, its secret does not.
        public var description: String { "\(user) (secret withheld)" }
        public var debugDescription: String { description }
        public var customMirror: Mirror { Mirror(self, children: ["user": user]) }
    }

    /// `ADDRESS:PORT`; an IPv6 address stands in brackets.
    public var portal: String
    /// The target's iSCSI qualified name.
    public var name: String
    /// This node's iSCSI qualified name.
    public var initiator: String
    public var credentials: Credentials?

    public init(portal: String, name: String, initiator: String, credentials: Credentials?) {
        self.portal = portal
        self.name = name
        self.initiator = initiator
        self.credentials = credentials
    }

    /// libiscsi cuts longer strings without a word.
    func validate() throws(ISCSIError) {
        for (what, text) in [("portal", portal), ("target name", name), ("initiator name", initiator)] {
            guard (1...223).contains(text.utf8.count), !text.utf8.contains(0) else {
                throw .invalidTarget("the \(what) \"\(text)\" must have 1 to 223 bytes")
            }
        }
        guard let credentials else { return }
        guard (1...255).contains(credentials.user.utf8.count), !credentials.user.utf8.contains(0) else {
            throw .invalidTarget("the CHAP user must have 1 to 255 bytes")
        }
        guard (12...255).contains(credentials.secret.utf8.count), !credentials.secret.utf8.contains(0) else {
            throw .invalidTarget("the CHAP secret must have 12 to 255 bytes (RFC 7143 asks for 96 bits at least)")
        }
    }
}

/// The initiator's part of a session's identity (ISID, RFC 7143 section 4.4.3). With the initiator name it is the initiator port.
///
/// A login with the name and identity of a session that still exists replaces it: the target ends the old one with all its commands
/// (RFC 7143 section 6.3.5). So whoever lost a session and must be sure that nothing of it is left logs in with the same identity.
public struct ISCSISessionIdentity: Hashable, Sendable {
    /// 24 bits.
    var random: UInt32
    var qualifier: UInt16

    /// One that no other session has, as far as 40 random bits can tell.
    public init() {
        random = UInt32.random(in: 0..<1 << 24)
        qualifier = UInt16.random(in: 0...UInt16.max)
    }

    /// Always the same for the same text, so that a restarted process replaces the session of the one before it. The text names the
    /// purpose ("apusd"); two sessions with one identity would throw each other out.
    public init(stableFor purpose: String) {
        // FNV-1a (64 bits) spreads short texts well; nothing here needs to be hard to guess.
        let hash = purpose.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        random = UInt32(truncatingIfNeeded: hash >> 40)
        qualifier = UInt16(truncatingIfNeeded: hash >> 24)
    }
}

/// Why there is no session.
public enum ISCSIError: Error, Hashable, CustomStringConvertible {
    case invalidTarget(String)
    case noResources(String)
    /// No answer before the time was over.
    case noAnswer(ISCSITarget, after: Duration)
    case loginFailed(ISCSITarget, reason: String)
    case cancelled

    public var description: String {
        switch self {
        case .invalidTarget(let problem): "The iSCSI settings are not usable: \(problem)."
        case .noResources(let what): "No iSCSI session: the system has no \(what) left."
        case .noAnswer(let target, let limit):
            "The portal \(target.portal) of \(target.name) did not complete the login within \(limit). "
                + "Check the storage network and that the target runs."
        case .loginFailed(let target, let reason):
            "Login to \(target.name) at \(target.portal) as \(target.initiator) failed: \(reason).\(Self.advice(for: reason))"
        case .cancelled: "The login was cancelled."
        }
    }

    /// libiscsi puts the login status (RFC 7143 section 11.13.5) into its text as a decimal number in parentheses.
    private static func advice(for reason: String) -> String {
        if reason.contains("(513)") { return " Check the CHAP user and secret." }
        if reason.contains("(514)") { return " The target does not let this initiator in: add its name to the target's access list." }
        if reason.contains("(515)") { return " Check the target's name, and that its access list has this initiator's name." }
        return " Check the portal's address and the storage network."
    }
}
