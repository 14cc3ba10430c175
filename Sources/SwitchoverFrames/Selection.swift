/// Which recorded frames the guest has not seen because it was stopped.
///
/// QEMU takes frames from the tap in order. When the machine stops, it takes one more frame at most and loses that one; all others
/// stay in the tap (measured with QEMU 7.2; `tap_send` stops polling once the network layer refuses a frame). So the number
/// of frames taken, read after the stop, divides them exactly, however long QEMU's main loop was kept waiting before the stop.
/// Only about the very last frame taken is there doubt, and its time decides that.
struct Selection: Hashable, Sendable {
    /// The moment of QEMU's STOP event, CLOCK_REALTIME in microseconds.
    var cut: Int64
    /// The ordinal of the last frame that QEMU took; nil when that could not be found out, and then times decide alone.
    var lastTaken: UInt64?

    /// How long before the stop the last frame taken may have arrived and yet have been taken after it. A frame too many is
    /// repeated once, a frame too few is lost, so this is generous.
    static let doubt: Int64 = 5_000
    /// Without a count: how long before STOP a frame may have arrived and yet not have reached the guest (measured: 0.5 ms suffices
    /// on a machine that is not overloaded).
    static let margin: Int64 = 500

    func wants(ordinal: UInt64, microseconds: Int64) -> Bool {
        if microseconds >= cut { return true }
        guard let lastTaken else { return microseconds >= cut - Self.margin }
        if ordinal > lastTaken { return true }
        return ordinal == lastTaken && microseconds >= cut - Self.doubt
    }
}

/// Counts what went into a tap and what its reader took out, to know what is still inside.
struct TapQueue: Hashable, Sendable {
    /// Frames handed to the tap since recording began.
    private(set) var handed: UInt64 = 0
    /// The smallest `handed - taken` seen, modulo 2^64: what it is while the tap is empty.
    private var emptyDifference: Int64?
    /// How often that smallest difference was seen.
    private var sightings = 0
    private var droppedAtFirst: UInt64?
    /// Whether no frame went uncounted, nor was counted and then dropped by a full tap.
    private var isUndisturbed = true

    /// A tap is empty most of the time, so the true difference is seen often; one that was seen rarely may be that of a tap that
    /// always held something.
    private static let enoughSightings = 3

    mutating func hand() { handed += 1 }
    mutating func missed() { isUndisturbed = false }

    /// Takes in the interface's counters.
    ///
    /// - Parameters:
    ///   - before: Frames taken, read before the last frames were counted with ``hand()``.
    ///   - after: The same, read afterwards. Only when both are equal do they tell about one moment.
    ///   - dropped: Frames that the tap had no room for.
    mutating func observe(before: UInt64, after: UInt64, dropped: UInt64) {
        if let droppedAtFirst, droppedAtFirst != dropped { isUndisturbed = false }
        if droppedAtFirst == nil { droppedAtFirst = dropped }
        guard before == after else { return }
        let difference = Int64(bitPattern: handed &- after)
        if let emptyDifference, difference > emptyDifference { return }
        sightings = difference == emptyDifference ? min(sightings + 1, Self.enoughSightings) : 1
        emptyDifference = difference
    }

    /// The ordinal of the last frame taken, when `taken` is what the interface counts now; nil when it is not known for certain.
    func lastTaken(taken: UInt64) -> UInt64? {
        guard isUndisturbed, sightings >= Self.enoughSightings, let emptyDifference else { return nil }
        let ordinal = Int64(bitPattern: taken) &+ emptyDifference
        guard ordinal >= 0, UInt64(ordinal) <= handed else { return nil }
        return UInt64(ordinal)
    }
}
