import SCSI
import Testing

@testable import ISCSI

/// What of a target's bytes may go on to libiscsi, and what must wait.
struct PDUStreamTests {
    private static func pdu(
        _ opcode: UInt8, data: Int = 0, extra: UInt8 = 0, initiatorTag: UInt32 = 7, targetTag: UInt32 = .max
    ) -> [UInt8] {
        var header = [opcode, 0x80, 0, 0, extra, UInt8(data >> 16 & 0xff), UInt8(data >> 8 & 0xff), UInt8(data & 0xff)]
        header += [UInt8](repeating: 0, count: 8) + [UInt8](bigEndian: initiatorTag) + [UInt8](bigEndian: targetTag)
        header += [UInt8](repeating: 0, count: 24)
        return header + [UInt8](repeating: 0xaa, count: Int(extra) * 4 + (data + 3) & ~3)
    }
    private static let question = pdu(0x20, initiatorTag: .max, targetTag: 5)
    private static let readyToTransfer = pdu(0x31, targetTag: 5)
    private static let dataIn = pdu(0x25, data: 4_095)

    private static func passed(_ bytes: [UInt8], mayAsk: Bool = false) -> Int {
        bytes.withUnsafeBytes { PDUStream().passable($0, mayAsk: mayAsk) }
    }

    @Test("A question waits for its turn, alone; all else goes on")
    func question() {
        #expect(Self.passed(Self.question) == 0)
        #expect(Self.passed(Self.question + Self.readyToTransfer, mayAsk: true) == 48)
        #expect(Self.passed(Self.readyToTransfer + Self.question, mayAsk: true) == 48)
        #expect(Self.passed(Self.dataIn + Self.question + Self.dataIn, mayAsk: true) == 48 + 4_096)
        // An answer to our own question, and a notice that wants no answer, are none.
        #expect(Self.passed(Self.pdu(0x20, initiatorTag: 3) + Self.pdu(0x20, initiatorTag: .max)) == 96)
        // With data or additional headers it would be no question of RFC 7143, and never whole in a buffer.
        #expect(Self.passed(Self.pdu(0x20, data: 1 << 24 - 1, initiatorTag: .max, targetTag: 5)) == 48 + 1 << 24)
        #expect(Self.passed(Self.pdu(0x20, extra: 255, initiatorTag: .max, targetTag: 5)) == 48 + 1_020)
    }

    @Test("However the bytes are cut, all of them go on, in order, and each question alone", arguments: [1, 2, 47, 48, 49, 500, 100_000])
    func cuts(size: Int) {
        let parts = [Self.dataIn, Self.question, Self.readyToTransfer, Self.question, Self.question, Self.pdu(0x21), Self.dataIn]
        let all = parts.flatMap(\.self)
        var stream = PDUStream()
        var waiting: [UInt8] = []
        var given: [[UInt8]] = []
        var arrived = 0
        while arrived < all.count || !waiting.isEmpty {
            let next = min(all.count, arrived + size)
            waiting += all[arrived..<next]
            arrived = next
            let count = waiting.withUnsafeBytes { bytes in
                let count = stream.passable(bytes, mayAsk: true)
                stream.advance(over: count, of: bytes)
                return count
            }
            if count == 0, arrived == all.count { break }
            given.append(Array(waiting.prefix(count)))
            waiting.removeFirst(count)
        }
        #expect(given.flatMap(\.self) == all)
        #expect(given.filter { $0 == Self.question }.count == 3)
    }

    @Test("Whatever a target sends, no more goes on than there is", arguments: UInt64(0)..<50)
    func hostile(seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func random() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 40)
        }
        var stream = PDUStream()
        for _ in 0..<200 {
            let bytes = (0..<Int(random()) * 4).map { _ in random() }
            bytes.withUnsafeBytes { bytes in
                let count = stream.passable(bytes, mayAsk: random() & 1 == 0)
                #expect((0...bytes.count).contains(count))
                stream.advance(over: count, of: bytes)
            }
        }
    }
}
