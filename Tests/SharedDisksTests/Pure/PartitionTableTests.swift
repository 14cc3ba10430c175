import Foundation
import SCSI
import Testing

@testable import SharedDisks

@Suite("Partition tables")
struct PartitionTableTests {
    @Test("CRC-32 of the text that every CRC is known by")
    func checksum() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
        #expect(CRC32.checksum([]) == 0)
    }

    @Test("A GUID's first fields are little-endian on disk")
    func guid() throws {
        // UEFI 2.10 appendix A: the EFI system partition's type.
        let id = try #require(UUID(uuidString: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"))
        #expect(hexadecimal(id.guidBytes) == "28732ac11ff8d211ba4b00a0c93ec93b")
        #expect(UUID(guid: id.guidBytes[...]) == id)
        #expect(UUID(bytes: id.bytes[...]) == id)
    }

    static func table(blockByteCount: Int, names: [String] = ["vm1/disk0", "größe/διsk"]) -> PartitionTable {
        var table = VolumeLayout.newTable(blockByteCount: blockByteCount, blockCount: UInt64((64 << 20) / blockByteCount))
        for (index, name) in names.enumerated() {
            let unit = UInt64((1 << 20) / blockByteCount)
            let first = UInt64(17 + index) * unit
            table.partitions.append(
                .init(
                    slot: index + 1, type: VolumeLayout.extentType, id: UUID(), firstBlock: first, lastBlock: first + unit - 1, name: name))
        }
        return table
    }

    @Test("What is encoded is decoded, from either copy", arguments: [512, 4_096])
    func roundTrip(blockByteCount: Int) throws {
        let table = Self.table(blockByteCount: blockByteCount)
        let image = table.encoded()
        #expect(image.protectiveMBR.count == blockByteCount && image.entries.count == 128 << 10)
        for (bytes, block) in [(image.primaryHeader, 1), (image.backupHeader, table.blockCount - 1)] as [([UInt8], UInt64)] {
            let header = try #require(try PartitionTableHeader(parsing: bytes[...], at: block, blockCount: table.blockCount))
            let again = try PartitionTable(
                header: header, entries: image.entries[...], blockByteCount: blockByteCount, blockCount: table.blockCount)
            #expect(again == table)
        }
        #expect(table.isClusterSharedVolume)
    }

    @Test("Every damaged bit of a header is noticed", arguments: 0..<92)
    func headerDamage(byte: Int) throws {
        let table = Self.table(blockByteCount: 512)
        var header = table.encoded().primaryHeader
        header[byte] ^= 0x10
        if byte < 8 {
            #expect(try PartitionTableHeader(parsing: header[...], at: 1, blockCount: table.blockCount) == nil)
        } else {
            #expect(throws: MalformedData.self) { try PartitionTableHeader(parsing: header[...], at: 1, blockCount: table.blockCount) }
        }
    }

    enum Hostile: CaseIterable, Sendable {
        case hugeEntries, manyEntries, noEntries, outside, reversedUsable, otherBlock, hugeHeader
    }
    @Test("Headers with a good checksum and impossible numbers", arguments: Hostile.allCases)
    func hostileHeader(kind: Hostile) {
        let table = Self.table(blockByteCount: 512)
        var bytes = Array(table.encoded().primaryHeader.prefix(92))
        func set(_ offset: Int, _ value: [UInt8]) { bytes.replaceSubrange(offset..<offset + value.count, with: value) }
        let ones = [UInt8](repeating: 0xff, count: 8)
        switch kind {
        case .hugeEntries: set(84, Array(ones.prefix(4)))
        case .manyEntries: set(80, Array(ones.prefix(4)))
        case .noEntries: set(80, [0, 0, 0, 0])
        case .outside: set(48, ones)
        case .reversedUsable: set(40, Array(bytes[48..<56]).map { $0 &+ 1 })
        case .otherBlock: set(24, [2])
        case .hugeHeader: set(12, [0, 0, 1, 0])
        }
        set(16, [0, 0, 0, 0])
        var sum: [UInt8] = []
        sum.append(littleEndian: CRC32.checksum(bytes))
        set(16, sum)
        let block = bytes + [UInt8](repeating: 0, count: 512 - bytes.count)
        #expect(throws: MalformedData.self) { try PartitionTableHeader(parsing: block[...], at: 1, blockCount: table.blockCount) }
    }

    @Test(
        "Entries that overlap, run backwards or leave the usable blocks",
        arguments: [(0, 99), (3_000, 2_999), (34_816, 34_816), (0, .max)] as [(UInt64, UInt64)])
    func hostileEntries(first: UInt64, last: UInt64) throws {
        let table = Self.table(blockByteCount: 512)
        var hostile = table
        hostile.partitions.append(.init(slot: 9, type: VolumeLayout.extentType, id: UUID(), firstBlock: first, lastBlock: last, name: "x"))
        let image = hostile.encoded()
        let header = try #require(try PartitionTableHeader(parsing: image.primaryHeader[...], at: 1, blockCount: table.blockCount))
        #expect(throws: MalformedData.self) {
            try PartitionTable(header: header, entries: image.entries[...], blockByteCount: 512, blockCount: table.blockCount)
        }
    }

    @Test("A table with our types that we could not have written is not ours")
    func notOurs() {
        var table = Self.table(blockByteCount: 512)
        #expect(table.isClusterSharedVolume)
        table.partitions.append(
            .init(slot: 1_500, type: VolumeLayout.extentType, id: UUID(), firstBlock: 100_000, lastBlock: 100_001, name: "x"))
        #expect(!table.isClusterSharedVolume)
        table.partitions.removeAll { $0.slot == 1_500 }
        table.partitions[0].firstBlock += 1
        #expect(!table.isClusterSharedVolume)
    }

    /// Which copy counts, as (primary, backup): v valid, d damaged, - absent.
    @Test(
        "One good copy is enough",
        arguments: [("vv", 1, 0), ("vd", 1, 1), ("v-", 1, 1), ("dv", 2, 1), ("-v", 2, 1), ("dd", 0, 0), ("--", 0, 0), ("d-", 0, 0)])
    func copies(state: String, winner: Int, defects: Int) {
        let tables = [Self.table(blockByteCount: 512), Self.table(blockByteCount: 512)]
        let found = zip(state, tables).map { letter, table -> PartitionTableCopies.Copy in
            switch letter {
            case "v": .valid(state == "vv" ? tables[0] : table)
            case "d": .damaged("torn")
            default: .absent
            }
        }
        let copies = PartitionTableCopies(primary: found[0], backup: found[1])
        #expect(copies.table == (winner == 0 ? nil : tables[winner - 1]))
        #expect(copies.defects.count == defects)
    }

    @Test("Of two good copies that differ the primary is the newer")
    func differing() {
        let (new, old) = (Self.table(blockByteCount: 512), Self.table(blockByteCount: 512, names: []))
        let copies = PartitionTableCopies(primary: .valid(new), backup: .valid(old))
        #expect(copies.table == new)
        #expect(copies.defects == ["the backup partition table is out of date"])
    }

    @Test("First fit: gaps, alignment and the largest run")
    func firstFit() {
        var table = Self.table(blockByteCount: 512, names: ["a", "b", "c"])
        table.partitions.removeAll { $0.name == "b" }
        // Free: MiB 18, and 20 to 62; the last MiB is the table's.
        #expect(table.freeByteCount == 44 << 20 && table.largestFreeByteCount == 43 << 20)
        let gap: ClosedRange<UInt64> = 36_864...38_911
        #expect(table.firstFit(byteCount: 1) == gap)
        #expect(table.firstFit(byteCount: 1 << 20 + 1)?.lowerBound == 20 * 2_048)
        #expect(table.firstFit(byteCount: 43 << 20)?.upperBound == 63 * 2_048 - 1)
        #expect(table.firstFit(byteCount: 43 << 20 + 1) == nil)
        #expect(table.firstFit(byteCount: .max) == nil && table.firstFit(byteCount: 0) == nil)
    }
}
