import Foundation

/// Where things are on a Cluster Shared Volume.
///
///     block 0, 1, 2...     protective MBR, primary GPT header, 1,024 entries
///     1 MiB                partition "apus-metadata", 16 MiB:
///       + 0, + 4 KiB         two slots of the volume header
///       + 1 MiB              ownership records: 1,024 slots, two copies each, 4 KiB apart
///     17 MiB...            extents, one partition each, on whole MiB
///     last MiB             backup GPT entries and header
///
/// All integers of ours are big endian, every structure ends with a CRC-32. Structures are 512 bytes and stand alone in 4 KiB, so that
/// each is written with one block on any disk and no write touches two.
enum VolumeLayout {
    static let metadataType = UUID(uuid: (0x41, 0x50, 0x55, 0x53, 0x6d, 0x65, 0x4d, 0x64, 0x9b, 0x0f, 0x3a, 0x5e, 0x17, 0xc2, 0x84, 0x01))
    static let extentType = UUID(uuid: (0x41, 0x50, 0x55, 0x53, 0x63, 0x73, 0x4d, 0x76, 0x9b, 0x0f, 0x3a, 0x5e, 0x17, 0xc2, 0x84, 0x02))
    static let metadataName = "apus-metadata"

    static let mebibyte: UInt64 = 1 << 20
    static let metadataOffset = mebibyte
    static let metadataByteCount = 16 * mebibyte
    static let structureByteCount = 512
    static let stride: UInt64 = 4_096
    static let ownershipOffset = metadataOffset + mebibyte
    static let ownershipSlotCount = 1_024
    static let ownershipByteCount = UInt64(ownershipSlotCount) * 2 * stride
    /// Metadata, one extent and both table ends.
    static let smallestDisk = 32 * mebibyte

    static func headerOffset(slot: Int) -> UInt64 { metadataOffset + UInt64(slot) * stride }
    static func ownershipOffset(slot: Int, copy: Int) -> UInt64 { ownershipOffset + UInt64(slot * 2 + copy) * stride }

    /// The table of a new volume.
    static func newTable(blockByteCount: Int, blockCount: UInt64) -> PartitionTable {
        let block = UInt64(blockByteCount)
        let metadata = PartitionTable.Partition(
            slot: 0, type: metadataType, id: UUID(), firstBlock: metadataOffset / block,
            lastBlock: (metadataOffset + metadataByteCount) / block - 1, name: metadataName)
        return PartitionTable(diskID: UUID(), blockByteCount: blockByteCount, blockCount: blockCount, partitions: [metadata])
    }
}

extension PartitionTable {
    /// Whether this is the table of a Cluster Shared Volume: its metadata partition is where it has to be, and every entry is one that
    /// we could have written. Anything else is somebody else's table, whatever types its entries claim.
    var isClusterSharedVolume: Bool {
        let block = UInt64(blockByteCount)
        let metadata = VolumeLayout.metadataOffset / block...(VolumeLayout.metadataOffset + VolumeLayout.metadataByteCount) / block - 1
        return partitions.contains {
            $0.type == VolumeLayout.metadataType && $0.firstBlock == metadata.lowerBound && $0.lastBlock == metadata.upperBound
        }
            && partitions.allSatisfy {
                $0.slot < Self.entryCount && $0.firstBlock >= firstUsableBlock && $0.lastBlock <= lastUsableBlock
            }
    }
}
