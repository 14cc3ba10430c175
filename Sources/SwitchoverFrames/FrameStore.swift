/// A frame that was handed to the guest's tap.
public struct RecordedFrame: Hashable, Sendable {
    /// Counts recorded frames from 1.
    public let sequence: UInt64
    /// When the kernel handed it to the tap: CLOCK_REALTIME in microseconds, as in QEMU's events.
    public let microseconds: Int64
    /// `virtio_net_hdr` (10 bytes), then the Ethernet frame with its VLAN tag in place. Opaque to all but ``FrameInjector``.
    public let bytes: [UInt8]
    /// Its place among all frames handed to the tap, those of no interest included.
    let ordinal: UInt64
}

/// The newest recorded frames, within bounds, in order.
///
/// Frames from before the switchover are of no use, so the oldest make room. Enough is remembered of those to say afterwards
/// how many were missed.
struct FrameStore: Sendable {
    let frameLimit: Int
    let byteLimit: Int
    private var frames: [RecordedFrame] = []
    /// Where the oldest kept frame is in `frames`; the part before it is cut off now and then.
    private var head = 0
    private var bytes = 0
    private var sequence: UInt64 = 0
    private var evicted: [Mark] = []
    private static let evictedLimit = 65_536

    /// What is kept of a frame that had to go.
    private struct Mark: Sendable {
        var sequence: UInt64
        var ordinal: UInt64
        var microseconds: Int64
    }

    init(frameLimit: Int, byteLimit: Int) {
        self.frameLimit = frameLimit
        self.byteLimit = byteLimit
    }

    var count: Int { frames.count - head }
    var lastSequence: UInt64 { sequence }

    mutating func append(_ content: [UInt8], microseconds: Int64, ordinal: UInt64) {
        sequence += 1
        frames.append(RecordedFrame(sequence: sequence, microseconds: microseconds, bytes: content, ordinal: ordinal))
        bytes += content.count
        while count > frameLimit || (bytes > byteLimit && count > 0) { evictOldest() }
        if head > frameLimit {
            frames.removeFirst(head)
            head = 0
        }
    }

    /// The frames after `sequence` that `selection` wants, and how many it would have wanted of those that had to go.
    func frames(after sequence: UInt64, where selection: Selection) -> (kept: [RecordedFrame], missed: Int) {
        let kept = frames[head...].filter { $0.sequence > sequence && selection.wants(ordinal: $0.ordinal, microseconds: $0.microseconds) }
        let missed = evicted.count { $0.sequence > sequence && selection.wants(ordinal: $0.ordinal, microseconds: $0.microseconds) }
        return (Array(kept), missed)
    }

    /// When the first frame behind `ordinal` that is kept was handed to the tap.
    func oldest(after ordinal: UInt64) -> Int64? { frames[head...].first { $0.ordinal > ordinal }?.microseconds }

    private mutating func evictOldest() {
        let frame = frames[head]
        // The content goes now, its slot later.
        frames[head] = RecordedFrame(sequence: frame.sequence, microseconds: frame.microseconds, bytes: [], ordinal: frame.ordinal)
        head += 1
        bytes -= frame.bytes.count
        evicted.append(Mark(sequence: frame.sequence, ordinal: frame.ordinal, microseconds: frame.microseconds))
        // Half at a time, so that it is rare.
        if evicted.count > Self.evictedLimit { evicted.removeFirst(Self.evictedLimit / 2) }
    }
}
