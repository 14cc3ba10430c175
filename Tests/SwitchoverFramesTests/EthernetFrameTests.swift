import Testing

@testable import SwitchoverFrames

@Suite("Frames as bytes")
struct EthernetFrameTests {
    @Test(
        "A guest gets its own, broadcast and multicast frames, and no echo of itself",
        arguments: [
            (guest, peer, true), (broadcast, peer, true), (allNodes, peer, true), (peer, [0x02, 0, 0, 0, 0, 9], false),
            (broadcast, guest, false), (allNodes, guest, false), (guest, guest, false),
        ])
    func concerns(destination: [UInt8], source: [UInt8], expected: Bool) {
        #expect(EthernetFrame.concerns(guest, plainHeader + frame(to: destination, from: source)) == expected)
    }

    @Test("Frames that are too short or too long concern nobody", arguments: [0, 1, 9, 10, 16, 23, EthernetFrame.longest + 1])
    func lengths(length: Int) throws {
        let bytes = Array((plainHeader + frame(to: guest) + [UInt8](repeating: 0, count: EthernetFrame.longest)).prefix(length))
        try #require(bytes.count == length)
        #expect(!EthernetFrame.concerns(guest, bytes))
        var tagged = bytes
        EthernetFrame.insertTag(identifier: 0x8100, control: 5, into: &tagged)
        #expect(length > 23 || tagged == bytes)
        _ = EthernetFrame.fingerprint(bytes)
    }

    @Test("Only one station's address will do", arguments: [[], [1, 2, 3], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], broadcast])
    func addresses(mac: [UInt8]) {
        #expect(!EthernetFrame.isStation(mac))
        #expect(throws: FrameError.invalidAddress(mac)) { try FrameRecorder(interface: "lo", mac: mac) }
    }

    @Test("A tag goes behind the addresses, and the header's offsets move with it") func tag() {
        // NEEDS_CSUM, TCPv4, 54 bytes of headers, segments of 1448, checksum of what starts at 34, 16 bytes into it.
        var bytes: [UInt8] = [1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0] + frame(to: guest, type: [0x08, 0x00])
        EthernetFrame.insertTag(identifier: 0x88a8, control: 0x6064, into: &bytes)
        #expect(Array(bytes[..<10]) == [1, 1, 58, 0, 0xa8, 5, 38, 0, 16, 0])
        #expect(Array(bytes[22..<28]) == [0x88, 0xa8, 0x60, 0x64, 0x08, 0x00])
    }

    @Test("A frame with its checksum still open is the same as its copy that crossed a wire") func openChecksum() {
        // UDP from 10.9.0.1:1 to 10.9.0.255:2, 4 bytes of data; the checksum as RFC 768 says, over pseudo header and datagram.
        let addresses: [UInt8] = [10, 9, 0, 1, 10, 9, 0, 255]
        let ip: [UInt8] = [0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0] + addresses
        let data: [UInt8] = [1, 2, 3, 4]
        let pseudo: UInt32 = 0x0a09 + 0x0001 + 0x0a09 + 0x00ff + 17 + 12
        let words: UInt32 = pseudo + 1 + 2 + 12 + 0x0102 + 0x0304
        let checksum = ~UInt16(words)
        func datagram(_ sum: UInt16) -> [UInt8] { [0, 1, 0, 2, 0, 12, UInt8(sum >> 8), UInt8(sum & 0xff)] + data }
        let head = broadcast + peer + [0x08, 0x00] + ip
        let local = [1, 0, 0, 0, 0, 0, 34, 0, 6, 0] + head + datagram(UInt16(pseudo))
        let wire = plainHeader + head + datagram(checksum)
        #expect(EthernetFrame.fingerprint(local) == EthernetFrame.fingerprint(wire))
        var other = wire
        other[other.count - 1] ^= 1
        #expect(EthernetFrame.fingerprint(other) != EthernetFrame.fingerprint(wire))
    }

    @Test(
        "Headers that point anywhere are survived",
        arguments: [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [59, 0, 0, 0], [60, 0, 0, 0], [0, 0, 59, 0]])
    func wildHeader(fields: [UInt8]) {
        var bytes: [UInt8] = [1, 0xff, 0xff, 0xff, 0xff, 0xff] + fields + frame(to: broadcast)
        let before = EthernetFrame.fingerprint(bytes)
        #expect(before == EthernetFrame.fingerprint(bytes))
        EthernetFrame.insertTag(identifier: 0x8100, control: 1, into: &bytes)
        #expect(bytes.count == 74)
    }
}
