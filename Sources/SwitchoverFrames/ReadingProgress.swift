/// How far QEMU is with reading an adapter: joins the frames we saw pass with the kernel's count of those that QEMU took.
///
/// Both count the same frames in the same order, from different beginnings. What waited when we began is not known, so the difference
/// between the two counts is learned: QEMU never took more than passed, and when nothing waits they differ by exactly that.
struct ReadingProgress: Hashable, Sendable {
    /// Times of the latest frames; the last one has the sequence ``passedCount``.
    private var times: [Int64] = []
    private var passedCount: UInt64 = 0
    /// Looks whose frames may not have been received from the kernel yet.
    private var open: [Look] = []
    /// Kernel's count minus ours; nil until something was learned.
    private(set) var offset: Int64?

    private struct Look: Hashable, Sendable {
        var taken: UInt64
        var time: Int64
    }

    /// A look is judged when our reader has certainly caught up with it.
    private static let settle: Int64 = 20_000
    private static let keep = 8_192
    /// QEMU stamps STOP after it stopped the vCPUs; a frame it took just before did not reach the guest.
    private static let margin: Int64 = 500

    mutating func passed(_ time: Int64) {
        passedCount += 1
        times.append(time)
        if times.count > 2 * Self.keep { times.removeFirst(Self.keep) }
    }

    /// - Parameter time: Taken after the count, so that the frames passed by then are at least those QEMU could have taken.
    mutating func note(taken: UInt64, at time: Int64) {
        open.append(Look(taken: taken, time: time))
        while let look = open.first, time - look.time > Self.settle {
            open.removeFirst()
            learn(look)
        }
        if open.count > 64 { open.removeFirst(32) }
    }

    private mutating func learn(_ look: Look) {
        guard let passed = sequence(at: look.time) else { return }
        let difference = Int64(bitPattern: look.taken) &- Int64(bitPattern: passed)
        offset = max(offset ?? difference, difference)
    }

    /// How many frames had passed at a time; nil when that is longer ago than we remember.
    private func sequence(at time: Int64) -> UInt64? {
        let later = times.reversed().prefix { $0 > time }.count
        if later == times.count, passedCount > UInt64(times.count) { return nil }
        return passedCount - UInt64(later)
    }

    /// - Parameters:
    ///   - taken: The kernel's count after the guest stopped; nil when it could not be read.
    ///   - passed: The sequence of the last frame seen.
    mutating func lastSeen(taken: UInt64?, stop: Int64, passed: UInt64) -> UInt64 {
        let byTime = sequence(at: stop - Self.margin) ?? passed
        guard let taken, let offset else { return byTime }
        let byCount = Int64(bitPattern: taken) &- offset
        guard byCount >= 0 else { return byTime }
        let read = min(UInt64(byCount), passed)
        // Something waits: the last frame QEMU took was not delivered. Nothing waits: the time tells about the last one.
        let delivered = read < passed ? (read > 0 ? read - 1 : 0) : min(read, byTime)
        return min(delivered, passed)
    }
}
