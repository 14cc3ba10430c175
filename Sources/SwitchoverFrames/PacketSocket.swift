import CPacketSocket
import Glibc

/// A packet socket on a tap, and a way to read the tap's counters. Used by one thread at a time.
///
/// `@unchecked Sendable`: the buffer is the only thing that is not, it is never handed out, and a value that cannot be copied has one
/// owner at a time.
///
/// Frames sent through the socket are not received by it (the kernel loops a frame to all packet sockets but its own), so an
/// injector never takes what it wrote for something new.
struct PacketSocket: ~Copyable, @unchecked Sendable {
    let interface: String
    /// For poll(2) only.
    let descriptor: Int32
    private let counters: Int32
    private let index: Int32
    private let buffer: UnsafeMutableRawBufferPointer

    /// What the kernel lets through, see CPacketSocket.h.
    enum Filter {
        case toGuest
        case groupsToGuest

        var value: cpacket_filter {
            switch self {
            case .toGuest: CPACKET_TO_GUEST
            case .groupsToGuest: CPACKET_GROUPS_TO_GUEST
            }
        }
    }

    /// - Throws: ``FrameError/cannotOpen(interface:reason:)``.
    init(interface: String, guest: [UInt8], filter: Filter) throws(FrameError) {
        guard EthernetFrame.isStation(guest) else { throw .invalidAddress(guest) }
        var index: Int32 = 0
        let socket = cpacket_open(interface, guest, filter.value, &index)
        guard socket >= 0 else { throw .cannotOpen(interface: interface, reason: reason(socket)) }
        let counters = cpacket_open_counters()
        guard counters >= 0 else {
            close(socket)
            throw .cannotOpen(interface: interface, reason: reason(counters))
        }
        self.interface = interface
        self.descriptor = socket
        self.counters = counters
        self.index = index
        self.buffer = .allocate(byteCount: EthernetFrame.longest, alignment: 16)
    }

    deinit {
        close(descriptor)
        close(counters)
        buffer.deallocate()
    }

    /// Gives every waiting frame to `accept`, up to a number that keeps the caller's lock short under a flood.
    ///
    /// - Returns: Frames that were lost: the socket had no room for them, or they cannot be represented.
    borrowing func drain(limit: Int = 16_384, _ accept: (cpacket_frame, UnsafeRawBufferPointer) -> Void) -> Int {
        var lost = 0
        for _ in 0..<limit {
            var frame = cpacket_frame()
            let answer = cpacket_receive(descriptor, buffer.baseAddress, buffer.count, &frame)
            if answer == -EAGAIN { break }
            // The interface was or went down: said once, and frames come again when it is up.
            if answer == -ENETDOWN || answer == -EINTR { continue }
            // Any other error costs the frame that it came with (EINVAL: an offload that virtio_net_hdr cannot express).
            guard answer == 0, frame.truncated == 0 else {
                lost += 1
                continue
            }
            accept(frame, UnsafeRawBufferPointer(rebasing: buffer[..<Int(frame.length)]))
        }
        var overflow: UInt32 = 0
        if cpacket_overflow(descriptor, &overflow) == 0 { lost += Int(overflow) }
        return lost
    }

    /// - Returns: nil when the interface is gone.
    borrowing func readCounters() -> cpacket_counters? {
        var values = cpacket_counters()
        return cpacket_read_counters(counters, index, &values) == 0 ? values : nil
    }

    /// - Returns: 0, or the negative errno.
    borrowing func send(_ bytes: [UInt8]) -> Int32 { bytes.withUnsafeBytes { cpacket_send(descriptor, $0.baseAddress, $0.count) } }

    borrowing func setUp() throws(FrameError) {
        let answer = cpacket_set_up(descriptor, interface)
        guard answer == 0 else { throw .cannotPrepare(interface: interface, step: "set up", reason: reason(answer)) }
    }
}
