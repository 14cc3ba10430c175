import ClusterModel
import Foundation

/// The key under which a node of a cluster registers on the cluster's disks.
///
/// Eight bytes, big endian: 2 magic ("AP"), 2 a hash of the cluster's UUID, 2 the node's id, 2 the epoch of its registration. Whoever reads
/// a key knows whose it is without asking anybody.
public struct NodeReservationKey: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64
    private static let magic: UInt64 = 0x4150

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(cluster: UUID, node: NodeID, epoch: UInt16) {
        rawValue = Self.magic << 48 | UInt64(Self.hash(cluster)) << 32 | UInt64(node.rawValue) << 16 | UInt64(epoch)
    }

    public func belongs(to cluster: UUID) -> Bool {
        rawValue >> 48 == Self.magic && UInt16(truncatingIfNeeded: rawValue >> 32) == Self.hash(cluster) && node != nil
    }
    /// Nil in keys that are not ours.
    public var node: NodeID? { NodeID(rawValue: UInt16(truncatingIfNeeded: rawValue >> 16)) }
    public var epoch: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
    public var description: String { "0x" + String(rawValue, radix: 16) }

    /// FNV-1a, folded: two clusters on one array should have different keys, nothing more.
    private static func hash(_ cluster: UUID) -> UInt16 {
        let hash = withUnsafeBytes(of: cluster.uuid) { bytes in
            bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        }
        return UInt16(truncatingIfNeeded: hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48)
    }
}
