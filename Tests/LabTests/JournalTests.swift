import Foundation
import Lab
import Testing

/// What the journal reader must notice. The rings are made here, by the description in `Docs/lab.md`; the guest's own are read in `GuestTests`.
struct JournalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var damage: @Sendable (inout Ring) -> Void
        var isGood = false
        var missing = 0
        var duplicates = 0
        var badChecksums = 0
        var misplaced = 0
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "one boot", damage: { $0.write(40) }, isGood: true),
        Case(
            name: "one boot, round and round",
            damage: { $0.write(500) }, isGood: true),
        Case(
            name: "three boots, each going on where the last ended",
            damage: { ring in
                for boot in 1...3 {
                    ring.boot(UInt8(boot))
                    ring.write(15)
                }
            }, isGood: true),
        Case(name: "nothing", damage: { _ in }),
        Case(
            name: "a flipped bit",
            damage: {
                $0.write(40)
                $0.bytes[20 * 512 + 300] ^= 1
            }, missing: 1, badChecksums: 1),
        Case(
            name: "a record gone",
            damage: {
                $0.write(40)
                $0.zero(slot: 20)
            }, missing: 1),
        Case(
            name: "a record of the round before, where a write was lost",
            damage: {
                $0.write(63)
                let old = $0.slot(20)
                $0.write(40)
                $0.put(old, at: 20)
            }, missing: 1),
        Case(
            name: "a torn record",
            damage: {
                $0.write(40)
                $0.bytes.replaceSubrange(20 * 512 + 256..<21 * 512, with: [UInt8](repeating: 0xff, count: 256))
            }, missing: 1, badChecksums: 1),
        Case(
            name: "a record in a foreign place",
            damage: {
                $0.write(40)
                $0.put($0.slot(20), at: 50)
            }, misplaced: 1),
        Case(
            name: "a late write of the boot before lands on top",
            damage: { ring in
                ring.write(20)
                var late = ring
                late.write(1)
                ring.boot(2)
                ring.write(10)
                ring.put(late.slot(21), at: 21)
            }, duplicates: 2),
        Case(
            name: "two copies of one running machine write in turn",
            damage: { ring in
                ring.write(20)
                var copy = ring
                copy.clock += 1
                copy.write(20)
                ring.write(20)
                for slot in [25, 26, 30] { ring.put(copy.slot(slot), at: slot) }
            }, duplicates: 4),
        Case(
            name: "two boots from the same state",
            damage: { ring in
                ring.write(20)
                var other = ring
                other.boot(2)
                other.write(20)
                ring.boot(3)
                ring.write(10)
                for slot in 31...40 { ring.put(other.slot(slot), at: slot) }
            }, duplicates: 20),
    ]

    @Test("The reader sees", arguments: cases)
    func reader(_ test: Case) async throws {
        var ring = Ring()
        ring.boot(1)
        test.damage(&ring)
        let file = FileManager.default.temporaryDirectory.path + "/apus-journal-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        // Not at the beginning, so that the offset counts.
        try Data([UInt8](repeating: 7, count: 1_024) + ring.bytes).write(to: URL(fileURLWithPath: file))
        let report = try await JournalReport.read(file, offset: 1_024, byteCount: UInt64(ring.bytes.count), tools: try LabTools.find())
        #expect(report.good == test.isGood, "\(report)")
        #expect(report.missing == test.missing, "\(report)")
        #expect(report.duplicates == test.duplicates, "\(report)")
        #expect(report.badChecksums == test.badChecksums, "\(report)")
        #expect(report.misplaced == test.misplaced, "\(report)")
    }

    @Test("Pauses are measured by the guest's clock")
    func pause() async throws {
        var ring = Ring()
        ring.boot(1)
        ring.write(10)
        ring.clock += 123_000_000
        ring.write(10)
        let file = FileManager.default.temporaryDirectory.path + "/apus-journal-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(ring.bytes).write(to: URL(fileURLWithPath: file))
        let report = try await JournalReport.read(file, offset: 0, byteCount: UInt64(ring.bytes.count), tools: try LabTools.find())
        #expect(report.longestPauseMs == 133)
        #expect(report.first == 1 && report.last == 20 && report.records == 20 && report.boots == 1)
    }

    @Test("A file that ends inside the journal is an error that says where")
    func short() async throws {
        let file = FileManager.default.temporaryDirectory.path + "/apus-journal-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data([UInt8](repeating: 0, count: 2_000)).write(to: URL(fileURLWithPath: file))
        let error = await #expect(throws: LabError.self) {
            try await JournalReport.read(file, offset: 512, byteCount: 4_096, tools: try LabTools.find())
        }
        #expect(error?.description.contains("ends at byte 2000") == true)
    }
}

/// A journal of 64 slots, written as the guest's `journal` program does.
struct Ring: Sendable {
    static let slots = 64
    var bytes = [UInt8](repeating: 0, count: slots * 512)
    /// Nanoseconds.
    var clock: UInt64 = 1_000_000_000
    private var sequence: UInt64 = 1
    private var checksum: UInt32 = 0
    private var bootID: UInt8 = 0
    private var bootStart: UInt64 = 1

    mutating func boot(_ id: UInt8) {
        bootID = id
        bootStart = sequence
        clock = 1_000_000_000
    }

    mutating func write(_ count: Int) {
        for _ in 0..<count {
            clock += 10_000_000
            var record = [UInt8](repeating: 0, count: 512)
            record.replaceSubrange(0..<8, with: Array("APUSJRNL".utf8))
            Self.put(UInt32(1), in: &record, at: 8)
            record.replaceSubrange(16..<32, with: [UInt8](repeating: bootID, count: 16))
            Self.put(sequence, in: &record, at: 32)
            Self.put(clock, in: &record, at: 40)
            Self.put(bootStart, in: &record, at: 48)
            Self.put(checksum, in: &record, at: 56)
            checksum = Self.crc32(record)
            Self.put(checksum, in: &record, at: 12)
            put(record, at: Int(sequence % UInt64(Self.slots)))
            sequence += 1
        }
    }

    func slot(_ index: Int) -> [UInt8] { Array(bytes[index * 512..<(index + 1) * 512]) }
    mutating func put(_ record: [UInt8], at slot: Int) { bytes.replaceSubrange(slot * 512..<(slot + 1) * 512, with: record) }
    mutating func zero(slot: Int) { put([UInt8](repeating: 0, count: 512), at: slot) }

    private static func put(_ value: some FixedWidthInteger, in record: inout [UInt8], at offset: Int) {
        withUnsafeBytes(of: value.bigEndian) { record.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    /// Bit by bit, unlike the reader's, so that a mistake in one of them shows.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
        }
    }
}
