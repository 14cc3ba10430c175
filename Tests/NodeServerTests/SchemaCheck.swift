import ClusterAPI
import Foundation

/// Validates JSON against the part of JSON Schema that the description uses.
struct SchemaCheck {
    let document: JSONValue

    func problems(of value: JSONValue, against type: any Described.Type) -> [String] {
        if let name = type.schemaName {
            return problems(of: value, against: .object(["$ref": .text("#/components/schemas/\(name)")]), at: name)
        }
        // Types without a name are lists; their schema stands wherever they are used, so it is found through a property.
        guard case .list(.reference(let element)) = type.schema, let name = element.schemaName else { return ["no name for \(type)"] }
        return problems(
            of: value, against: .object(["type": "array", "items": .object(["$ref": .text("#/components/schemas/\(name)")])]), at: "")
    }

    func problems(of value: JSONValue, against schema: JSONValue, at place: String) -> [String] {
        if case .text(let reference)? = schema["$ref"] {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let target = document["components"]?["schemas"]?[name] else { return ["\(place): \(reference) leads nowhere"] }
            return problems(of: value, against: target, at: place)
        }
        if case .list(let choices)? = schema["oneOf"] {
            let fits = choices.filter { problems(of: value, against: $0, at: place).isEmpty }
            return fits.count == 1 ? [] : ["\(place): \(fits.count) of \(choices.count) alternatives match"]
        }
        switch (schema["type"], value) {
        case ("object"?, .object(let members)): return problems(of: members, against: schema, at: place)
        case ("array"?, .list(let elements)):
            guard let items = schema["items"] else { return ["\(place): an array without items"] }
            return elements.enumerated().flatMap { problems(of: $1, against: items, at: "\(place)[\($0)]") }
        case ("string"?, .text(let text)): return problems(of: text, against: schema, at: place)
        case ("integer"?, .integer(let number)):
            guard case .integer(let minimum)? = schema["minimum"] else { return [] }
            return number >= minimum ? [] : ["\(place): \(number) is below \(minimum)"]
        case ("number"?, .number), ("number"?, .integer), ("boolean"?, .boolean): return []
        default: return ["\(place): \(value) is not of type \(String(describing: schema["type"]))"]
        }
    }

    private func problems(of members: [String: JSONValue], against schema: JSONValue, at place: String) -> [String] {
        var found: [String] = []
        if case .list(let required)? = schema["required"] {
            for case .text(let name) in required where members[name] == nil { found.append("\(place).\(name) is missing") }
        }
        for (name, value) in members {
            if let property = schema["properties"]?[name] {
                found += problems(of: value, against: property, at: "\(place).\(name)")
            } else if case .object(let others)? = schema["additionalProperties"] {
                found += problems(of: value, against: .object(others), at: "\(place).\(name)")
            } else if schema["additionalProperties"] == false {
                found.append("\(place).\(name) is not described")
            }
        }
        return found
    }

    private func problems(of text: String, against schema: JSONValue, at place: String) -> [String] {
        if case .list(let choices)? = schema["enum"], !choices.contains(.text(text)) { return ["\(place): \(text) is no choice"] }
        if case .text(let pattern)? = schema["pattern"] {
            guard let expression = try? Regex(pattern), (try? expression.wholeMatch(in: text)) != nil else {
                return ["\(place): \(text) does not match \(pattern)"]
            }
        }
        switch schema["format"] {
        case "uuid"?: return UUID(uuidString: text) == nil ? ["\(place): \(text) is no UUID"] : []
        case "date-time"?: return APICoding.date(from: text) == nil ? ["\(place): \(text) is no date"] : []
        case "byte"?: return Data(base64Encoded: text) == nil ? ["\(place) is no base64"] : []
        default: return []
        }
    }
}
