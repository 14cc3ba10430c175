import Foundation
import SCSI

extension PartitionTable {
    /// The four pieces of a table, for the places where they belong.
    struct Image: Hashable, Sendable {
        /// Block 0.
        var protectiveMBR: [UInt8]
        /// Block 1.
        var primaryHeader: [UInt8]
        /// From block 2 on, and from `backupEntriesBlock` on.
        var entries: [UInt8]
        /// The last block.
        var backupHeader: [UInt8]
    }

    func encoded() -> Image {
        let entries = encodedEntries()
        let checksum = CRC32.checksum(entries)
        let last = blockCount - 1
        return Image(
            protectiveMBR: protectiveMBR(), primaryHeader: header(at: 1, other: last, entriesAt: 2, checksum),
            entries: entries, backupHeader: header(at: last, other: 1, entriesAt: backupEntriesBlock, checksum))
    }

    private func encodedEntries() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.entryCount * Self.entryByteCount)
        for partition in partitions {
            precondition((0..<Self.entryCount).contains(partition.slot), "slot \(partition.slot)")
            var entry = partition.type.guidBytes + partition.id.guidBytes
            entry.append(littleEndian: partition.firstBlock)
            entry.append(littleEndian: partition.lastBlock)
            entry.append(littleEndian: partition.attributes)
            let units = Array(partition.name.utf16)
            precondition(units.count <= Self.nameLimit, "the name \(partition.name) has \(units.count) UTF-16 units")
            for unit in units { entry.append(littleEndian: unit) }
            let start = partition.slot * Self.entryByteCount
            bytes.replaceSubrange(start..<start + entry.count, with: entry)
        }
        return bytes
    }

    /// UEFI table 5-5.
    private func header(at block: UInt64, other: UInt64, entriesAt entries: UInt64, _ entryChecksum: UInt32) -> [UInt8] {
        var bytes = Array("EFI PART".utf8)
        bytes.append(littleEndian: 0x0001_0000 as UInt32)
        bytes.append(littleEndian: 92 as UInt32)
        bytes.append(littleEndian: 0 as UInt32)
        bytes.append(littleEndian: 0 as UInt32)
        for number in [block, other, firstUsableBlock, lastUsableBlock] { bytes.append(littleEndian: number) }
        bytes += diskID.guidBytes
        bytes.append(littleEndian: entries)
        for number in [UInt32(Self.entryCount), UInt32(Self.entryByteCount), entryChecksum] { bytes.append(littleEndian: number) }
        var checksum: [UInt8] = []
        checksum.append(littleEndian: CRC32.checksum(bytes))
        bytes.replaceSubrange(16..<20, with: checksum)
        return bytes + [UInt8](repeating: 0, count: blockByteCount - bytes.count)
    }

    /// One entry of type EEh over the whole disk, so that tools which know only MBR see no free space (UEFI 5.2.3).
    private func protectiveMBR() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: blockByteCount)
        var entry: [UInt8] = [0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]
        entry.append(littleEndian: 1 as UInt32)
        entry.append(littleEndian: UInt32(clamping: blockCount - 1))
        bytes.replaceSubrange(446..<462, with: entry)
        bytes[510] = 0x55
        bytes[511] = 0xaa
        return bytes
    }
}
