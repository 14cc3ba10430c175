import Foundation

/// Where things are on a witness disk.
///
///     block 0, 1, 2...     protective MBR, primary GPT header, 1,024 entries
///     1 MiB                partition "apus-witness":
///       + 0, + 4 KiB         two slots of the witness header
///       + 1 MiB              heartbeats: one sector for each node id from 1 to 1,024, 4 KiB apart
///       + 5 MiB              two configuration slots: 4 KiB of header, then the payload
///     last MiB             backup GPT entries and header
///
/// As on a Cluster Shared Volume, integers are big endian, and each structure has 512 bytes that end with a CRC-32, alone in 4 KiB: it is
/// written with one block and no write touches two.
enum WitnessLayout {
    static let partitionType = UUID(
        uuid: (0x41, 0x50, 0x55, 0x53, 0x77, 0x69, 0x4d, 0x74, 0x9b, 0x0f, 0x3a, 0x5e, 0x17, 0xc2, 0x84, 0x03))
    static let partitionName = "apus-witness"

    static let mebibyte: UInt64 = 1 << 20
    static let stride: UInt64 = 4_096
    static let partitionOffset = mebibyte
    static let heartbeatOffset = partitionOffset + mebibyte
    static let heartbeatCount = 1_024
    static let slotOffset = heartbeatOffset + UInt64(heartbeatCount) * stride
    /// Room for a payload of 8 MiB at least, and not more than is useful.
    static let smallestSlot = 9 * mebibyte
    static let largestSlot = 64 * mebibyte
    static let smallestDisk = slotOffset + 2 * smallestSlot + mebibyte

    static func headerOffset(slot: Int) -> UInt64 { partitionOffset + UInt64(slot) * stride }
    /// Node ids begin with 1.
    static func heartbeatOffset(node: UInt16) -> UInt64 { heartbeatOffset + UInt64(node - 1) * stride }

    /// As large as the disk allows, in whole MiB.
    static func slotByteCount(diskByteCount: UInt64) -> UInt64 {
        let room = (diskByteCount - slotOffset - mebibyte) / 2 / mebibyte * mebibyte
        return min(max(room, smallestSlot), largestSlot)
    }

    static func newTable(blockByteCount: Int, blockCount: UInt64, slotByteCount: UInt64) -> PartitionTable {
        let block = UInt64(blockByteCount)
        let partition = PartitionTable.Partition(
            slot: 0, type: partitionType, id: UUID(), firstBlock: partitionOffset / block,
            lastBlock: (slotOffset + 2 * slotByteCount) / block - 1, name: partitionName)
        return PartitionTable(diskID: UUID(), blockByteCount: blockByteCount, blockCount: blockCount, partitions: [partition])
    }
}

extension PartitionTable {
    /// Whether this is the table of a witness disk: its one partition is where it has to be.
    var isWitness: Bool {
        guard partitions.count == 1, let only = partitions.first, only.type == WitnessLayout.partitionType else { return false }
        let block = UInt64(blockByteCount)
        return only.firstBlock == WitnessLayout.partitionOffset / block
            && only.lastBlock + 1 >= (WitnessLayout.slotOffset + 2 * WitnessLayout.smallestSlot) / block
    }
}
