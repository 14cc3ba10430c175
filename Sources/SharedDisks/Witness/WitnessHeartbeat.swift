import ClusterModel
import Foundation
import SCSI

/// One node's sector on the witness: a counter that moves while the node can write, and whether it claims to hold the witness.
public struct WitnessHeartbeat: Hashable, Sendable {
    public var node: NodeID
    /// Drawn at random at every start of the service, so that a counter that begins anew is not taken for one that stands still.
    public var incarnation: UInt64
    /// Rises with every write.
    public var counter: UInt64
    /// The node casts the witness's vote on the strength of its reservation.
    public var claims: Bool
    public var epoch: UInt64
    /// For people; nothing is decided by it.
    public var time: Date

    public init(node: NodeID, incarnation: UInt64, counter: UInt64, claims: Bool, epoch: UInt64, time: Date) {
        self.node = node
        self.incarnation = incarnation
        self.counter = counter
        self.claims = claims
        self.epoch = epoch
        self.time = time
    }

    private static let magic = Array("APUSHBT1".utf8)
    private static let version: UInt32 = 1

    func encoded(cluster: UUID) -> [UInt8] {
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: UInt32(node.rawValue))
        bytes += cluster.bytes
        for number in [incarnation, counter, epoch] { bytes.append(bigEndian: number) }
        // Milliseconds since 1970; a clock that is far off becomes a date that is far off.
        bytes.append(bigEndian: Int64(max(-1e15, min(1e15, time.timeIntervalSince1970 * 1_000))))
        bytes.append(bigEndian: claims ? 1 : 0 as UInt32)
        return bytes.sealed()
    }

    /// Nil when all is zero: the node never wrote.
    init?(parsing bytes: ArraySlice<UInt8>, node: NodeID, cluster: UUID) throws(MalformedData) {
        let reader = ByteReader(bytes.prefix(VolumeLayout.structureByteCount), subject: "The heartbeat of node \(node)")
        guard try reader.slice(at: 0, count: VolumeLayout.structureByteCount).contains(where: { $0 != 0 }) else { return nil }
        try reader.checkStructure(magic: Self.magic, version: Self.version)
        let number: UInt32 = try reader.integer(at: 12)
        guard number == UInt32(node.rawValue) else { throw reader.malformed("it belongs to node \(number)") }
        guard UUID(bytes: try reader.slice(at: 16, count: 16)) == cluster else { throw reader.malformed("it belongs to another cluster") }
        self.node = node
        incarnation = try reader.integer(at: 32)
        counter = try reader.integer(at: 40)
        epoch = try reader.integer(at: 48)
        let milliseconds: Int64 = try reader.integer(at: 56)
        time = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        let flags: UInt32 = try reader.integer(at: 64)
        claims = flags & 1 == 1
    }
}

/// What was found in the sector of one node.
public enum WitnessHeartbeatReading: Hashable, Sendable {
    case never
    case beat(WitnessHeartbeat)
    /// Somebody wrote something else there, or the block went bad. The text says what.
    case unreadable(String)
}
