import ArgumentParser

/// Numbers as people read and write them.
enum Units {
    /// `512 MiB`, `1.5 GiB`.
    static func bytes(_ count: UInt64) -> String {
        let names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(count)
        var unit = 0
        // 1023.6 would round to 1024: the next unit says it better.
        while value >= 1_023.5, unit < names.count - 1 {
            value /= 1_024
            unit += 1
        }
        let whole = value >= 9.95 || (value * 10).rounded() == value.rounded() * 10
        return "\(decimal(value, digits: whole ? 0 : 1)) \(names[unit])"
    }

    static func mebibytes(_ count: Int) -> String { bytes(UInt64(clamping: count).multipliedReportingOverflow(by: 1 << 20).partialValue) }

    static func rate(_ bytesPerSecond: UInt64) -> String { bytes(bytesPerSecond) + "/s" }

    /// `0.4 ms`, `41 ms`, `2.35 s`, `1 min 12 s`.
    static func milliseconds(_ value: Double) -> String {
        guard value.isFinite, value >= 0 else { return "unknown" }
        switch value {
        case ..<9.95: return "\(decimal(value, digits: value == value.rounded() ? 0 : 1)) ms"
        case ..<999.5: return "\(decimal(value, digits: 0)) ms"
        case ..<9_995: return "\(decimal(value / 1_000, digits: 2)) s"
        case ..<59_950: return "\(decimal(value / 1_000, digits: 1)) s"
        case ..<3_599_500:
            let seconds = Int((value / 1_000).rounded())
            return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s"
        case ..<360_000_000:
            let minutes = Int((value / 60_000).rounded())
            return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min"
        default: return "more than 100 h"
        }
    }

    static func decimal(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "unknown" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let text = String(scaled)
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
    }

    /// `300ms`, `1.5s`, `2min`. Spaces are ignored.
    /// - Throws: `ValidationError` unless it is between 1 ms and an hour.
    static func parseMilliseconds(_ text: String) throws -> Int {
        let complaint = ValidationError("\"\(text)\" is no length of time. Write 300ms or 1.5s; from 1ms to 60min.")
        let (number, unit) = split(text)
        let factors = ["ms": 1.0, "s": 1_000, "min": 60_000]
        guard let value = number, let factor = factors[unit] else { throw complaint }
        let result = (value * factor).rounded()
        guard (1...3_600_000).contains(result) else { throw complaint }
        return Int(result)
    }

    /// `1Gbit`, `500 Mbit/s`, decimal as links are sold.
    /// - Throws: `ValidationError` unless it is between 1 Mbit/s and 10 Tbit/s.
    static func parseBitsPerSecond(_ text: String) throws -> UInt64 {
        let complaint = ValidationError("\"\(text)\" is no bandwidth. Write 500Mbit or 1Gbit; from 1Mbit to 10Tbit.")
        let (number, unit) = split(text)
        let factors = ["kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "tbit": 1e12]
        guard let value = number, let factor = factors[unit.hasSuffix("/s") ? String(unit.dropLast(2)) : unit] else { throw complaint }
        let result = (value * factor).rounded()
        guard (1e6...1e13).contains(result) else { throw complaint }
        return UInt64(result)
    }

    private static func split(_ text: String) -> (number: Double?, unit: String) {
        let compact = text.filter { !$0.isWhitespace }.lowercased()
        let number = compact.prefix { ("0"..."9").contains($0) || $0 == "." }
        return (number.count <= 15 ? Double(number) : nil, String(compact.dropFirst(number.count)))
    }
}
