/// A frame on its way to a guest, as it passed the guest's adapter on a node.
public struct SwitchoverFrame: Hashable, Sendable {
    /// When it passed, in microseconds since 1970 on that node's clock, which is the clock of QEMU's events too.
    public var microseconds: Int64
    /// `virtio_net_hdr` (10 bytes, linux/virtio_net.h), then the Ethernet frame with its VLAN tag, if any, in place.
    public var bytes: [UInt8]

    public init(microseconds: Int64, bytes: [UInt8]) {
        self.microseconds = microseconds
        self.bytes = bytes
    }

    static let headerSize = 10
    static let ethernetSize = 14

    /// Whether it is for a group: broadcast or multicast, which reaches every port of a network at once.
    public static func isForGroup(_ bytes: [UInt8]) -> Bool { bytes.count > headerSize && bytes[headerSize] & 1 == 1 }

    /// Puts an 802.1Q tag, which the kernel keeps beside the frame, back behind the addresses (IEEE 802.1Q 9.5).
    ///
    /// A checksum that is still to be computed moves with its data (`csum_start`, bytes 6 and 7 of the header), and so does the length of the
    /// headers of a frame that is still to be segmented (`hdr_len`, bytes 2 and 3). Both are little endian on the machines Apus runs on.
    static func insertingTag(protocol tpid: UInt16, control tci: UInt16, into bytes: [UInt8]) -> [UInt8] {
        let addressesEnd = headerSize + 12
        guard bytes.count >= addressesEnd else { return bytes }
        var tagged = bytes
        tagged.insert(
            contentsOf: [UInt8(tpid >> 8), UInt8(tpid & 0xFF), UInt8(tci >> 8), UInt8(tci & 0xFF)], at: addressesEnd)
        let needsChecksum = tagged[0] & 1 == 1
        let isSegmented = tagged[1] != 0
        if needsChecksum { shift(&tagged, at: 6) }
        if isSegmented { shift(&tagged, at: 2) }
        return tagged
    }

    private static func shift(_ bytes: inout [UInt8], at index: Int) {
        let value = (UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8) &+ 4
        bytes[index] = UInt8(value & 0xFF)
        bytes[index + 1] = UInt8(value >> 8)
    }
}

/// Why frames cannot be recorded or injected.
public enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotOpen(interface: String, errno: Int32)
    case badAddress([UInt8])
    case cannotSend(interface: String, errno: Int32)

    public var description: String {
        switch self {
        case .cannotOpen(let interface, let code):
            "No packet socket could be opened on adapter \(interface): \(errorText(code)). The node service needs CAP_NET_RAW."
        case .badAddress(let bytes): "A MAC address has 6 bytes, not \(bytes.count)."
        case .cannotSend(let interface, let code): "A frame could not be sent into adapter \(interface): \(errorText(code))."
        }
    }
}
