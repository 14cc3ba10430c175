import Foundation

/// A moment as a node's clock stated it: milliseconds since 1970-01-01 00:00 UTC.
///
/// Only ever shown to people and compared with dates of certificates. Clocks jump and differ between nodes, so no rule
/// orders anything by it; the order of changes is the order of the log.
public struct WallTime: RawRepresentable, Hashable, Sendable, Codable, Comparable {
    public var rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(milliseconds: Int64) { rawValue = milliseconds }

    public init(from decoder: any Decoder) throws { rawValue = try decoder.singleValueContainer().decode(Int64.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension WallTime {
    public init(_ date: Date) { self.init(milliseconds: Int64(min(max(date.timeIntervalSince1970 * 1_000, -1e15), 1e15))) }
    public var date: Date { Date(timeIntervalSince1970: Double(rawValue) / 1_000) }
}
