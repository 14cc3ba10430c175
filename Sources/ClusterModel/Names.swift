/// A name an operator gives to a node or a virtual machine.
///
/// Lower-case letters, digits and hyphens, 1 to 63 characters, starting with a letter or digit: the rules of a DNS
/// label (RFC 1123 section 2.1), because nodes are host names and machine names end up in file and interface names.
public protocol OperatorName: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    var rawValue: String { get }
    init(unchecked rawValue: String)
    /// What is being named, for error messages: "node name", "virtual machine name".
    static var noun: String { get }
}

/// A name that breaks the rules of ``OperatorName``.
public struct InvalidName: Error, Hashable, CustomStringConvertible {
    public var noun: String
    public var text: String
    public init(noun: String, text: String) {
        self.noun = noun
        self.text = text
    }
    public var description: String {
        "\"\(text)\" is no \(noun): use 1 to 63 lower-case letters, digits and hyphens, starting and ending with a letter or digit."
    }
}

extension OperatorName {
    /// - Throws: ``InvalidName`` that says which characters are allowed.
    public init(_ text: String) throws(InvalidName) {
        let allowed = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
        }
        guard allowed, (1...63).contains(text.utf8.count), text.first != "-", text.last != "-" else {
            throw InvalidName(noun: Self.noun, text: text)
        }
        self.init(unchecked: text)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do { try self.init(text) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
    public var description: String { rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The name of a host that is, or may become, a member of the cluster.
public struct NodeName: OperatorName {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
    public static var noun: String { "node name" }
}

/// The name of a virtual machine, unique in the cluster.
public struct VMName: OperatorName {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
    public static var noun: String { "virtual machine name" }
}
