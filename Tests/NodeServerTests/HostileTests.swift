import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeServer
import Testing

@Suite("Hostile and careless clients", .timeLimit(.minutes(1)))
struct HostileTests {
    private static func order(to destination: String, kind: String, blackout: String) -> String {
        """
        {"vm": "web", "destination": "\(destination)", "kind": "\(kind)", "maxBlackoutMilliseconds": \(blackout), \
        "autoConverge": true, "postCopy": false}
        """
    }

    /// The request, the status it gets, and a part of the explanation.
    static let requests: [(bytes: String, status: Int, text: String)] = [
        (RawHTTP.get("/"), 404, "openapi.json"),
        (RawHTTP.get("/v1/nothing"), 404, "There is no /v1/nothing"),
        (RawHTTP.get("/v1/machines/web/start"), 405, "Use POST"),
        ("DELETE /v1/machines HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 405, "Use GET, POST"),
        ("BREW /v1/machines HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 400, ""),
        (RawHTTP.get("/v1/machines/Web"), 400, "lower-case"),
        (RawHTTP.get("/v1/machines/%77eb"), 400, "is no virtual machine name"),
        (RawHTTP.get("/v1/machines/%zz%"), 400, "is no virtual machine name"),
        (RawHTTP.get("/v1/machines/..%2f..%2fetc"), 400, "is no virtual machine name"),
        (RawHTTP.get("/v1/machines/" + String(repeating: "a", count: 64)), 400, "1 to 63"),
        (RawHTTP.get("/v1/machines/../../etc/passwd"), 404, "There is no"),
        (RawHTTP.get("/v1/migrations/12/events"), 400, "is no UUID"),
        (RawHTTP.post("/v1/disks/initialize", ""), 400, "not valid JSON"),
        (RawHTTP.post("/v1/disks/initialize", "{"), 400, "not valid JSON"),
        (RawHTTP.post("/v1/disks/initialize", "[]"), 400, "an object is expected"),
        (RawHTTP.post("/v1/disks/initialize", "{\"disk\": 1}"), 400, "disk: a text is expected"),
        (RawHTTP.post("/v1/disks/initialize", "{\"disk\": \"a\", \"label\": \"b\"}"), 400, "force is missing"),
        (RawHTTP.post("/v1/disks/initialize", "{\"disk\": \"a\", \"label\": \"b\", \"force\": null}"), 400, "force: true or false"),
        (RawHTTP.post("/v1/disks/initialize", "\u{0}\u{1}"), 400, "not valid JSON"),
        (RawHTTP.post("/v1/disks/initialize", String(repeating: "[", count: 100_000)), 400, ""),
        (RawHTTP.post("/v1/machines/web/migration", order(to: "n2", kind: "live", blackout: "1e99")), 400, "out of range"),
        (RawHTTP.post("/v1/machines/web/migration", order(to: "N 2", kind: "live", blackout: "300")), 400, "is no node name"),
        (RawHTTP.post("/v1/machines/web/migration", order(to: "n2", kind: "teleport", blackout: "300")), 400, "kind"),
        (RawHTTP.post("/v1/cluster/events", "{\"sentence\": \"\"}"), 400, "1 to 2048 bytes"),
        (RawHTTP.post("/v1/cluster/events", "{\"sentence\": \"" + String(repeating: "ä", count: 1_025) + "\"}"), 400, "not 2050"),
        (RawHTTP.post("/v1/cluster/events", "{\"sentence\": \"all well\\u001b[2J\"}"), 400, "control characters"),
        (RawHTTP.post("/v1/cluster/events", "{\"sentence\": \"x\", \"severity\": \"fatal\"}"), 400, "severity"),
        (RawHTTP.post("/v1/cluster/events", String(repeating: " ", count: 17 << 10)), 413, ""),
        ("nonsense\r\n\r\n", 400, ""),
        ("GET /v1/nodes HTTP/1.1\r\ncontent-length: -5\r\n\r\n", 400, ""),
        ("GET /v1/nodes HTTP/1.1\r\nx: " + String(repeating: "y", count: 200_000) + "\r\n\r\n", 400, ""),
        ("GET //[::1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 404, ""),
        ("GET /v1/nodes?\u{7f}=%%% HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 400, ""),
        (RawHTTP.get("/v1/nodes?x=%%%&&=#?"), 200, ""),
        (
            "POST /v1/disks/initialize HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, ""
        ),
    ]

    @Test("Each gets a clear answer, and the server lives", arguments: requests)
    func request(bytes: String, status: Int, text: String) async throws {
        try await RunningServer.with { server in
            let reply = try await RawHTTP.exchange(server.socketPath, bytes)
            #expect(reply.hasPrefix("HTTP/1.1 \(status) "), "\(reply.prefix(300))")
            #expect(text.isEmpty || reply.contains(text), "\(reply.prefix(600))")
            if status >= 400, !text.isEmpty {
                let body = reply.components(separatedBy: "\r\n\r\n").dropFirst().joined()
                #expect((try? APICoding.decoder.decode(APIError.self, from: Data(body.utf8))) != nil)
            }
            #expect(try await NodeClient(socketPath: server.socketPath).nodes() == Samples.nodeStatuses)
        }
    }

    @Test("A body that claims to be huge, or is, is refused without being kept")
    func hugeBodies() async throws {
        try await RunningServer.with { server in
            let claim = try RawHTTP.Connection(server.socketPath)
            await claim.send("POST /v1/machines HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n\r\n")
            let chunk = String(repeating: " ", count: 1 << 20)
            var sent = 0
            while sent < 200, await claim.send(chunk) { sent += 1 }
            #expect(await claim.readAll().contains("413"))

            let chunked = try RawHTTP.Connection(server.socketPath)
            await chunked.send("POST /v1/machines HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in 0..<6 { await chunked.send("100000\r\n\(chunk)\r\n") }
            await chunked.send("0\r\n\r\n")
            let reply = await chunked.readAll()
            #expect(reply.hasPrefix("HTTP/1.1 413"), "\(reply.prefix(200))")
            #expect(reply.contains("4 MiB"))
            #expect(try await NodeClient(socketPath: server.socketPath).nodes() == Samples.nodeStatuses)
        }
    }

    @Test("A client that says nothing, or sends its header byte by byte, is cut off")
    func slowHeader() async throws {
        var limits = ServerLimits()
        limits.idle = .milliseconds(300)
        try await RunningServer.with(limits: limits) { server in
            let silent = try RawHTTP.Connection(server.socketPath)
            let header = try RawHTTP.Connection(server.socketPath)
            await header.send("GET /v1/no")
            let start = ContinuousClock.now
            while await header.send("d"), ContinuousClock.now - start < .seconds(10) { try await Task.sleep(for: .milliseconds(50)) }
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(await header.readAll().isEmpty)
            #expect(await silent.readAll().isEmpty)
            #expect(try await NodeClient(socketPath: server.socketPath).nodes() == Samples.nodeStatuses)
        }
    }

    @Test("A client that sends its body byte by byte is told so and cut off")
    func slowBody() async throws {
        var limits = ServerLimits()
        limits.body = .milliseconds(300)
        try await RunningServer.with(limits: limits) { server in
            let body = try RawHTTP.Connection(server.socketPath)
            await body.send("POST /v1/machines HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
            let start = ContinuousClock.now
            while await body.send("{"), ContinuousClock.now - start < .seconds(10) { try await Task.sleep(for: .milliseconds(50)) }
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(await body.readAll().contains("408"))
            #expect(try await NodeClient(socketPath: server.socketPath).nodes() == Samples.nodeStatuses)
        }
    }

    @Test("Clients that hang up in the middle leave nothing behind")
    func hangUps() async throws {
        try await RunningServer.with { server in
            await server.node.take(.milliseconds(20))
            for count in stride(from: 1, to: 100, by: 3) {
                let connection = try RawHTTP.Connection(server.socketPath)
                await connection.send(String(RawHTTP.post("/v1/machines/web/stop", "{\"force\":true}").prefix(count)))
            }
            let reply = try await RawHTTP.exchange(server.socketPath, RawHTTP.get("/v1/ping"), halfClose: true)
            #expect(reply.hasPrefix("HTTP/1.1 204"))
            #expect(try await NodeClient(socketPath: server.socketPath).machines() == [Samples.vmStatus])
        }
    }
}
