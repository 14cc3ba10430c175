/// What QEMU says first on a monitor connection (qmp-spec.txt, section 2.2).
public struct QMPGreeting: Hashable, Sendable, Decodable {
    public var version: QEMUVersion
    /// What the monitor can be switched to; "oob" is out-of-band execution.
    public var capabilities: [String]

    public init(version: QEMUVersion, capabilities: [String]) {
        self.version = version
        self.capabilities = capabilities
    }
}

/// Version of a QEMU, as `query-version` and the greeting give it.
public struct QEMUVersion: Hashable, Sendable, Decodable, Comparable, CustomStringConvertible {
    public var major: Int
    public var minor: Int
    public var micro: Int
    /// The distribution's package, for example "Debian 1:7.2+dfsg-7+deb12u18+b3"; empty when built from source.
    public var package: String

    public init(major: Int, minor: Int, micro: Int, package: String) {
        self.major = major
        self.minor = minor
        self.micro = micro
        self.package = package
    }

    private enum Keys: String, CodingKey { case qemu, package }
    private struct Numbers: Decodable { var major, minor, micro: Int }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Keys.self)
        let numbers = try members.decode(Numbers.self, forKey: .qemu)
        self.init(
            major: numbers.major, minor: numbers.minor, micro: numbers.micro,
            package: try members.decode(String.self, forKey: .package))
    }

    public var description: String { "\(major).\(minor).\(micro)" }
    public static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor, left.micro) < (right.major, right.minor, right.micro)
    }
}
