import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import Testing

@testable import NodeServer

@Suite("The endpoint table")
struct EndpointTableTests {
    let document = OpenAPIDocument(version: "1.2.3").json

    @Test("Every endpoint has a route, and every route an endpoint")
    func routesMatchTable() {
        let routes = Routes(
            operations: FakeNode(), validation: FakeNode(), version: "", limits: ServerLimits(),
            callers: CallerRegister(identity: nil, refusal: { _ in nil })
        ).registered
        #expect(Set(routes) == Set(Endpoints.all.map(\.description)))
        #expect(routes.count == Endpoints.all.count)
    }

    @Test("Every endpoint is described, and nothing else")
    func pathsMatchTable() throws {
        guard case .object(let paths)? = document["paths"] else { throw APIError(.failed, "no paths") }
        let described = paths.flatMap { path, operations -> [String] in
            guard case .object(let operations) = operations else { return [] }
            return operations.keys.map { "\($0.uppercased()) \(path)" }
        }
        #expect(Set(described) == Set(Endpoints.all.map(\.description)))
    }

    @Test("Operation names are unique")
    func uniqueOperations() throws {
        guard case .object(let paths)? = document["paths"] else { throw APIError(.failed, "no paths") }
        let names = paths.values.flatMap { operations -> [JSONValue] in
            guard case .object(let operations) = operations else { return [] }
            return operations.values.compactMap { $0["operationId"] }
        }
        #expect(Set(names).count == Endpoints.all.count)
    }

    @Test("Encoded values match their description", arguments: Samples.all)
    func samplesMatchSchema(sample: any Described) throws {
        let value = try APICoding.decoder.decode(JSONValue.self, from: APICoding.encoder.encode(sample))
        let problems = SchemaCheck(document: document).problems(of: value, against: type(of: sample))
        #expect(problems.isEmpty, "\(type(of: sample)): \(problems)")
    }

    @Test("Every endpoint answers, with what the served description says")
    func realReplies() async throws {
        try await RunningServer.with { server in
            let served = try Self.body(of: try await RawHTTP.exchange(server.socketPath, RawHTTP.get("/openapi.json")))
            #expect(served["openapi"] == "3.1.0")
            for endpoint in Endpoints.all where endpoint.replyForm != .lines {
                let path = endpoint.path(endpoint.parameters.map { $0 == "name" ? "web" : $0 == "after" ? "0" : Samples.id.uuidString })
                var request = "\(endpoint.method.rawValue) \(path) HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
                if let type = endpoint.request {
                    let sample = try #require(Samples.all.first { Swift.type(of: $0) == type }, "\(endpoint)")
                    let json = String(decoding: try APICoding.encoder.encode(sample), as: UTF8.self)
                    request += "content-length: \(json.utf8.count)\r\n\r\n\(json)"
                } else {
                    request += "\r\n"
                }
                let reply = try await RawHTTP.exchange(server.socketPath, request)
                if endpoint.replyForm == .none {
                    #expect(reply.hasPrefix("HTTP/1.1 204"), "\(endpoint): \(reply)")
                    continue
                }
                #expect(reply.hasPrefix("HTTP/1.1 200"), "\(endpoint): \(reply)")
                let schema = served["paths"]?[endpoint.path]?[endpoint.method.rawValue.lowercased()]?["responses"]?["200"]?["content"]?[
                    "application/json"]?["schema"]
                let problems = SchemaCheck(document: served).problems(of: try Self.body(of: reply), against: try #require(schema), at: "")
                #expect(problems.isEmpty, "\(endpoint): \(problems)")
            }
        }
    }

    private static func body(of reply: String) throws -> JSONValue {
        let body = reply.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
        return try APICoding.decoder.decode(JSONValue.self, from: Data(body.utf8))
    }

    @Test("The samples cover every request and reply")
    func samplesCoverTable() {
        let covered = Set(Samples.all.map { String(reflecting: type(of: $0)) })
        var needed: Set<String> = []
        for endpoint in Endpoints.all where endpoint.reply != OpenAPIDocument.self {
            if let request = endpoint.request { needed.insert(String(reflecting: request)) }
            if endpoint.replyForm != .none { needed.insert(String(reflecting: endpoint.reply)) }
        }
        let missing = needed.subtracting(covered)
        #expect(missing.isEmpty)
    }

    @Test("The check itself finds what is wrong")
    func checkFindsFaults() throws {
        let check = SchemaCheck(document: document)
        let good = try APICoding.decoder.decode(JSONValue.self, from: APICoding.encoder.encode(Samples.order))
        guard case .object(let members) = good else { throw APIError(.failed, "no object") }
        var extra = members
        extra["surprise"] = true
        var missing = members
        missing["vm"] = nil
        var wrong = members
        wrong["kind"] = "teleport"
        for faulty in [extra, missing, wrong] {
            #expect(!check.problems(of: .object(faulty), against: MigrationOrder.self).isEmpty)
        }
    }

    @Test("Every type that is mentioned is described")
    func referencesResolve() throws {
        let text = String(decoding: try APICoding.encoder.encode(document), as: UTF8.self)
        guard case .object(let schemas)? = document["components"]?["schemas"] else { throw APIError(.failed, "no schemas") }
        let mentioned = Set(text.matches(of: /#\/components\/schemas\/(\w+)/).map { String($0.output.1) })
        #expect(mentioned == Set(schemas.keys))
    }

    @Test("Dates keep their milliseconds and are read with and without a fraction")
    func dates() {
        let date = Date(timeIntervalSince1970: 1_800_000_000.125)
        #expect(APICoding.text(of: date) == "2027-01-15T08:00:00.125Z")
        #expect(APICoding.date(from: "2027-01-15T08:00:00.125Z") == date)
        #expect(APICoding.date(from: "2027-01-15T08:00:00Z") == Date(timeIntervalSince1970: 1_800_000_000))
        #expect(APICoding.date(from: "yesterday") == nil)
    }
}
