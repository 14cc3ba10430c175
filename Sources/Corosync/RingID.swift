/// The number of a node in `nodelist.node.nodeid`.
public struct CorosyncNodeID: RawRepresentable, Hashable, Sendable, Codable, Comparable, CustomStringConvertible,
    ExpressibleByIntegerLiteral
{
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public init(integerLiteral value: UInt32) { rawValue = value }
    public var description: String { "\(rawValue)" }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// What knet can address (KNET_MAX_HOST is 65536), and 0 stands for the quorum device.
    public var isUsable: Bool { (1...65_535).contains(rawValue) }
}

/// One formation of the cluster: every change of membership makes a ring with a higher number.
///
/// Two partitions may use the same sequence number; with the representative it is unique. Losing one of two links can also make a new
/// ring of the same members, so a new ring is no failure by itself.
public struct RingID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The lowest node id of those that formed the ring.
    public var representative: CorosyncNodeID
    public var sequence: UInt64

    public init(representative: CorosyncNodeID, sequence: UInt64) {
        self.representative = representative
        self.sequence = sequence
    }
    /// As Corosync writes it: the sequence number is hexadecimal there.
    public var description: String { "\(representative).\(String(sequence, radix: 16))" }
}
