/// The name of a test: `category/name`, for instance `storage/arbitration`. It never changes, because reports are compared by it.
public struct ValidationTestID: Hashable, Sendable, Comparable, CustomStringConvertible, CodingKeyRepresentable {
    public let category: ValidationCategory
    /// Lower-case letters, digits and hyphens; unique within the category.
    public let name: String

    public init(_ category: ValidationCategory, _ name: String) {
        self.category = category
        self.name = name
    }

    /// - Returns: nil unless the text is `category/name` with a category that exists and a name of lower-case letters, digits and hyphens,
    ///   64 at most. The test itself need not exist: a report of another version may know tests that this one does not.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let category = ValidationCategory(rawValue: String(parts[0])), (1...64).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy(Self.isAllowed)
        else { return nil }
        self.init(category, String(parts[1]))
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
    }

    public init?<T: CodingKey>(codingKey: T) { self.init(codingKey.stringValue) }
    public var codingKey: any CodingKey { Key(stringValue: description) }
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public var description: String { "\(category.rawValue)/\(name)" }
    public static func < (left: Self, right: Self) -> Bool { (left.category, left.name) < (right.category, right.name) }
}

extension ValidationTestID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = ValidationTestID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" names no test; it is category/name, for instance storage/arbitration.")
        }
        self = id
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
