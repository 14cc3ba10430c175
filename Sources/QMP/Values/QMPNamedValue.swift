/// An enumeration of QEMU's interface. A newer QEMU may send a value that is not known here; it is kept as `other`.
public protocol QMPNamedValue: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Every case but `other`.
    static var known: [Self] { get }
    static func other(_ name: String) -> Self
    /// As QEMU spells it.
    var name: String { get }
}

extension QMPNamedValue {
    public init(name: String) { self = Self.known.first { $0.name == name } ?? .other(name) }
    public init(from decoder: any Decoder) throws {
        self.init(name: try decoder.singleValueContainer().decode(String.self))
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
    public var description: String { name }
}
