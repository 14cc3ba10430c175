/// What is in the bytes that travel between two taps: a `virtio_net_hdr` of 10 bytes (VIRTIO 1.2 section 5.1.6, the legacy form that
/// PACKET_VNET_HDR uses; in the byte order of the hosts, which is little endian on all that Apus runs on), then an Ethernet frame.
enum EthernetFrame {
    static let headerLength = 10
    /// `virtio_net_hdr` and the two addresses and the type.
    static let shortest = headerLength + 14
    /// Above what any offload produces (64 KiB, or 256 KiB with BIG TCP); longer is a mistake or an attack.
    static let longest = headerLength + 262_144

    /// Whether `mac` can be the address of one station.
    static func isStation(_ mac: [UInt8]) -> Bool { mac.count == 6 && mac[0] & 1 == 0 && mac.contains { $0 != 0 } }

    /// Broadcast or multicast: the group bit of the destination (IEEE 802.3 section 3.2.3).
    static func isGroup(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.count >= shortest && bytes[bytes.index(bytes.startIndex, offsetBy: headerLength)] & 1 == 1
    }

    /// Whether a frame is one that the guest must get: addressed to it or to a group, and not sent by itself.
    static func concerns(_ guest: [UInt8], _ bytes: some RandomAccessCollection<UInt8>) -> Bool {
        guard (shortest...longest).contains(bytes.count) else { return false }
        let frame = bytes.dropFirst(headerLength)
        return (isGroup(bytes) || frame.prefix(6).elementsEqual(guest)) && !frame.dropFirst(6).prefix(6).elementsEqual(guest)
    }

    /// QEMU sends RARP in the guest's name when it resumes it (`announce-self`); such a frame says nothing about the guest.
    static func isAnnouncement(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
        bytes.count >= shortest && bytes.dropFirst(headerLength + 12).prefix(2).elementsEqual([0x80, 0x35])
    }

    /// Puts back the VLAN tag that the kernel keeps beside the frame (packet(7), PACKET_AUXDATA), as IEEE 802.1Q places it.
    static func insertTag(identifier: UInt16, control: UInt16, into bytes: inout [UInt8]) {
        guard bytes.count >= shortest else { return }
        let tag = [UInt8(identifier >> 8), UInt8(identifier & 0xff), UInt8(control >> 8), UInt8(control & 0xff)]
        bytes.insert(contentsOf: tag, at: headerLength + 12)
        // The header's offsets count from the start of the frame; the tag moved what they point at.
        if bytes[0] & Header.needsChecksum != 0 { Header.move(&bytes, field: Header.checksumStart, by: 4) }
        if bytes[1] != 0 { Header.move(&bytes, field: Header.headersLength, by: 4) }
    }

    /// A number that is the same for the same frame on any path, within one run of one process.
    ///
    /// A frame from a sender on the same host has its checksum still to be filled in, its copy that crossed a wire has not;
    /// so the checksum is filled in before comparing.
    static func fingerprint(_ bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        guard bytes.count >= shortest else { return 0 }
        let frame = Header.completingChecksum(bytes)[headerLength...]
        frame.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private enum Header {
        static let needsChecksum: UInt8 = 1
        static let headersLength = 2
        static let checksumStart = 6
        static let checksumOffset = 8

        static func value(_ bytes: [UInt8], _ field: Int) -> Int { Int(bytes[field]) | Int(bytes[field + 1]) << 8 }

        static func move(_ bytes: inout [UInt8], field: Int, by distance: UInt16) {
            let (moved, overflow) = UInt16(truncatingIfNeeded: value(bytes, field)).addingReportingOverflow(distance)
            guard !overflow else { return }
            bytes[field] = UInt8(moved & 0xff)
            bytes[field + 1] = UInt8(moved >> 8)
        }

        /// The Internet checksum (RFC 1071) over what the header says, put where it says; unchanged when it says nothing sensible.
        static func completingChecksum(_ bytes: [UInt8]) -> [UInt8] {
            guard bytes[0] & needsChecksum != 0 else { return bytes }
            let start = headerLength + value(bytes, checksumStart)
            let place = start + value(bytes, checksumOffset)
            guard start < bytes.count, place + 1 < bytes.count else { return bytes }
            var sum: UInt64 = 0
            var index = start
            while index + 1 < bytes.count {
                sum += UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
                index += 2
            }
            if index < bytes.count { sum += UInt64(bytes[index]) << 8 }
            while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
            // An UDP checksum of zero means "none", so zero is written as its other form.
            let checksum = ~UInt16(sum) == 0 ? 0xffff : ~UInt16(sum)
            var completed = bytes
            completed[place] = UInt8(checksum >> 8)
            completed[place + 1] = UInt8(checksum & 0xff)
            return completed
        }
    }
}
