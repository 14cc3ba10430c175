import ClusterRules

/// What services say to each other through the group: the log's messages, and notes that need no log.
enum GroupMessage: Sendable {
    case log(LogMessage)
    /// The sender's corosync.conf has this version.
    case wrote(version: UInt64)

    /// Of no interest to anybody but its sender.
    case echo(number: UInt64)

    private static let logKind: UInt8 = 1
    private static let wroteKind: UInt8 = 2
    private static let echoKind: UInt8 = 3

    func encoded() -> [UInt8] {
        switch self {
        case .log(let message): [Self.logKind] + LogMessageCodec.encode(message)
        case .wrote(let version): [Self.wroteKind] + Self.bytes(version)
        case .echo(let number): [Self.echoKind] + Self.bytes(number)
        }
    }

    /// - Returns: Nil for a kind that a newer version may know.
    /// - Throws: ``CodingError`` for bytes that are none of it.
    static func decode(_ bytes: [UInt8]) throws(CodingError) -> GroupMessage? {
        switch bytes.first {
        case logKind: .log(try LogMessageCodec.decode(Array(bytes.dropFirst())))
        case wroteKind where bytes.count == 9: .wrote(version: number(bytes.dropFirst()))
        case echoKind where bytes.count == 9: .echo(number: number(bytes.dropFirst()))
        default: nil
        }
    }

    private static func bytes(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) } }
    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
