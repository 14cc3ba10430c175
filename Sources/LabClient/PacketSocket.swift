import Glibc

/// An Ethernet frame as it came in, and its VLAN if it was tagged.
struct ReceivedFrame {
    var bytes: [UInt8]
    /// The tag control information: priority and VLAN (IEEE 802.1Q clause 9.6).
    var tag: UInt16?
}

/// A raw socket on one interface, packet(7). It sees frames of every Ethernet type, also those that go out: a socket for one type
/// gets tagged frames of a VLAN that has no interface only after the kernel has dropped the tag.
///
/// The C structures involved have no Swift form in Glibc's module, so their few fields are laid out here as bytes; the layouts are
/// part of the kernel's interface (linux/if_packet.h) and do not change.
struct PacketSocket: ~Copyable {
    private let socket: Socket
    let address: [UInt8]

    private static let family = Int32(AF_PACKET)
    private static let level: Int32 = 263  // SOL_PACKET
    private static let auxiliaryData: Int32 = 8  // PACKET_AUXDATA
    private static let isTagged: UInt32 = 1 << 4  // TP_STATUS_VLAN_VALID
    private static let readAddress: UInt = 0x8927  // SIOCGIFHWADDR

    init(interface: String) throws(SystemError) {
        let everyType = UInt16(0x0003)  // ETH_P_ALL
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(Self.family, kind, Int32(everyType.bigEndian))
        guard descriptor >= 0 else { throw SystemError("open a raw socket; this needs root") }
        let opened = Socket(descriptor: descriptor)
        let index = if_nametoindex(interface)
        guard index != 0 else { throw SystemError("find the interface \(interface)") }

        // struct ifreq: 16 bytes of name, then a sockaddr: two bytes of family, six of address.
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<min(15, interface.utf8.count), with: interface.utf8.prefix(15))
        guard request.withUnsafeMutableBytes({ ioctl(descriptor, Self.readAddress, $0.baseAddress!) }) == 0 else {
            throw SystemError("read the address of \(interface)")
        }

        // struct sockaddr_ll: family, protocol in network order, interface index; the rest is for sending.
        var link = [UInt8](repeating: 0, count: 20)
        link.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt16(Self.family), toByteOffset: 0, as: UInt16.self)
            bytes.storeBytes(of: everyType.bigEndian, toByteOffset: 2, as: UInt16.self)
            bytes.storeBytes(of: Int32(bitPattern: index), toByteOffset: 4, as: Int32.self)
        }
        let bound = link.withUnsafeBytes { bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, 20) }
        guard bound == 0 else { throw SystemError("listen on \(interface)") }
        opened.setOption(Int(Self.level), Self.auxiliaryData, 1)
        opened.setReceiveBuffer(byteCount: 4 << 20)
        socket = opened
        address = Array(request[18..<24])
    }

    borrowing func send(_ frame: [UInt8]) -> Bool { Glibc.send(socket.descriptor, frame, frame.count, 0) == frame.count }

    borrowing func isReadable(withinNanoseconds nanoseconds: UInt64) -> Bool {
        socket.isReadable(withinNanoseconds: nanoseconds)
    }

    /// The next frame that waits, nil when there is none.
    borrowing func receive() -> ReceivedFrame? {
        var bytes = [UInt8](repeating: 0, count: 2_048)
        // Two control messages fit; each is a 16-byte header and its data, aligned to 8 (cmsg(3)).
        var control = [UInt64](repeating: 0, count: 16)
        var controlCount = 0
        let count: Int = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let count = recvmsg(socket.descriptor, &message, Int32(MSG_DONTWAIT))
                    controlCount = message.msg_controllen
                    return count
                }
            }
        }
        guard count >= 0 else { return nil }
        bytes.removeSubrange(count...)
        return ReceivedFrame(bytes: bytes, tag: control.withUnsafeBytes { Self.tag(in: $0.prefix(controlCount)) })
    }

    /// Finds struct tpacket_auxdata among the control messages: status at 0, tag control information at 16.
    private static func tag(in control: Slice<UnsafeRawBufferPointer>) -> UInt16? {
        let bytes = UnsafeRawBufferPointer(rebasing: control)
        var at = 0
        while at + 16 <= bytes.count {
            let length = bytes.loadUnaligned(fromByteOffset: at, as: Int.self)
            guard length >= 16, length <= bytes.count - at else { return nil }
            if bytes.loadUnaligned(fromByteOffset: at + 8, as: Int32.self) == level,
                bytes.loadUnaligned(fromByteOffset: at + 12, as: Int32.self) == auxiliaryData, length >= 16 + 20
            {
                let status = bytes.loadUnaligned(fromByteOffset: at + 16, as: UInt32.self)
                return status & isTagged != 0 ? bytes.loadUnaligned(fromByteOffset: at + 32, as: UInt16.self) : nil
            }
            at += (length + 7) & ~7
        }
        return nil
    }
}
