import Foundation
import Validation

/// Whole decades around a set of values, for charts of things that differ by orders of magnitude.
struct LogarithmicScale {
    /// Exponents of ten of the first and the last mark.
    let first: Int
    let last: Int

    /// What is smaller or larger is drawn at the edge.
    private static let exponents = -3...9
    private static let mostDecades = 6

    init(_ values: [Double]) {
        let positive = values.filter { $0.isFinite && $0 > 0 }
        let exponent = { (value: Double, rule: FloatingPointRoundingRule) in
            Int(min(max(log10(value).rounded(rule), Double(Self.exponents.lowerBound)), Double(Self.exponents.upperBound)))
        }
        let highest = positive.max().map { exponent($0, .up) } ?? 1
        let lowest = positive.min().map { exponent($0, .down) } ?? 0
        last = max(highest, lowest + 1)
        first = max(min(lowest, last - 1), last - Self.mostDecades)
    }

    /// From 0 at the first mark to 1 at the last.
    func position(_ value: Double) -> Double {
        guard value.isFinite, value > 0 else { return 0 }
        return min(max((log10(value) - Double(first)) / Double(last - first), 0), 1)
    }

    var marks: [Double] { (first...last).map { pow(10, Double($0)) } }
}
