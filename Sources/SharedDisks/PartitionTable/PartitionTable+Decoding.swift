import Foundation
import SCSI

/// The header of one copy, checked by itself.
struct PartitionTableHeader: Hashable, Sendable {
    var diskID: UUID
    var otherCopy: UInt64
    var firstUsableBlock: UInt64
    var lastUsableBlock: UInt64
    var entriesBlock: UInt64
    var entryCount: Int
    var entryByteCount: Int
    var entryChecksum: UInt32

    /// More than any tool writes; bounds what a hostile header can make us read.
    private static let mostEntryBytes = 1 << 20

    /// - Parameters:
    ///   - bytes: The block at `block`.
    ///   - blockCount: Of the whole disk.
    /// - Returns: Nil when there is no GPT signature at all.
    /// - Throws: ``MalformedData`` when there is one, but the header cannot be trusted.
    init?(parsing bytes: ArraySlice<UInt8>, at block: UInt64, blockCount: UInt64) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "The GPT header in block \(block)")
        guard bytes.starts(with: "EFI PART".utf8) else { return nil }
        let size = Int(try reader.littleEndian(at: 12, as: UInt32.self))
        guard (92...bytes.count).contains(size) else { throw reader.malformed("it claims \(size) bytes") }
        let stored: UInt32 = try reader.littleEndian(at: 16)
        var covered = [UInt8](try reader.slice(at: 0, count: size))
        covered.replaceSubrange(16..<20, with: [0, 0, 0, 0])
        guard CRC32.checksum(covered) == stored else { throw reader.malformed("its checksum is wrong") }
        guard try reader.littleEndian(at: 24, as: UInt64.self) == block else { throw reader.malformed("it belongs to another block") }
        otherCopy = try reader.littleEndian(at: 32)
        firstUsableBlock = try reader.littleEndian(at: 40)
        lastUsableBlock = try reader.littleEndian(at: 48)
        diskID = UUID(guid: try reader.slice(at: 56, count: 16))
        entriesBlock = try reader.littleEndian(at: 72)
        let count: UInt32 = try reader.littleEndian(at: 80)
        let entrySize: UInt32 = try reader.littleEndian(at: 84)
        entryChecksum = try reader.littleEndian(at: 88)
        guard entrySize >= 128, entrySize % 8 == 0, entrySize <= 4_096, count > 0,
            UInt64(count) * UInt64(entrySize) <= UInt64(Self.mostEntryBytes)
        else { throw reader.malformed("\(count) entries of \(entrySize) bytes") }
        guard firstUsableBlock <= lastUsableBlock, lastUsableBlock < blockCount else {
            throw reader.malformed("usable blocks \(firstUsableBlock) to \(lastUsableBlock) of \(blockCount)")
        }
        entryCount = Int(count)
        entryByteCount = Int(entrySize)
    }

    var entriesByteCount: Int { entryCount * entryByteCount }
}

extension PartitionTable {
    /// Checks the entries against their header and against each other.
    init(
        header: PartitionTableHeader, entries: ArraySlice<UInt8>, blockByteCount: Int, blockCount: UInt64
    ) throws(MalformedData) {
        let reader = ByteReader(entries, subject: "The GPT entries")
        let covered = try reader.slice(at: 0, count: header.entriesByteCount)
        guard CRC32.checksum(covered) == header.entryChecksum else { throw reader.malformed("their checksum is wrong") }
        self.init(diskID: header.diskID, blockByteCount: blockByteCount, blockCount: blockCount)
        for slot in 0..<header.entryCount {
            let at = slot * header.entryByteCount
            let type = try reader.slice(at: at, count: 16)
            guard type.contains(where: { $0 != 0 }) else { continue }
            let first: UInt64 = try reader.littleEndian(at: at + 32)
            let last: UInt64 = try reader.littleEndian(at: at + 40)
            guard first <= last, first >= header.firstUsableBlock, last <= header.lastUsableBlock else {
                throw reader.malformed("entry \(slot) covers blocks \(first) to \(last)")
            }
            var units: [UInt16] = []
            for index in 0..<Self.nameLimit {
                let unit: UInt16 = try reader.littleEndian(at: at + 56 + index * 2)
                guard unit != 0 else { break }
                units.append(unit)
            }
            partitions.append(
                Partition(
                    slot: slot, type: UUID(guid: type), id: UUID(guid: try reader.slice(at: at + 16, count: 16)), firstBlock: first,
                    lastBlock: last, attributes: try reader.littleEndian(at: at + 48), name: String(decoding: units, as: UTF16.self)))
        }
        let ordered = partitions.sorted { $0.firstBlock < $1.firstBlock }
        for (one, next) in zip(ordered, ordered.dropFirst()) where next.firstBlock <= one.lastBlock {
            throw reader.malformed("entries \(one.slot) and \(next.slot) overlap")
        }
    }
}
