/// Which recorded frames the guest has not seen because it was stopped.
///
/// QEMU takes frames from the tap in order, and stops reading when the network layer refuses one. So all frames that are left in the tap
/// after the stop are the guest's, however long they waited, and the number of frames taken tells which they are.
///
/// Of those taken the guest missed the last **two** at most (QEMU 7.2: `do_vm_stop`, `net_vm_change_state_handler`, `tap_send`; measured):
/// - The thread that migrates declares the machine stopped, and then waits for the vCPUs while the main loop still runs. The main loop takes one
///   frame, which is refused and put aside; reading ends. The same happens before the stop when the guest has no receive buffer free.
/// - When the vCPUs have halted, what was put aside is thrown away **and reading begins again**: one more frame is taken and put aside,
///   and stays behind on the source.
///
/// Whether the guest has seen these two cannot be told. They are handed over again unless they are so old that the guest must have had
/// them: to repeat a frame is harmless, to lose it is not.
struct Selection: Hashable, Sendable {
    /// The moment of QEMU's STOP event, CLOCK_REALTIME in microseconds.
    var cut: Int64
    /// The ordinal of the last frame that QEMU took; nil when that could not be found out, and then times decide alone.
    var lastTaken: UInt64?
    /// When the oldest of the frames that were left in the tap arrived; nil when none was.
    var oldestLeft: Int64?

    /// How many of the last frames taken are in doubt.
    static let doubtful: UInt64 = 2
    /// How long before STOP a frame may have arrived and yet have been refused: QEMU's main loop and its vCPUs wait for a processor that others
    /// use, each for some turns. On two cores with many busy programs up to 7 ms were seen.
    static let doubt: Int64 = 100_000
    /// Without a count: how long before STOP a frame may have arrived and yet not have reached the guest. There is no limit to what is
    /// repeated then. On a machine with four busy programs the vCPUs were waited for up to 7 ms.
    static let margin: Int64 = 20_000

    func wants(ordinal: UInt64, microseconds: Int64) -> Bool {
        if microseconds >= cut { return true }
        guard let lastTaken else { return microseconds >= cut - Self.margin }
        if ordinal > lastTaken { return true }
        guard lastTaken - ordinal < Self.doubtful else { return false }
        return microseconds >= cut - Self.doubt || hadStoppedReading
    }

    /// Whether QEMU left frames in the tap long before the stop: the guest had no room for more, perhaps for a long time.
    private var hadStoppedReading: Bool { oldestLeft.map { $0 < cut - Self.doubt } ?? false }
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
