/// The silences between the answers of a peer.
struct Gaps {
    private var nanoseconds: [UInt64] = []
    private var last: UInt64?

    init() { nanoseconds.reserveCapacity(1 << 16) }

    /// Begins the first silence: asking has started.
    mutating func start(at time: UInt64) { last = last ?? time }

    mutating func answered(at time: UInt64) {
        if let last, time >= last { nanoseconds.append(time - last) }
        last = time
    }

    /// The silence under way counts too: a peer that never came back is not a peer without gaps.
    mutating func end(at time: UInt64) {
        if let last, time > last { nanoseconds.append(time - last) }
        last = nil
    }

    func summary() -> GapSummary {
        let sorted = nanoseconds.sorted()
        func milliseconds(_ index: Int) -> Double {
            sorted.indices.contains(index) ? (Double(sorted[index]) / 1e4).rounded() / 100 : 0
        }
        return GapSummary(
            gapMaxMs: milliseconds(sorted.count - 1), gap2Ms: milliseconds(sorted.count - 2), gapMedianMs: milliseconds(sorted.count / 2))
    }
}

/// In milliseconds, to a hundredth: longest, second longest and median time between two answers.
struct GapSummary: Encodable {
    var gapMaxMs: Double
    var gap2Ms: Double
    var gapMedianMs: Double
}
