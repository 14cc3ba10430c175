import Foundation

/// A command of QEMU and the type of its reply. The members that it encodes are the arguments.
///
/// Those that Apus uses are in ``QMPCommands``; a further one is a few lines anywhere:
/// ```swift
/// struct QueryUUID: QMPCommand {
///     struct Reply: Decodable, Sendable { var UUID: String }
///     static let name = "query-uuid"
/// }
/// ```
public protocol QMPCommand: Encodable, Sendable {
    associatedtype Reply: Decodable & Sendable = QMPNothing
    /// As QEMU spells it.
    static var name: String { get }
    /// Whether it may overtake a command that QEMU is busy with. QEMU allows it for few; they say so in its reference manual.
    static var isOutOfBand: Bool { get }
}

extension QMPCommand {
    public static var isOutOfBand: Bool { false }
}

/// The empty reply of commands that only act.
public struct QMPNothing: Hashable, Sendable, Decodable {
    public init() {}
}

/// The commands that Apus uses, each also reachable as `.name(…)` where a ``QMPCommand`` is asked for.
public enum QMPCommands {
    /// Ends the negotiation that a connection starts with. ``QMPClient/connect(to:within:logger:)`` does it.
    struct NegotiateCapabilities: QMPCommand {
        static let name = "qmp_capabilities"
        var enable: [String]
    }
}

/// A command as it is sent (qmp-spec.txt, section 2.3).
struct QMPRequest<C: QMPCommand>: Encodable {
    var command: C
    var id: String
    var outOfBand: Bool

    private enum Keys: String, CodingKey {
        case execute
        case executeOutOfBand = "exec-oob"
        case arguments, id
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Keys.self)
        try members.encode(C.name, forKey: outOfBand ? .executeOutOfBand : .execute)
        try members.encode(command, forKey: .arguments)
        try members.encode(id, forKey: .id)
    }
}

extension QMPRequest {
    static func line(_ command: C, id: String, outOfBand: Bool) throws(QMPError) -> Data {
        do {
            var line = try JSONEncoder().encode(QMPRequest(command: command, id: id, outOfBand: outOfBand))
            line.append(UInt8(ascii: "\n"))
            return line
        } catch {
            throw .unencodable("\(error)", command: C.name)
        }
    }
}

/// The value of a successful reply.
struct QMPReturn<Value: Decodable>: Decodable {
    var value: Value
    private enum CodingKeys: String, CodingKey { case value = "return" }
}
