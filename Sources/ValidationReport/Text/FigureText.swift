import ClusterModel
import Foundation
import Validation

/// How numbers, lengths of time and moments are written in reports. Nothing that a file claims makes them trap.
enum FigureText {
    static func text(_ number: Double, _ unit: FigureUnit) -> String {
        guard number.isFinite, abs(number) < 1e18 else { return "unknown" }
        switch unit {
        case .milliseconds: return milliseconds(number)
        // 1500 bytes are no 1.46 KiB to anybody.
        case .bytes:
            return abs(number) < 16_384 && number.truncatingRemainder(dividingBy: 1_024) != 0 ? trimmed(number) + " bytes" : binary(number)
        case .bytesPerSecond: return binary(number) + "/s"
        case .bitsPerSecond: return decimalScaled(number, "bit/s")
        case .percent: return trimmed(number) + " %"
        case .count: return trimmed(number)
        case .perSecond: return trimmed(number) + " /s"
        }
    }

    /// `0.043 ms`, `4.3 ms`, `43 ms`, `1.25 s`, `3 min 5 s`.
    static func milliseconds(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "unknown" }
        switch abs(number) {
        case ..<999.5: return trimmed(number) + " ms"
        case ..<59_950: return trimmed(number / 1_000) + " s"
        default:
            let seconds = Int((abs(number) / 1_000).rounded())
            return (number < 0 ? "-" : "") + "\(seconds / 60) min \(seconds % 60) s"
        }
    }

    static func milliseconds(_ number: Int) -> String { milliseconds(Double(number)) }

    static func bytes(_ number: UInt64) -> String { binary(Double(number)) }

    /// `2026-01-31 12:00 UTC`.
    static func moment(_ time: WallTime) -> String {
        let text = iso8601(time)
        guard text.count == 20 else { return text }
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
    }

    /// `2026-01-31T12:00:00Z`; "an impossible date" outside the years 1970 to 9999.
    static func iso8601(_ time: WallTime) -> String {
        guard (0...253_402_300_799_999).contains(time.rawValue) else { return "an impossible date" }
        return Date(timeIntervalSince1970: Double(time.rawValue / 1_000)).formatted(.iso8601)
    }

    /// `1 test`, `2 tests`.
    static func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private static func binary(_ number: Double) -> String {
        var rest = number
        for unit in ["bytes", "KiB", "MiB", "GiB", "TiB"] {
            if abs(rest) < 1_023.5 { return "\(trimmed(rest)) \(unit)" }
            rest /= 1_024
        }
        return "\(trimmed(rest)) PiB"
    }

    private static func decimalScaled(_ number: Double, _ unit: String) -> String {
        var rest = number
        for prefix in ["", "k", "M", "G"] {
            if abs(rest) < 999.5 { return "\(trimmed(rest)) \(prefix)\(unit)" }
            rest /= 1_000
        }
        return "\(trimmed(rest)) T\(unit)"
    }

    /// Three digits that count, without zeros behind the point: `0.043`, `4.3`, `43`, `1234`.
    private static func trimmed(_ number: Double) -> String {
        let magnitude = abs(number)
        let digits = magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : magnitude >= 0.9995 ? 2 : 3
        let scale = [1.0, 10, 100, 1_000][digits]
        let scaled = (number * scale).rounded() / scale
        if scaled == scaled.rounded() { return String(Int64(scaled)) }
        return String(scaled)
    }
}
