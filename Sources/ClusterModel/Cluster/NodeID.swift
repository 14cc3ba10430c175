/// The number a node bears for as long as it is a member: in Corosync's node list, in reservation keys, in vote tables.
///
/// 1 to 65,535: knet's limit (corosync.conf(5), `nodeid`), and two bytes of a reservation key. Never given twice in the life of a cluster.
public struct NodeID: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible, CodingKeyRepresentable {
    public let rawValue: UInt16

    /// - Returns: Nil for zero, which names no node.
    public init?(rawValue: UInt16) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    public init?<T: CodingKey>(codingKey: T) {
        guard let number = UInt16(codingKey.stringValue) else { return nil }
        self.init(rawValue: number)
    }
    public var codingKey: any CodingKey { Key(stringValue: "\(rawValue)") }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public var description: String { "\(rawValue)" }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension NodeID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = NodeID(rawValue: try container.decode(UInt16.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "0 is no node id; they begin with 1.")
        }
        self = id
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
