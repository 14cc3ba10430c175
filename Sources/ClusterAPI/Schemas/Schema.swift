import Foundation

/// The JSON form of a value, as JSON Schema 2020-12 (the dialect of OpenAPI 3.1) describes it.
public indirect enum Schema: Sendable {
    /// - Parameters:
    ///   - format: A name from the OpenAPI format registry: `uuid`, `date-time`, `byte`.
    ///   - pattern: An ECMA-262 regular expression that every value matches.
    case text(format: String? = nil, pattern: String? = nil)
    /// One of these texts.
    case choice([String])
    case integer(minimum: Int64?)
    case number
    case boolean
    case list(Schema)
    /// An object whose keys are names and whose values are all alike.
    case map(Schema)
    case object([Property])
    /// Exactly one of these matches.
    case oneOf([Schema])
    /// Any JSON object.
    case anyObject
    /// A type that is described once, under its own name.
    case reference(any Described.Type)

    /// A member of an object.
    public struct Property: Sendable {
        public var name: String
        public var schema: Schema
        /// Absent, not null, when there is no value.
        public var isOptional: Bool
        /// Units and meaning, where the name does not say it all.
        public var note: String?
        public init(_ name: String, _ schema: Schema, optional: Bool = false, _ note: String? = nil) {
            self.name = name
            self.schema = schema
            self.isOptional = optional
            self.note = note
        }
    }

    static let unsigned = Schema.integer(minimum: 0)
    static let milliseconds = Schema.number

    static func property(_ name: String, _ type: any Described.Type, optional: Bool = false, _ note: String? = nil) -> Property {
        Property(name, .reference(type), optional: optional, note)
    }
}

/// A type whose JSON form is described in `/openapi.json`.
///
/// Descriptions are written by hand beside the types; the tests encode a value of each with every member set and every case taken, and
/// validate it against its description, so that the two cannot drift apart.
public protocol Described: Codable, Sendable {
    static var schema: Schema { get }
    /// The name under `components/schemas`; nil for types that are described in place.
    static var schemaName: String? { get }
}

extension Described {
    public static var schemaName: String? { String(describing: Self.self) }
}

extension Array: Described where Element: Described {
    public static var schema: Schema { .list(.reference(Element.self)) }
    public static var schemaName: String? { nil }
}

/// The request or reply that carries nothing.
public struct NoContent: Hashable, Sendable, Codable, Described {
    public init() {}
    public static var schema: Schema { .object([]) }
}

extension Schema {
    /// The schema as a JSON value. References point into `components/schemas`.
    var json: JSONValue {
        switch self {
        case .text(let format, let pattern):
            var members: [String: JSONValue] = ["type": "string"]
            members["format"] = format.map(JSONValue.text)
            members["pattern"] = pattern.map(JSONValue.text)
            return .object(members)
        case .choice(let texts):
            return .object(["type": "string", "enum": .list(texts.map(JSONValue.text))])
        case .integer(let minimum):
            var members: [String: JSONValue] = ["type": "integer"]
            members["minimum"] = minimum.map(JSONValue.integer)
            return .object(members)
        case .number: return .object(["type": "number"])
        case .boolean: return .object(["type": "boolean"])
        case .list(let element): return .object(["type": "array", "items": element.json])
        case .map(let value): return .object(["type": "object", "additionalProperties": value.json])
        case .object(let properties): return Self.json(of: properties)
        case .oneOf(let choices): return .object(["oneOf": .list(choices.map(\.json))])
        case .anyObject: return .object(["type": "object"])
        case .reference(let type):
            guard let name = type.schemaName else { return type.schema.json }
            return .object(["$ref": .text("#/components/schemas/\(name)")])
        }
    }

    private static func json(of properties: [Property]) -> JSONValue {
        var members: [String: JSONValue] = ["type": "object", "additionalProperties": false]
        let described = properties.map { property -> (String, JSONValue) in
            guard let note = property.note, case .object(var schema) = property.schema.json else {
                return (property.name, property.schema.json)
            }
            schema["description"] = .text(note)
            return (property.name, .object(schema))
        }
        members["properties"] = .object(Dictionary(described) { first, _ in first })
        let required = properties.filter { !$0.isOptional }.map { JSONValue.text($0.name) }
        if !required.isEmpty { members["required"] = .list(required) }
        return .object(members)
    }

    /// Every named type that this schema mentions, directly or through others.
    func collectNamedTypes(into found: inout [String: Schema]) {
        switch self {
        case .text, .choice, .integer, .number, .boolean, .anyObject: break
        case .list(let inner), .map(let inner): inner.collectNamedTypes(into: &found)
        case .object(let properties): for property in properties { property.schema.collectNamedTypes(into: &found) }
        case .oneOf(let choices): for choice in choices { choice.collectNamedTypes(into: &found) }
        case .reference(let type):
            if let name = type.schemaName {
                guard found[name] == nil else { return }
                found[name] = type.schema
            }
            type.schema.collectNamedTypes(into: &found)
        }
    }
}
