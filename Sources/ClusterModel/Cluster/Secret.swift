/// A text that must not reach a log, an error message or a terminal: private keys.
///
/// Printing, interpolating, dumping or mirroring it shows "redacted". Encoding it does not hide it, because the replicated
/// configuration has to keep it; whoever encodes a value with secrets for people leaves them out first.
public struct Secret: Hashable, Sendable, Codable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself. Read it only where it is used.
    public let exposed: String
    public init(_ text: String) { exposed = text }

    public init(from decoder: any Decoder) throws { exposed = try decoder.singleValueContainer().decode(String.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(exposed)
    }
    public var description: String { "redacted" }
    public var debugDescription: String { "redacted" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
