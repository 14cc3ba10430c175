/// The API described in OpenAPI 3.1, written from ``Endpoints/all``.
public struct OpenAPIDocument: Hashable, Sendable, Codable, Described {
    public var json: JSONValue

    /// - Parameter version: Of Apus; the API's own version is in its paths.
    public init(version: String) {
        var paths: [String: JSONValue] = [:]
        var types = ["APIError": APIError.schema]
        APIError.schema.collectNamedTypes(into: &types)
        for endpoint in Endpoints.all {
            guard case .object(var operations) = paths[endpoint.path] ?? .object([:]) else { continue }
            operations[endpoint.method.rawValue.lowercased()] = Self.operation(endpoint)
            paths[endpoint.path] = .object(operations)
            if let request = endpoint.request { Schema.reference(request).collectNamedTypes(into: &types) }
            if endpoint.replyForm != .none { Schema.reference(endpoint.reply).collectNamedTypes(into: &types) }
        }
        json = .object([
            "openapi": "3.1.0",
            "info": .object([
                "title": "Apus node service",
                "version": .text(version),
                "description": .text(
                    "Offered on a Unix socket to root and on the cluster network over mutual TLS. Any node answers for the whole "
                        + "cluster. Paths under /v1/peer are for nodes among themselves. Dates are ISO 8601 in UTC with milliseconds, "
                        + "absent values are left out, errors are APIError."),
                "license": .object(["name": "Apache-2.0", "identifier": "Apache-2.0"]),
            ]),
            "paths": .object(paths),
            "components": .object(["schemas": .object(types.mapValues(\.json))]),
        ])
    }

    public static var schema: Schema { .anyObject }
    public static var schemaName: String? { nil }

    public init(from decoder: any Decoder) throws { json = try JSONValue(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }

    private static func operation(_ endpoint: EndpointDescription) -> JSONValue {
        var members: [String: JSONValue] = [
            "operationId": .text(operationID(endpoint)),
            "summary": .text(endpoint.summary),
            "tags": .list([.text(endpoint.callers.rawValue)]),
            "responses": .object([
                endpoint.replyForm == .none ? "204" : "200": success(endpoint),
                "default": .object([
                    "description": "It was not done; the message says why.",
                    "content": content("application/json", .reference(APIError.self)),
                ]),
            ]),
        ]
        if !endpoint.parameters.isEmpty {
            members["parameters"] = .list(
                endpoint.parameters.map { name in
                    .object([
                        "name": .text(name), "in": "path", "required": true,
                        "schema": (name == "name" ? Schema.operatorName : name == "after" ? Schema.unsigned : Schema.uuid).json,
                    ])
                })
        }
        if let request = endpoint.request {
            members["requestBody"] = .object(["required": true, "content": content("application/json", .reference(request))])
        }
        return .object(members)
    }

    private static func success(_ endpoint: EndpointDescription) -> JSONValue {
        switch endpoint.replyForm {
        case .none: .object(["description": "Done."])
        case .json: .object(["description": "Done.", "content": content("application/json", .reference(endpoint.reply))])
        case .lines:
            .object([
                "description": "One JSON value a line; the schema is that of a line. An error comes as the last one. Skip empty lines.",
                "content": content("application/x-ndjson", .oneOf([.reference(endpoint.reply), .reference(APIError.self)])),
            ])
        }
    }

    private static func content(_ type: String, _ schema: Schema) -> JSONValue {
        .object([type: .object(["schema": schema.json])])
    }

    /// `get-v1-machines-name`: stable, unique, and free of a second vocabulary.
    private static func operationID(_ endpoint: EndpointDescription) -> String {
        ([endpoint.method.rawValue.lowercased()] + endpoint.path.split { "/{}.".contains($0) }.map(String.init)).joined(separator: "-")
    }
}
