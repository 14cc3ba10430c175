import Foundation

/// How measured values are spread: what remains of the samples in a report.
public struct Distribution: Hashable, Sendable, Codable {
    /// How many samples were at most `limit` and above the limit of the bucket before.
    public struct Bucket: Hashable, Sendable, Codable {
        public var limit: Double
        public var count: Int
        public init(limit: Double, count: Int) {
            self.limit = limit
            self.count = count
        }
    }
    public var count: Int
    public var minimum: Double
    public var mean: Double
    public var median: Double
    public var p90: Double
    public var p99: Double
    public var maximum: Double
    /// Limits rise by the same factor (ten per decade), from the first bucket that holds a sample to the last; empty ones between are kept.
    public var buckets: [Bucket]

    /// - Parameter samples: In any order. Values below zero, infinite ones and those that are no numbers are left out.
    /// - Returns: nil when no sample is left.
    public init?(_ samples: [Double]) {
        let sorted = samples.filter { $0.isFinite && $0 >= 0 }.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        count = sorted.count
        minimum = first
        maximum = last
        mean = sorted.reduce(0, +) / Double(sorted.count)
        median = Self.percentile(50, of: sorted)
        p90 = Self.percentile(90, of: sorted)
        p99 = Self.percentile(99, of: sorted)
        buckets = Self.buckets(of: sorted)
    }

    /// The smallest sample that at least so many per cent of the samples do not exceed (nearest rank).
    private static func percentile(_ percent: Int, of sorted: [Double]) -> Double {
        let rank = (sorted.count * percent + 99) / 100
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }

    private static func buckets(of sorted: [Double]) -> [Bucket] {
        // A thousandth of a millisecond is below what any clock here resolves, and a million is a quarter of an hour.
        var counts: [Int: Int] = [:]
        for sample in sorted { counts[Int((log10(min(max(sample, 1e-3), 1e6)) * 10).rounded(.up)), default: 0] += 1 }
        guard let low = counts.keys.min(), let high = counts.keys.max() else { return [] }
        return (low...high).map { Bucket(limit: pow(10, Double($0) / 10), count: counts[$0] ?? 0) }
    }
}
