import Testing

@testable import SwitchoverFrames

@Suite("ARP packets")
struct ARPPacketTests {
    static let own: [UInt8] = [0x02, 0, 0, 0, 0, 1]

    /// As `arping -D` and QEMU's `announce-self` make them, byte by byte (RFC 826).
    @Test("The bytes of a probe") func probe() {
        let bytes = ARPPacket.probe(for: [10, 0, 0, 1], from: Self.own).bytes
        let expected: [UInt8] =
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0]
            + [0, 0, 0, 0, 0, 0, 10, 0, 0, 1] + Array(repeating: 0, count: 18)
        #expect(bytes == expected)
    }

    @Test(
        "What was written is read",
        arguments: [
            ARPPacket.probe(for: [10, 0, 0, 1], from: own), .announcement(of: [192, 0, 2, 1], at: own),
            .request(for: [192, 0, 2, 1], to: [2, 0, 0, 0, 0, 9], sender: [198, 18, 1, 2], from: own),
        ])
    func roundTrip(packet: ARPPacket) { #expect(ARPPacket(packet.bytes) == packet) }

    @Test("Anything else is no ARP packet") func hostile() {
        let good = ARPPacket.probe(for: [10, 0, 0, 1], from: Self.own).bytes
        for length in 0..<42 { #expect(ARPPacket(Array(good.prefix(length))) == nil) }
        for (index, value) in [(12, UInt8(9)), (13, 0), (15, 6), (16, 9), (18, 8), (19, 16), (20, 1), (21, 0), (21, 3)] {
            var bytes = good
            bytes[index] = value
            #expect(ARPPacket(bytes) == nil, "byte \(index)")
        }
        #expect(ARPPacket(good + Array(repeating: 7, count: 1_000)) != nil)
    }

    @Test("An interface that is not there cannot be used", arguments: ["", "nothere", String(repeating: "x", count: 300)])
    func missing(interface: String) { #expect(throws: ARPError.self) { try ARPSocket(interface: interface) } }

    @Test("The loopback is no Ethernet; its frames have no addresses") func loopback() {
        // Its kind is ARPHRD_LOOPBACK, not ARPHRD_ETHER.
        #expect(throws: ARPError.self) { try ARPSocket(interface: "lo") }
    }
}
