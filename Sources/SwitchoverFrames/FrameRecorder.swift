import CPacketSocket
import Foundation

/// What ``FrameRecorder/frames(from:after:)`` found.
public struct RecordedFrames: Hashable, Sendable {
    /// In the order in which they were handed to the tap.
    public var frames: [RecordedFrame]
    /// Give this as `after` to get the next ones.
    public var lastSequence: UInt64
    /// Frames that should be here and are not, at least: the recorder had no room for them. Counted anew in every answer.
    public var missed: Int
}

/// Source side of a lossless switchover: keeps the frames that were handed to the guest's tap, so that those which came too late
/// for the guest here can be handed to it on its new node.
///
/// Start it before the switchover (the last pass of memory is early enough; some 50 ms are needed to learn the tap's count), ask
/// with the time of QEMU's STOP event, and go on asking until the network has learned the guest's new place.
///
/// Rules:
/// - Frames to the guest's address, broadcast and multicast are kept; frames that carry its own address as source are not.
/// - Broadcast and multicast also reach the destination by themselves. All of them are reported here; ``FrameInjector`` leaves out
///   those that it saw arrive there.
/// - Which frames the guest has seen already is decided by counting, see ``Selection``. It holds for a tap with one queue.
public final class FrameRecorder: Sendable {
    private let capture: PacketCapture<Sink>

    /// - Parameters:
    ///   - interface: The guest's tap, in the network namespace of the calling thread.
    ///   - mac: The guest's Ethernet address, six bytes.
    ///   - frameLimit: Frames kept at most; the oldest make room.
    ///   - byteLimit: Bytes kept at most.
    /// - Throws: ``FrameError/invalidAddress(_:)``, ``FrameError/cannotOpen(interface:reason:)``.
    public init(interface: String, mac: [UInt8], frameLimit: Int = 4_096, byteLimit: Int = 16 << 20) throws(FrameError) {
        capture = try PacketCapture(
            interface: interface, guest: mac, filter: .toGuest,
            sink: Sink(guest: mac, store: FrameStore(frameLimit: max(1, frameLimit), byteLimit: max(65_536, byteLimit))))
    }

    deinit { stop() }

    /// The frames that the guest has not seen because it was stopped at `cut`, those first that it must get first.
    ///
    /// - Parameters:
    ///   - cut: Time of the STOP event of this machine's QEMU: CLOCK_REALTIME in microseconds. Call this after the event, and with the
    ///     same value as long as it is the same stop.
    ///   - sequence: 0 at first, then what the last answer said; so each frame is given out once.
    public func frames(from cut: Int64, after sequence: UInt64) -> RecordedFrames {
        capture.withSink { (sink, socket) in
            sink.frames(from: cut, after: sequence, taken: socket.readCounters()?.taken)
        } ended: { sink in
            sink.frames(from: cut, after: sequence, taken: nil)
        }
    }

    /// When the guest last sent a frame of its own: CLOCK_REALTIME in microseconds; nil when it sent none while recording.
    public var lastFrameFromGuest: Int64? {
        capture.withSink { (sink, _) in
            sink.lastFromGuest
        } ended: { sink in
            sink.lastFromGuest
        }
    }

    /// Ends recording; what was recorded stays readable.
    public func stop() { capture.stop() }

    private struct Sink: FrameSink {
        let guest: [UInt8]
        var store: FrameStore
        var queue = TapQueue()
        var lastFromGuest: Int64?
        /// Decided once for each stop: while the guest is paused the count of frames taken stands still.
        var selection: Selection?
        var losses: [(microseconds: Int64, frames: Int)] = []

        mutating func accept(_ frame: cpacket_frame, _ bytes: UnsafeRawBufferPointer) {
            let microseconds = frame.nanoseconds / 1_000
            guard frame.to_guest != 0 else {
                if !EthernetFrame.isAnnouncement(bytes) { lastFromGuest = microseconds }
                return
            }
            queue.hand()
            guard EthernetFrame.concerns(guest, bytes) else { return }
            store.append(frame.content(bytes), microseconds: microseconds, ordinal: queue.handed)
        }

        mutating func missed(_ frames: Int) {
            queue.missed()
            losses.append((currentMicroseconds(), frames))
            if losses.count > 64 { losses.removeFirst() }
        }

        mutating func observe(before: cpacket_counters, after: cpacket_counters) {
            queue.observe(before: before.taken, after: after.taken, dropped: after.dropped)
        }

        mutating func frames(from cut: Int64, after sequence: UInt64, taken: UInt64?) -> RecordedFrames {
            let selection: Selection
            if let known = self.selection, known.cut == cut {
                selection = known
            } else {
                let lastTaken = taken.flatMap { queue.lastTaken(taken: $0) }
                selection = Selection(cut: cut, lastTaken: lastTaken, oldestLeft: lastTaken.flatMap { store.oldest(after: $0) })
                self.selection = selection
            }
            let (kept, evicted) = store.frames(after: sequence, where: selection)
            let uncounted = losses.reduce(0) { $1.microseconds >= cut ? $0 + $1.frames : $0 }
            return RecordedFrames(frames: kept, lastSequence: store.lastSequence, missed: evicted + uncounted)
        }
    }
}

extension cpacket_frame {
    /// The frame as it was on the wire, behind its `virtio_net_hdr`.
    func content(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var content = [UInt8](bytes)
        if has_vlan != 0 { EthernetFrame.insertTag(identifier: vlan_tpid, control: vlan_tci, into: &content) }
        return content
    }
}

/// CLOCK_REALTIME in microseconds, the clock of QEMU's events and of the kernel's packet times.
func currentMicroseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
}
