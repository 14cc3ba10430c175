import SCSI
import Testing

@Suite("Caches")
struct CachingTests {
    @Test("The caching mode page, with and without block descriptors")
    func page() throws {
        let plain = try CachingModePage(parsing: bytes("001a 00 10 0000 0000 08 12 14 00"))
        #expect(plain.hasWriteCache && plain.takesForcedWrites)
        let described = try CachingModePage(parsing: bytes("0022 00 00 0000 0008 0000000000000200 88 12 10 00"))
        #expect(!described.hasWriteCache && !described.takesForcedWrites)
    }

    @Test("Pages that are cut off, of another kind, or behind more than there is", arguments: [
        "", "001a 00", "001a 00 10 0000 0000", "001a 00 10 0000 0000 08 12", "001a 00 10 0000 ffff 08 12 14", "001a 00 10 0000 0000 3f 12 14",
    ])
    func hostile(raw: String) { #expect(throws: MalformedData.self) { try CachingModePage(parsing: bytes(raw)) } }

    @Test("A cache that survives a loss of power", arguments: [("00 86 0004 00 00 02 00", true), ("00 86 0004 00 00 01 00", false)])
    func protected(raw: String, expected: Bool) throws {
        #expect(try ExtendedInquiry(parsing: bytes(raw)).hasProtectedCache == expected)
    }

    @Test("Other pages and cut ones", arguments: ["", "00 83 0004 00 00 02 00", "00 86 0001 00", "00 86 ffff"])
    func hostileInquiry(raw: String) { #expect(throws: MalformedData.self) { try ExtendedInquiry(parsing: bytes(raw)) } }
}
