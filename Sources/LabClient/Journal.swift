/// One record of a guest's disk journal, 512 bytes, integers big endian. `Lab/guest/journal.h` fixes the form.
struct JournalRecord {
    static let byteCount = 512

    var boot: String
    var sequence: UInt64
    /// The guest's monotonic clock in nanoseconds; begins anew with each boot.
    var time: UInt64
    var bootStart: UInt64
    var checksum: UInt32
    /// The checksum of the record with the sequence before.
    var checksumBefore: UInt32

    enum Slot {
        case empty, broken
        case record(JournalRecord)
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) -> Slot {
        func integer<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        guard bytes.count == byteCount else { return .broken }
        if bytes.allSatisfy({ $0 == 0 }) { return .empty }
        let checksum = integer(12, as: UInt32.self)
        guard bytes.prefix(8).elementsEqual("APUSJRNL".utf8), integer(8, as: UInt32.self) == 1,
            CRC32.of(bytes, zeroing: 12..<16) == checksum
        else { return .broken }
        let boot = bytes[16..<32].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return .record(
            JournalRecord(
                boot: boot, sequence: integer(32, as: UInt64.self), time: integer(40, as: UInt64.self),
                bootStart: integer(48, as: UInt64.self), checksum: checksum, checksumBefore: integer(56, as: UInt32.self)))
    }
}

/// CRC-32 as Ethernet, gzip and GPT use it (IEEE 802.3 clause 3.2.9).
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }

    static func of(_ bytes: UnsafeRawBufferPointer, zeroing hole: Range<Int>) -> UInt32 {
        var crc: UInt32 = .max
        for (index, byte) in bytes.enumerated() {
            crc = crc >> 8 ^ table[Int((crc ^ UInt32(hole.contains(index) ? 0 : byte)) & 0xff)]
        }
        return ~crc
    }
}

/// What a journal proves.
struct JournalReport: Encodable {
    var records = 0
    var first: UInt64 = 0
    var last: UInt64 = 0
    var boots = 0
    /// Sequences between first and last that are not there.
    var missing = 0
    /// Sequences that were written by two writers: a later boot began at or before them, or the next record was made after
    /// another record with this sequence.
    var duplicates = 0
    /// Slots that hold something else than a record: torn or foreign.
    var badChecksums = 0
    /// Records that do not belong where they lie.
    var misplaced = 0
    /// Within a boot, by the guest's clock.
    var longestPauseMs: Double = 0
    var problems: [String] = []
    var isGood: Bool { missing == 0 && duplicates == 0 && badChecksums == 0 && misplaced == 0 && records > 0 }

    /// Reads the ring.
    ///
    /// The writer puts sequence s into slot s mod N and waits for the disk each time. So, with one writer at a time, the slots hold
    /// the last N sequences without a hole, and each record carries the checksum of the one before.
    init(ring: UnsafeRawBufferPointer) {
        let slots = ring.count / JournalRecord.byteCount
        var found: [JournalRecord] = []
        for slot in 0..<slots {
            let start = slot * JournalRecord.byteCount
            switch JournalRecord.parse(UnsafeRawBufferPointer(rebasing: ring[start..<start + JournalRecord.byteCount])) {
            case .empty: continue
            case .broken:
                badChecksums += 1
                note("slot \(slot) holds no valid record")
            case .record(let record) where record.sequence == 0 || record.sequence % UInt64(slots) != UInt64(slot):
                misplaced += 1
                note("slot \(slot) holds sequence \(record.sequence)")
            case .record(let record): found.append(record)
            }
        }
        found.sort { $0.sequence < $1.sequence }
        records = found.count
        guard let last = found.last else {
            note("no record")
            return
        }
        // A hole shows as a record of the round before, so what counts as first follows from the last.
        self.last = last.sequence
        first = last.sequence >= UInt64(slots) ? last.sequence - UInt64(slots) + 1 : 1
        let current = found.filter { $0.sequence >= first }
        missing = Int(last.sequence - first + 1) - current.count
        check(current)
        if missing > 0 { note("\(missing) sequences are missing between \(first) and \(last.sequence)") }
    }

    private mutating func check(_ records: [JournalRecord]) {
        var starts: [String: UInt64] = [:]
        for record in records { starts[record.boot] = record.bootStart }
        boots = starts.count
        let sortedStarts = starts.values.sorted()
        var previous: JournalRecord?
        for record in records {
            // A boot that began at or before this sequence, and after this record's boot began, claims it as well.
            let isClaimedAgain = sortedStarts.contains { $0 > record.bootStart && $0 <= record.sequence }
            let claimsTheSame = starts.contains { $0.key != record.boot && $0.value == record.bootStart }
            var isDouble = isClaimedAgain || claimsTheSame || record.bootStart > record.sequence
            if let previous, previous.sequence + 1 == record.sequence {
                isDouble = isDouble || record.checksumBefore != previous.checksum
                if previous.boot == record.boot, record.time >= previous.time {
                    longestPauseMs = max(longestPauseMs, (Double(record.time - previous.time) / 1e4).rounded() / 100)
                }
            }
            if isDouble {
                duplicates += 1
                note("sequence \(record.sequence), or the one before, was written by two writers")
            }
            previous = record
        }
    }

    /// Keeps the first few: one cut ring can hold thousands.
    private mutating func note(_ problem: String) {
        if problems.count < 10 { problems.append(problem) }
    }
}
