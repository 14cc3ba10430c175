import Foundation

/// One line of output.
struct Report {
    enum Value: Encodable {
        case string(String)
        case number(Int)
        case bool(Bool)
        case numbers([Int])
        case strings([String])
        case map([String: String])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .string(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .bool(let value): try container.encode(value)
            case .numbers(let value): try container.encode(value)
            case .strings(let value): try container.encode(value)
            case .map(let value): try container.encode(value)
            }
        }
    }
    private var fields: [String: Value]

    init(_ fields: [String: Value]) {
        self.fields = fields
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        self.fields["at"] = .number(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
    }

    func adding(_ more: [String: Value]) -> Report {
        var report = self
        report.fields.merge(more) { _, new in new }
        return report
    }

    func print() {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let line = try? encoder.encode(fields) else { return }
        FileHandle.standardOutput.write(line + Data("\n".utf8))
    }
}
