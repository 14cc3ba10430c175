import SCSI
import Testing

@Suite("Reservations")
struct ReservationTests {
    @Test("READ KEYS: generation and keys; one key can be there twice")
    func keys() throws {
        let raw = bytes("00000007 00000018 4150555300010001 4150555300020001 4150555300010001") + [UInt8](repeating: 0, count: 64)
        let keys = try RegisteredKeys(parsing: raw)
        #expect(keys.generation == 7 && !keys.isTruncated)
        #expect(keys.keys.map(\.rawValue) == [0x4150_5553_0001_0001, 0x4150_5553_0002_0001, 0x4150_5553_0001_0001])
    }

    @Test("READ KEYS: a longer list than there was room for", arguments: ["00000001 ffffffff 4150555300010001 4150"])
    func manyKeys(raw: String) throws {
        let keys = try RegisteredKeys(parsing: bytes(raw))
        #expect(keys.isTruncated && keys.keys.count == 1)
    }

    @Test("READ RESERVATION: nobody, a holder, and a cut reply that must not look like nobody")
    func reservation() throws {
        #expect(try CurrentReservation(parsing: bytes("00000003 00000000")) == CurrentReservation(generation: 3))
        let held = try CurrentReservation(parsing: bytes("00000003 00000010 4150555300010001 00000000 00 05 0000"))
        #expect(held.holder == .init(key: ReservationKey(rawValue: 0x4150_5553_0001_0001), type: .writeExclusiveRegistrantsOnly))
        for broken in ["00000003 00000010 4150", "00000003 00000010 4150555300010001 00000000 00 04 0000", "000000"] {
            #expect(throws: MalformedData.self) { try CurrentReservation(parsing: bytes(broken)) }
        }
    }

    @Test("REPORT CAPABILITIES of tgt 1.0.85, as captured")
    func capabilities() throws {
        let found = try ReservationCapabilities(parsing: bytes("0008 00 80 ea01 0000"))
        #expect(found.types == Set(ReservationType.allCases))
        #expect(!found.canPersistThroughPowerLoss && !found.canNameInitiatorPorts && !found.canRegisterAllPorts)
        #expect(try ReservationCapabilities(parsing: bytes("0008 0d 01 ea01 0000")).types == nil)
        #expect(try ReservationCapabilities(parsing: bytes("0008 0d 01 ea01 0000")).canPersistThroughPowerLoss)
    }

    @Test("READ FULL STATUS: descriptors of different lengths")
    func fullStatus() throws {
        let one = bytes("4150555300010001 00000000 01 05 00000000 0001 00000004 05000000")
        let two = bytes("4150555300020001 00000000 02 00 00000000 0002 00000000")
        let found = try FullReservationStatus(parsing: bytes("00000009 00000034") + one + two)
        #expect(found.registrations.map(\.holdsReservation) == [true, false])
        #expect(found.registrations.map(\.type) == [.writeExclusiveRegistrantsOnly, nil])
        #expect(found.registrations.map(\.coversAllPorts) == [false, true])
        #expect(found.registrations.first?.transportID == [5, 0, 0, 0])
    }

    @Test("READ FULL STATUS: a descriptor that reaches beyond the list")
    func hostileFullStatus() {
        let one = bytes("4150555300010001 00000000 01 05 00000000 0001 ffffffff")
        #expect(throws: MalformedData.self) { try FullReservationStatus(parsing: bytes("00000009 00000018") + one) }
    }
}
