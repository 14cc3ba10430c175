import Foundation
import SCSI

/// The content of a GUID partition table (UEFI 2.10 chapter 5), whichever copy it came from.
public struct PartitionTable: Hashable, Sendable {
    public struct Partition: Hashable, Sendable {
        /// Index in the table's array of entries.
        public var slot: Int
        public var type: UUID
        public var id: UUID
        public var firstBlock: UInt64
        /// Inclusive, as on the disk.
        public var lastBlock: UInt64
        public var attributes: UInt64
        /// At most ``nameLimit`` UTF-16 units.
        public var name: String

        public init(
            slot: Int, type: UUID, id: UUID, firstBlock: UInt64, lastBlock: UInt64, attributes: UInt64 = 0, name: String
        ) {
            self.slot = slot
            self.type = type
            self.id = id
            self.firstBlock = firstBlock
            self.lastBlock = lastBlock
            self.attributes = attributes
            self.name = name
        }
    }

    /// What an entry has room for, in UTF-16 units.
    public static let nameLimit = 36
    /// How many entries our tables have: 128 KiB of them.
    public static let entryCount = 1_024
    static let entryByteCount = 128
    /// At both ends of the disk: MBR, header and entries, and room besides.
    static let reservedByteCount: UInt64 = 1 << 20

    public var diskID: UUID
    public var blockByteCount: Int
    /// Of the whole disk.
    public var blockCount: UInt64
    /// In ascending order of slots.
    public var partitions: [Partition]

    public init(diskID: UUID, blockByteCount: Int, blockCount: UInt64, partitions: [Partition] = []) {
        self.diskID = diskID
        self.blockByteCount = blockByteCount
        self.blockCount = blockCount
        self.partitions = partitions
    }

    var entryBlockCount: UInt64 { UInt64(Self.entryCount * Self.entryByteCount / blockByteCount) }
    /// Everything starts on a whole MiB.
    var firstUsableBlock: UInt64 { Self.reservedByteCount / UInt64(blockByteCount) }
    var lastUsableBlock: UInt64 {
        let blocksPerMiB = UInt64((1 << 20) / blockByteCount)
        return (blockCount / blocksPerMiB - Self.reservedByteCount / (1 << 20)) * blocksPerMiB - 1
    }
    var backupEntriesBlock: UInt64 { blockCount - 1 - entryBlockCount }

    /// The runs of blocks that no partition has, in ascending order.
    func freeRuns() -> [ClosedRange<UInt64>] {
        var runs: [ClosedRange<UInt64>] = []
        var next = firstUsableBlock
        for partition in partitions.sorted(by: { $0.firstBlock < $1.firstBlock }) {
            if partition.firstBlock > next { runs.append(next...partition.firstBlock - 1) }
            next = max(next, partition.lastBlock + 1)
        }
        if next <= lastUsableBlock { runs.append(next...lastUsableBlock) }
        return runs
    }
}

extension UUID {
    /// UEFI writes the first three fields of a GUID little-endian (appendix A), the rest as they stand.
    var guidBytes: [UInt8] {
        let b = uuid
        return [b.3, b.2, b.1, b.0, b.5, b.4, b.7, b.6, b.8, b.9, b.10, b.11, b.12, b.13, b.14, b.15]
    }

    /// Needs sixteen bytes.
    init(guid slice: ArraySlice<UInt8>) {
        let b = [UInt8](slice)
        precondition(b.count == 16, "a GUID of \(b.count) bytes")
        self.init(
            uuid: (b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]))
    }

    var bytes: [UInt8] { Swift.withUnsafeBytes(of: uuid) { [UInt8]($0) } }

    /// Needs sixteen bytes, in the order of the text form.
    init(bytes slice: ArraySlice<UInt8>) {
        let b = [UInt8](slice)
        precondition(b.count == 16, "a UUID of \(b.count) bytes")
        self.init(
            uuid: (b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]))
    }
}
