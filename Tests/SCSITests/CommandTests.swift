import SCSI
import Testing

@Suite("Commands are built as the standards lay them out")
struct CommandTests {
    static let key = ReservationKey(rawValue: 0x4150_5553_0001_0002)
    static let victim = ReservationKey(rawValue: 0x0102_0304_0506_0708)

    @Test(
        "Descriptor blocks",
        arguments: [
            (SCSICommand.testUnitReady, "000000000000"),
            (.inquiry, "120000006000"),
            (.inquiry(page: .deviceIdentification), "120183040000"),
            (.reportLUNs(), "a00000000000000040000000"),
            (.readCapacity16, "9e100000000000000000000000200000"),
            (.read16(at: 0x0102_0304_0506_0708, blockCount: 9, blockByteCount: 512), "88000102030405060708000000090000"),
            (.synchronizeCache16, "91000000000000000000000000000000"),
            (.readKeys, "5e000000000000200000"), (.readReservation, "5e010000000000200000"),
            (.reportReservationCapabilities, "5e020000000000200000"), (.readFullReservationStatus, "5e030000000000200000"),
        ])
    func descriptorBlock(command: SCSICommand, expected: String) {
        #expect(hex(command.descriptorBlock) == expected, "\(command.name)")
    }

    @Test("A write carries its data, and forced unit access is bit 3 of byte 1", arguments: [(true, "8a08"), (false, "8a00")])
    func write(forced: Bool, start: String) {
        let data = [UInt8](repeating: 7, count: 8_192)
        let command = SCSICommand.write16(at: 16, data: data, blockByteCount: 4_096, forceUnitAccess: forced)
        #expect(hex(command.descriptorBlock) == start + "0000000000000010000000020000")
        #expect(command.transfer == .toDevice(data))
    }

    @Test("Write same can ask for the space back")
    func writeSame() {
        let command = SCSICommand.writeSame16(at: 1, blockCount: 2, data: [UInt8](repeating: 0, count: 512), unmap: true)
        #expect(hex(command.descriptorBlock) == "93080000000000000001000000020000")
    }

    @Test(
        "Persistent reserve out: action, type, keys and flags",
        arguments: [
            (ReservationAction.register(old: victim, new: key, persistent: false), 0, 0, "0102030405060708", "4150555300010002", 0),
            (.register(old: .none, new: key, persistent: true), 0, 0, "0000000000000000", "4150555300010002", 1),
            (.registerAndIgnore(new: key, persistent: false), 6, 0, "0000000000000000", "4150555300010002", 0),
            (.reserve(key: key, .writeExclusiveRegistrantsOnly), 1, 5, "4150555300010002", "0000000000000000", 0),
            (.release(key: key, .exclusiveAccess), 2, 3, "4150555300010002", "0000000000000000", 0),
            (.clear(key: key), 3, 0, "4150555300010002", "0000000000000000", 0),
            (.preempt(key: key, victim: victim, .writeExclusive), 4, 1, "4150555300010002", "0102030405060708", 0),
            (.preemptAndAbort(key: key, victim: victim, .exclusiveAccessAllRegistrants), 5, 8, "4150555300010002", "0102030405060708", 0),
        ] as [(ReservationAction, UInt8, UInt8, String, String, UInt8)])
    func reserveOut(action: ReservationAction, code: UInt8, type: UInt8, first: String, second: String, flags: UInt8) throws {
        let command = SCSICommand.reserve(action)
        #expect(command.descriptorBlock == [0x5f, code, type, 0, 0, 0, 0, 0, 24, 0])
        guard case .toDevice(let parameters) = command.transfer else { throw Unexpected() }
        #expect(hex(parameters) == first + second + "00000000" + hex([flags]) + "000000")
    }

    @Test("Register and move names the port in its longer list")
    func registerAndMove() throws {
        let transportID = [UInt8](repeating: 9, count: 24)
        let command = SCSICommand.reserve(
            .registerAndMove(
                key: Self.key, new: Self.victim, unregister: true, persistent: true, relativePort: 0x0102, transportID: transportID))
        #expect(command.descriptorBlock == [0x5f, 7, 0, 0, 0, 0, 0, 0, 48, 0])
        guard case .toDevice(let parameters) = command.transfer else { throw Unexpected() }
        #expect(hex(parameters.prefix(24)) == "4150555300010002" + "0102030405060708" + "0003" + "0102" + "00000018")
        #expect(parameters.suffix(24).elementsEqual(transportID))
    }

    @Test("Numbers of logical units stop at 16383", arguments: [(0, true), (16_383, true), (16_384, false), (-1, false), (1 << 40, false)])
    func lunRange(number: Int, allowed: Bool) { #expect((LogicalUnitNumber(number) != nil) == allowed) }
}

struct Unexpected: Error {}

func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

/// Bytes from digits; blanks are for the reader.
func bytes(_ digits: String) -> [UInt8] {
    let digits = Array(digits.utf8.filter { $0 != 0x20 })
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) }
}
