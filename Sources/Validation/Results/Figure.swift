/// Something measured or read, with the name it has in the report.
public struct Figure: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        case number(Double, FigureUnit)
        case text(String)
        case distribution(Distribution, FigureUnit)
    }
    public var name: String
    public var value: Value

    public init(_ name: String, _ number: Double, _ unit: FigureUnit) {
        self.name = name
        value = .number(number, unit)
    }
    public init(_ name: String, _ text: String) {
        self.name = name
        value = .text(text)
    }
    public init(_ name: String, _ distribution: Distribution, _ unit: FigureUnit) {
        self.name = name
        value = .distribution(distribution, unit)
    }
}

/// What a number counts.
public enum FigureUnit: String, Hashable, Sendable, Codable, CaseIterable {
    case milliseconds, bytes, percent, count
    case bytesPerSecond = "bytes-per-second"
    case bitsPerSecond = "bits-per-second"
    case perSecond = "per-second"
}

extension Figure: Codable {
    private enum CodingKeys: String, CodingKey { case name, unit, number, text, distribution }

    /// `{"name", "unit", "number"}`, `{"name", "text"}` or `{"name", "unit", "distribution"}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        switch value {
        case .number(let number, let unit):
            try container.encode(unit, forKey: .unit)
            try container.encode(number, forKey: .number)
        case .text(let text):
            try container.encode(text, forKey: .text)
        case .distribution(let distribution, let unit):
            try container.encode(unit, forKey: .unit)
            try container.encode(distribution, forKey: .distribution)
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        if let text = try container.decodeIfPresent(String.self, forKey: .text) {
            value = .text(text)
        } else if let distribution = try container.decodeIfPresent(Distribution.self, forKey: .distribution) {
            value = .distribution(distribution, try container.decode(FigureUnit.self, forKey: .unit))
        } else {
            value = .number(try container.decode(Double.self, forKey: .number), try container.decode(FigureUnit.self, forKey: .unit))
        }
    }
}
