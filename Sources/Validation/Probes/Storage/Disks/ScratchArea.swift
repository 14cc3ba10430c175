import ClusterModel
import Foundation

/// The part of a shared disk that tests of disks write to, and that they restore.
///
/// It lies at the end of the room that a Cluster Shared Volume keeps for its metadata, where no structure of ours is; a disk that carries
/// nothing is written to in the same place. So a test never touches an extent, a header or a partition table.
public struct ScratchArea: Hashable, Sendable, Codable {
    /// From the start of every disk, in bytes.
    public static let byteOffset: UInt64 = 10 << 20
    public static let byteCount = 4 << 20
    /// Smaller disks are not written to: there is no room for a volume on them either.
    public static let smallestDisk: UInt64 = 32 << 20

    public var disk: DiskID
    public var blockByteCount: Int
    public init(disk: DiskID, blockByteCount: Int) {
        self.disk = disk
        self.blockByteCount = blockByteCount
    }

    /// Where tests write, for people. The rest up to the end of the room for metadata belongs to the tests of reservations.
    public static let place = "between 10 MiB and 17 MiB"
}

/// What tests write into a scratch area. Every 512 bytes name the run and the write, so that whoever reads them knows whose they are, which
/// write they are of, and whether two writes are mixed.
public struct ScratchPattern: Hashable, Sendable {
    public static let sectorByteCount = 512
    private static let magic = Array("APUSDISK".utf8)
    private static let headByteCount = 24

    public var run: UUID
    /// Rises with each write of a test.
    public var sequence: UInt64
    public init(run: UUID, sequence: UInt64) {
        self.run = run
        self.sequence = sequence
    }

    /// - Parameter byteCount: A multiple of 512.
    public func bytes(_ byteCount: Int) -> [UInt8] {
        var sector = Self.magic + withUnsafeBytes(of: run.uuid) { Array($0) }
        let number = withUnsafeBytes(of: sequence.bigEndian) { Array($0) }
        while sector.count < Self.sectorByteCount { sector += number }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(0, byteCount))
        while bytes.count + sector.count <= byteCount { bytes += sector }
        return bytes
    }

    /// What a reader found.
    public enum Reading: Hashable, Sendable, Codable {
        /// One write of the run, whole.
        case whole(UInt64)
        /// Parts of several writes, or of one and of something else.
        case mixed
        /// Nothing of this run.
        case other
    }

    /// - Parameter bytes: Of any length; what is beyond the last 512 is ignored.
    public static func read(_ bytes: [UInt8], run: UUID) -> Reading {
        let sectors = stride(from: 0, through: bytes.count - sectorByteCount, by: sectorByteCount).map { start in
            sector(bytes[start..<start + sectorByteCount], run: run)
        }
        guard let first = sectors.first else { return .other }
        if sectors.allSatisfy({ $0 == first }) { return first }
        return .mixed
    }

    private static func sector(_ bytes: ArraySlice<UInt8>, run: UUID) -> Reading {
        guard isOurs(bytes, run: run) else { return .other }
        let body = bytes.dropFirst(headByteCount)
        let number = body.prefix(8)
        for start in stride(from: body.startIndex, to: body.endIndex, by: 8) where !body[start..<start + 8].elementsEqual(number) {
            return .mixed
        }
        return .whole(number.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Whether a block begins with what the run writes.
    public static func isOurs(_ block: ArraySlice<UInt8>, run: UUID) -> Bool {
        block.starts(with: magic + withUnsafeBytes(of: run.uuid) { Array($0) })
    }
}
