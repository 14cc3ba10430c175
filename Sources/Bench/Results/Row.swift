import Foundation

/// The least, the middle and the most of some measurements.
struct Spread: Hashable, Sendable, Codable {
    var min: Double
    var median: Double
    var max: Double

    /// - Returns: nil when there are no values.
    init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        min = first
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        max = last
    }
}

/// What a row is held against.
enum Goal: Hashable, Sendable {
    /// Our median over the peer's.
    case ratioAtMost(Double)
    case ratioAtLeast(Double)
    /// Our median, in the row's unit.
    case medianAtMost(Double)
    case medianAtLeast(Double)
    /// Our median, against the peer's times a factor and something more, in the row's unit.
    case atMostPeer(times: Double, plus: Double)
    /// Ours, in every single run.
    case everyRunZero

    func isMet(ours: Spread, peer: Spread, ratio: Double?) -> Bool {
        switch self {
        case .ratioAtMost(let limit): ratio.map { $0 <= limit } ?? false
        case .ratioAtLeast(let limit): ratio.map { $0 >= limit } ?? false
        case .medianAtMost(let limit): ours.median <= limit
        case .medianAtLeast(let limit): ours.median >= limit
        case .atMostPeer(let factor, let more): ours.median <= peer.median * factor + more
        case .everyRunZero: ours.max == 0 && ours.min == 0
        }
    }

    var text: String {
        switch self {
        case .ratioAtMost(let limit): "ratio <= \(shortNumber(limit))"
        case .ratioAtLeast(let limit): "ratio >= \(shortNumber(limit))"
        case .medianAtMost(let limit): "median <= \(shortNumber(limit))"
        case .medianAtLeast(let limit): "median >= \(shortNumber(limit))"
        case .atMostPeer(let factor, let more): "<= \(shortNumber(factor)) x peer + \(shortNumber(more))"
        case .everyRunZero: "max = 0"
        }
    }
}

/// One line of the result: ours and the peer's, measured in turn in one run.
struct Row: Hashable, Sendable, Encodable {
    var name: String
    var unit: String
    /// Of ours, and of the peer's where the peer is something that runs.
    var runs: Int
    var ours: Spread
    var peer: Peer
    /// Our median over the peer's; nil when the peer's is zero.
    var ratio: Double?
    var goal: String
    var met: Bool

    struct Peer: Hashable, Sendable, Encodable {
        var name: String
        var min: Double
        var median: Double
        var max: Double
    }

    /// - Throws: ``BenchError`` when there is nothing to compare.
    init(_ name: String, unit: String, ours: [Double], peer: String, peers: [Double], goal: Goal) throws(BenchError) {
        guard let mine = Spread(ours), let theirs = Spread(peers) else { throw BenchError("\(name): nothing was measured.") }
        self.name = name
        self.unit = unit
        runs = ours.count
        self.ours = mine
        self.peer = Peer(name: peer, min: theirs.min, median: theirs.median, max: theirs.max)
        ratio = theirs.median == 0 ? nil : mine.median / theirs.median
        self.goal = goal.text
        met = goal.isMet(ours: mine, peer: theirs, ratio: ratio)
    }
}

/// Why something could not be measured: what happened and where to look.
struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
