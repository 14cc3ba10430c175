import SCSI
import Testing

@Suite("Sense data")
struct SenseTests {
    @Test(
        "Fixed and descriptor formats say the same",
        arguments: [
            // tgt after a login: unit attention 29h/00h.
            ("70 00 06 00 00 00 00 0a 00 00 00 00 29 00 00 00 00 00", SCSISense.Key.unitAttention, 0x2900, false),
            ("f0 00 05 00 00 00 00 0a 00 00 00 00 24 00", .illegalRequest, 0x2400, false),
            ("71 00 03 00 00 00 00 0a 00 00 00 00 0c 02", .mediumError, 0x0c02, true),
            ("72 06 2a 03 00 00 00 00", .unitAttention, 0x2a03, false),
            ("73 0b 00 00", .abortedCommand, 0, true),
            // A device that stops early has no additional code.
            ("70 00 02", .notReady, 0, false),
            ("70 00 02 00 00 00 00 04 00 00 00 00 29 00", .notReady, 0, false),
            ("72 06", .unitAttention, 0, false),
        ] as [(String, SCSISense.Key, UInt16, Bool)])
    func parse(raw: String, key: SCSISense.Key, code: UInt16, deferred: Bool) throws {
        let sense = try SCSISense(parsing: bytes(raw))
        #expect(sense == SCSISense(key: key, code: code, isDeferred: deferred))
    }

    @Test("What is no sense data is refused", arguments: ["", "70", "70 00", "72", "00 00 06", "7f 00 06", "74 06 29 00"])
    func refuse(raw: String) { #expect(throws: MalformedData.self) { try SCSISense(parsing: bytes(raw)) } }

    @Test(
        "A fenced node can tell",
        arguments: [(0x2a03, true), (0x2a05, true), (0x2a04, false), (0x2900, false)] as [(UInt16, Bool)])
    func preempted(code: UInt16, expected: Bool) {
        #expect(SCSISense(key: .unitAttention, code: code).isReservationPreempted == expected)
        #expect(!SCSISense(key: .illegalRequest, code: code).isReservationPreempted)
    }

    @Test("Text has words and numbers")
    func text() {
        #expect(SCSISense(key: .unitAttention, code: 0x2900).description == "unit attention, power on or reset, 29h/00h")
        #expect(SCSISense(key: .mediumError, code: 0xffff).description == "medium error, ffh/ffh")
    }

    @Test("Every status code is itself", arguments: UInt8.min...UInt8.max)
    func status(code: UInt8) {
        let known: [UInt8: SCSIStatus] = [
            0: .good, 2: .checkCondition, 4: .conditionMet, 8: .busy, 0x18: .reservationConflict, 0x28: .taskSetFull, 0x30: .acaActive,
            0x40: .taskAborted,
        ]
        #expect(SCSIStatus(code: code) == known[code] ?? .other(code))
    }
}
