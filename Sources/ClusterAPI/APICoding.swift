import Foundation

/// How values become JSON on the wire: dates as ISO 8601 in UTC with milliseconds, `Data` as base64, absent optionals left out.
///
/// Server, client and command line share these two, so that a value read anywhere is the value that was written.
public enum APICoding {
    /// Compact, one line: what the server and the client send.
    public static let encoder = makeEncoder(formatting: [.withoutEscapingSlashes])
    /// Indented, keys in alphabetical order: what people and diffs read.
    public static let readableEncoder = makeEncoder(formatting: [.withoutEscapingSlashes, .prettyPrinted, .sortedKeys])

    public static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = date(from: text) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "\"\(text)\" is no ISO 8601 date; write it as 2026-01-31T12:00:00.000Z.")
            }
            return date
        }
        return decoder
    }()

    /// `2026-01-31T12:00:00.000Z`. Finer parts of a second are dropped.
    public static func text(of date: Date) -> String { date.formatted(milliseconds) }

    /// - Returns: nil unless the text is ISO 8601 with or without a fraction of a second.
    public static func date(from text: String) -> Date? {
        (try? Date(text, strategy: milliseconds)) ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))
    }

    private static let milliseconds = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    private static func makeEncoder(formatting: JSONEncoder.OutputFormatting) -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(text(of: date))
        }
        return encoder
    }
}

extension DecodingError {
    /// What is wrong with the JSON and where, without Swift's type names: `disks[0].byteCount: a number is expected here`.
    public var sentence: String {
        switch self {
        case .keyNotFound(let key, let context):
            "\(Self.place(context.codingPath + [key])) is missing"
        case .valueNotFound(_, let context):
            "\(Self.place(context.codingPath)) is null, a value is expected"
        case .typeMismatch(let type, let context):
            "\(Self.place(context.codingPath)): \(Self.noun(type)) is expected here"
        case .dataCorrupted(let context):
            // Foundation says no more than this, also about numbers that do not fit.
            context.codingPath.isEmpty
                ? "the text is not valid JSON, or a number in it is out of range"
                : "\(Self.place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            "the JSON does not describe what was asked for"
        }
    }

    private static func place(_ path: [any CodingKey]) -> String {
        let text = path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return text.isEmpty ? "the document" : text
    }

    private static func noun(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [Any].Type: "a list"
        case is [String: Any].Type: "an object"
        default: "another kind of value"
        }
    }
}
