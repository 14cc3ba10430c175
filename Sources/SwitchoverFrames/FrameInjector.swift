import CPacketSocket
import Foundation

/// What ``FrameInjector/inject(_:)`` did.
public struct InjectedFrames: Hashable, Sendable {
    /// Handed to the guest's tap.
    public var written = 0
    /// Broadcast and multicast frames that the guest gets anyway, because they arrived here by themselves.
    public var alreadyHere = 0
    /// Not for this guest, or malformed. None when the source is in order.
    public var refused = 0
}

/// Destination side of a lossless switchover: hands frames to the guest's tap, and sees the guest's first own frame.
///
/// What a paused QEMU does with its tap (measured with 7.2): it takes one frame and loses it, and leaves all others in the tap,
/// which it reads when the machine is resumed. From that follows the order of things:
/// 1. The tap of an incoming machine is **not plugged into its bridge** during pre-copy. Otherwise it fills with broadcasts that the guest has seen long ago on
///    its source; the guest would get them again, and there would be no room for those it needs.
/// 2. When the source has stopped, ``arm()``: the tap goes up if it is not, and a frame for nobody is sent for QEMU to lose. Then plug it in.
/// 3. From then on, before or after the machine is resumed, ``inject(_:)``: the tap keeps the frames in order.
public final class FrameInjector: Sendable {
    private let capture: PacketCapture<Sink>
    private let guest: [UInt8]

    /// How long to wait altogether for a tap that takes no more.
    private static let patience: Int64 = 200_000

    /// - Parameters:
    ///   - interface: The guest's tap, in the network namespace of the calling thread.
    ///   - mac: The guest's Ethernet address, six bytes.
    public init(interface: String, mac: [UInt8]) throws(FrameError) {
        guest = mac
        capture = try PacketCapture(interface: interface, guest: mac, filter: .groupsToGuest, sink: Sink())
    }

    deinit { stop() }

    /// Sets the tap up and makes it keep what arrives until QEMU runs the machine. Call it when the source has stopped.
    ///
    /// - Throws: ``FrameError/cannotPrepare(interface:step:reason:)``, ``FrameError/cannotWrite(interface:written:reason:)``.
    public func arm() throws(FrameError) {
        let interface = capture.interface
        try capture.withSink { (sink, socket) throws(FrameError) in
            guard !sink.isArmed else { return }
            try socket.setUp()
            // An address of nobody (locally administered, all zero) and a type for experiments (IEEE 802): should a guest see it, it
            // drops it.
            let nobody: [UInt8] = [0x02, 0, 0, 0, 0, 0]
            let header = [UInt8](repeating: 0, count: EthernetFrame.headerLength)
            let lost = header + nobody + nobody + [0x88, 0xb5] + [UInt8](repeating: 0, count: 46)
            let answer = socket.send(lost)
            guard answer == 0 else { throw .cannotWrite(interface: interface, written: 0, reason: reason(answer)) }
            sink.isArmed = true
        } ended: { _ throws(FrameError) in
            throw .stopped(interface: interface)
        }
    }

    /// Hands frames to the guest, in order.
    ///
    /// - Parameter frames: As ``RecordedFrame/bytes`` of the source's recorder.
    /// - Throws: ``FrameError/cannotWrite(interface:written:reason:)`` when the tap is gone or takes nothing for 200 ms.
    public func inject(_ frames: [[UInt8]]) throws(FrameError) -> InjectedFrames {
        let interface = capture.interface
        let guest = guest
        return try capture.withSink { (sink, socket) throws(FrameError) in
            var result = InjectedFrames()
            let deadline = currentMicroseconds() + Self.patience
            for frame in frames {
                guard EthernetFrame.concerns(guest, frame) else {
                    result.refused += 1
                    continue
                }
                if EthernetFrame.isGroup(frame), sink.groups.take(frame) {
                    result.alreadyHere += 1
                    continue
                }
                switch Self.write(frame, to: socket, until: deadline) {
                case 0: result.written += 1
                // The kernel finds the header and the frame at odds; another node sent nonsense.
                case -EINVAL, -EMSGSIZE: result.refused += 1
                case let answer: throw .cannotWrite(interface: interface, written: result.written, reason: reason(answer))
                }
            }
            return result
        } ended: { _ throws(FrameError) in
            throw .stopped(interface: interface)
        }
    }

    /// When the guest first sent a frame of its own from here, not before `time`; both CLOCK_REALTIME in microseconds.
    ///
    /// Frames with which QEMU announces the guest's new place do not count.
    public func firstFrameFromGuest(after time: Int64) -> Int64? {
        capture.withSink { (sink, _) in
            sink.first(after: time)
        } ended: { sink in
            sink.first(after: time)
        }
    }

    /// Ends watching. The tap is left as it is: a running guest uses it.
    public func stop() { capture.stop() }

    /// - Returns: 0, or the negative errno. Waits while there is no room, which ends as soon as QEMU reads on.
    private static func write(_ frame: [UInt8], to socket: borrowing PacketSocket, until deadline: Int64) -> Int32 {
        while true {
            let answer = socket.send(frame)
            guard answer == -EAGAIN || answer == -ENOBUFS || answer == -EINTR, currentMicroseconds() < deadline else { return answer }
            usleep(500)
        }
    }

    private struct Sink: FrameSink {
        var isArmed = false
        var groups = GroupFrames()
        /// Times of the guest's first frames here; as many as may come before anybody asks.
        var fromGuest: [Int64] = []

        mutating func accept(_ frame: cpacket_frame, _ bytes: UnsafeRawBufferPointer) {
            if frame.to_guest == 0 {
                if fromGuest.count < 4_096, !EthernetFrame.isAnnouncement(bytes) { fromGuest.append(frame.nanoseconds / 1_000) }
            } else if isArmed, EthernetFrame.isGroup(bytes) {
                // Before it was armed QEMU may have lost the frame, so it does not count as arrived.
                groups.saw(frame.content(bytes))
            }
        }

        // A frame that went unseen may be delivered twice, no more.
        mutating func missed(_ frames: Int) {}
        mutating func observe(before: cpacket_counters, after: cpacket_counters) {}

        func first(after time: Int64) -> Int64? { fromGuest.first { $0 >= time } }
    }
}
