import Foundation
import SCSI

/// Both copies of a disk's partition table as they were found, and what to make of them.
struct PartitionTableCopies: Sendable {
    enum Copy: Hashable, Sendable {
        case absent
        case damaged(String)
        case valid(PartitionTable)

        var table: PartitionTable? { if case .valid(let table) = self { table } else { nil } }
    }
    var primary: Copy
    var backup: Copy

    /// The table that counts.
    ///
    /// The primary copy is written first, so when both can be read it is at least as new. When it cannot, a write was torn or the block
    /// is bad, and the backup holds the state before or after that write; both are states the disk was meant to have.
    var table: PartitionTable? { primary.table ?? backup.table }

    /// What has to be written again, in words; empty when both copies agree.
    var defects: [String] {
        guard let table else { return [] }
        return [("primary", primary), ("backup", backup)].compactMap { name, copy in
            switch copy {
            case .absent: "the \(name) partition table is missing"
            case .damaged(let reason): "the \(name) partition table is damaged: \(reason)"
            case .valid(let other): other == table ? nil : "the \(name) partition table is out of date"
            }
        }
    }
}

extension SharedDisk {
    /// Reads both copies. `head` holds the first bytes of the disk, `tail` the last; entries outside of them are read.
    func partitionTableCopies(head: [UInt8], tail: [UInt8]) async throws(SharedDiskError) -> PartitionTableCopies {
        let last = capacity.blockCount - 1
        return PartitionTableCopies(
            primary: try await partitionTable(headerBlock: 1, header: head[blockByteCount..<2 * blockByteCount]),
            backup: try await partitionTable(headerBlock: last, header: tail.suffix(blockByteCount)))
    }

    private func partitionTable(
        headerBlock: UInt64, header bytes: ArraySlice<UInt8>
    ) async throws(SharedDiskError) -> PartitionTableCopies.Copy {
        do {
            guard let header = try PartitionTableHeader(parsing: bytes, at: headerBlock, blockCount: capacity.blockCount) else {
                return .absent
            }
            let count = (header.entriesByteCount + blockByteCount - 1) / blockByteCount * blockByteCount
            let block = UInt64(blockByteCount)
            guard header.entriesBlock < capacity.blockCount, UInt64(count) / block <= capacity.blockCount - header.entriesBlock else {
                return .damaged("its entries lie outside of the disk")
            }
            let entries = try await read(byteOffset: header.entriesBlock * block, count: count)
            return .valid(
                try PartitionTable(
                    header: header, entries: entries[...], blockByteCount: blockByteCount, blockCount: capacity.blockCount))
        } catch let error as MalformedData {
            return .damaged(error.problem)
        } catch let error as SharedDiskError {
            throw error
        } catch {
            return .damaged("\(error)")
        }
    }

    /// Writes both copies, the primary first: until its last block is on the medium the backup holds the state before.
    func write(_ table: PartitionTable) async throws(SharedDiskError) {
        let image = table.encoded()
        try await writePrimary(image)
        try await writeBackup(image, table)
    }

    func writePrimary(_ image: PartitionTable.Image) async throws(SharedDiskError) {
        try await write(byteOffset: UInt64(2 * blockByteCount), bytes: image.entries, durable: true)
        try await write(byteOffset: UInt64(blockByteCount), bytes: image.primaryHeader, durable: true)
        try await write(byteOffset: 0, bytes: image.protectiveMBR, durable: true)
    }

    func writeBackup(_ image: PartitionTable.Image, _ table: PartitionTable) async throws(SharedDiskError) {
        try await write(byteOffset: table.backupEntriesBlock * UInt64(blockByteCount), bytes: image.entries, durable: true)
        try await write(byteOffset: (capacity.blockCount - 1) * UInt64(blockByteCount), bytes: image.backupHeader, durable: true)
    }
}
