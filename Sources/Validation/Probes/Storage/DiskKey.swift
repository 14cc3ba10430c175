import Foundation

/// A reservation key as it is read from a disk, ours or not. JSON and reports write it as `0x` and sixteen digits.
///
/// Keys of a validation are recognisable: 2 bytes magic ("AV"; a cluster's keys begin with "AP"), 2 a hash of the run, 2 the node's place
/// in the run, 2 a number. So whoever finds one knows that no cluster needs it.
public struct DiskKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Parameters:
    ///   - node: From 1.
    ///   - number: Only its last 16 bits count.
    public init(run: UUID, node: Int, number: Int) {
        rawValue =
            Self.validationMagic << 48 | UInt64(Self.hash(run)) << 32 | UInt64(UInt16(truncatingIfNeeded: node)) << 16
            | UInt64(UInt16(truncatingIfNeeded: number))
    }

    /// Whether it was made for this run.
    public func belongs(to run: UUID) -> Bool {
        isOfValidation && UInt16(truncatingIfNeeded: rawValue >> 32) == Self.hash(run)
    }
    public var isOfValidation: Bool { rawValue >> 48 == Self.validationMagic }
    /// Made by a cluster of ours.
    public var isOfCluster: Bool { rawValue >> 48 == 0x4150 }

    public var description: String {
        let digits = String(rawValue, radix: 16)
        return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
    }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    private static let validationMagic: UInt64 = 0x4156

    /// FNV-1a, folded: two runs on one array should have different keys, nothing more.
    private static func hash(_ run: UUID) -> UInt16 {
        let hash = withUnsafeBytes(of: run.uuid) { bytes in
            bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        }
        return UInt16(truncatingIfNeeded: hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48)
    }
}

extension DiskKey: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.utf8.count == 18, text.hasPrefix("0x"), text.utf8.dropFirst(2).allSatisfy(Self.isDigit),
            let value = UInt64(text.dropFirst(2), radix: 16)
        else { throw DecodingError.dataCorruptedError(in: container, debugDescription: "a key is 0x and sixteen hexadecimal digits") }
        rawValue = value
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
    /// `UInt64(_:radix:)` would take a sign too.
    private static func isDigit(_ character: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(character)
    }
}
