import SCSI
import SeededRandom
import Testing

@Suite("Replies")
struct ReplyTests {
    @Test("INQUIRY of a tgt disk")
    func inquiry() throws {
        let raw = bytes("00 00 05 02 3d 00 00 02") + Array("APUS    WITNESS         0001".utf8)
        let inquiry = try StandardInquiry(parsing: raw)
        #expect(inquiry.isDisk && inquiry.vendor == "APUS" && inquiry.product == "WITNESS" && inquiry.revision == "0001")
        #expect(try !StandardInquiry(parsing: [0x0c] + raw.dropFirst()).isDisk)
        #expect(try !StandardInquiry(parsing: [0x7f] + raw.dropFirst()).isDisk)
    }

    @Test("REPORT LUNS: peripheral and flat addressing are understood, deeper ones counted")
    func reportLUNs() throws {
        let raw = bytes("00000028 00000000 0002000000000000 0000000000000000 4123000000000000 c101000000000000 0001000100000000")
        let luns = try ReportedLUNs(parsing: raw)
        #expect(luns.luns.map(\.rawValue) == [0, 2, 0x123])
        #expect(luns.unreachableCount == 2 && !luns.isTruncated)
    }

    @Test(
        "REPORT LUNS: a list that claims more than there is", arguments: ["ffffffff 00000000 0003000000000000 0004", "00000010 00000000"])
    func truncatedLUNs(raw: String) throws { #expect(try ReportedLUNs(parsing: bytes(raw)).isTruncated) }

    @Test("READ CAPACITY(16): geometry and provisioning")
    func capacity() throws {
        let raw = bytes("000000000000ffff 00001000 00 00 c000") + [UInt8](repeating: 0, count: 16)
        let capacity = try ReadCapacity(parsing: raw)
        #expect(capacity.blockCount == 65_536 && capacity.blockByteCount == 4_096 && capacity.isThin && capacity.unmappedReadsZero)
    }

    @Test(
        "READ CAPACITY(16): what no disk has",
        arguments: [
            "ffffffffffffffff 00000200 00000000", "0000000000000fff 00000000 00000000", "0000000000000fff 00000208 00000000",
            "0000000000000fff ffffffff 00000000", "003fffffffffffff 00000200 00000000", "0000000000000fff 000002", "",
        ])
    func impossibleCapacity(raw: String) { #expect(throws: MalformedData.self) { try ReadCapacity(parsing: bytes(raw)) } }

    @Test("VPD 83h: designators until the list breaks off")
    func designators() throws {
        let page = bytes("0083 001e") + bytes("0201 0004 41505553") + bytes("0103 0008 6001405000000001") + bytes("0114 00ff 0102030405")
        let found = try DeviceIdentification(parsing: page).designators
        #expect(found.map(\.kind) == [.t10Vendor, .naa])
        #expect(found.map(\.association) == [.logicalUnit, .logicalUnit])
        #expect(found.last?.bytes == bytes("6001405000000001"))
    }

    @Test("VPD 80h: the serial number without its padding")
    func serial() throws {
        #expect(try UnitSerialNumber(parsing: bytes("0080 000c") + Array("    APUSSN01".utf8)).text == "APUSSN01")
        #expect(try UnitSerialNumber(parsing: bytes("0080 0004 00000000")).text == "")
        #expect(try UnitSerialNumber(parsing: bytes("0080 0004 41 0a 42 00")).text == "A B")
    }

    @Test("A VPD page under another number is refused", arguments: ["0083 0000", "00", "", "0080 00"])
    func wrongPage(raw: String) { #expect(throws: MalformedData.self) { try UnitSerialNumber(parsing: bytes(raw)) } }

    @Test("VPD B0h: zero and missing fields mean that nothing was reported")
    func limits() throws {
        let full = bytes("00b0 003c 0000 0000 00000800 00000100") + [UInt8](repeating: 0, count: 20) + bytes("0000000000010000")
        #expect(
            try BlockLimits(parsing: full)
                == BlockLimits(maximumTransferBlocks: 0x800, optimalTransferBlocks: 0x100, maximumWriteSameBlocks: 0x10000))
        #expect(try BlockLimits(parsing: bytes("00b0 0008 0000 0000 00000000")) == BlockLimits())
    }

    /// Goal: nothing that a device sends traps. Method: every parser on every prefix of random bytes; errors are fine, crashes are not.
    @Test("No bytes trap", arguments: 0..<200 as Range<UInt64>)
    func hostile(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var raw = (0..<Int(random.next() % 96)).map { _ in random.next() % 3 == 0 ? 0xff : UInt8(truncatingIfNeeded: random.next()) }
        // Half of them look right at the start, so that the parsers go on.
        if seed % 2 == 0, raw.count > 4 { raw.replaceSubrange(0..<4, with: [0, [0x00, 0x80, 0x83, 0xb0][Int(seed / 2 % 4)], 0, 0xff]) }
        var accepted = 0
        func attempt(_ parse: ([UInt8]) throws -> Void) { if (try? parse(raw)) != nil { accepted += 1 } }
        for end in stride(from: raw.count, through: 0, by: -1) {
            raw = Array(raw.prefix(end))
            attempt { _ = try StandardInquiry(parsing: $0) }
            attempt { _ = try ReportedLUNs(parsing: $0) }
            attempt { _ = try ReadCapacity(parsing: $0) }
            attempt { _ = try BlockLimits(parsing: $0) }
            attempt { _ = try SupportedPages(parsing: $0) }
            attempt { _ = try UnitSerialNumber(parsing: $0) }
            attempt { _ = try DeviceIdentification(parsing: $0) }
            attempt { _ = try SCSISense(parsing: $0) }
            attempt { _ = try RegisteredKeys(parsing: $0) }
            attempt { _ = try CurrentReservation(parsing: $0) }
            attempt { _ = try ReservationCapabilities(parsing: $0) }
            attempt { _ = try FullReservationStatus(parsing: $0) }
        }
        #expect(accepted < 12 * (96 + 1), "parsers accept everything")
    }
}
