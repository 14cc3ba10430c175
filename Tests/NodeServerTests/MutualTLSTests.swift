import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeServer
import Testing

@Suite("Mutual TLS", .serialized, .timeLimit(.minutes(1)))
struct MutualTLSTests {
    /// A server with n1's identity, and clients to it.
    private static func withServer(
        _ body: @Sendable (RunningServer, TestCertificates, Int) async throws -> Void
    ) async throws {
        try await TestCertificates.with { certificates in
            try await RunningServer.with(identity: certificates.n1) { server in
                let port = try #require(server.port)
                try await body(server, certificates, port)
            }
        }
    }

    private static func client(_ port: Int, as identity: String, to node: NodeName? = Samples.n1) throws -> NodeClient {
        try NodeClient(address: "127.0.0.1", port: port, node: node, identity: identity, connectTimeout: .seconds(15))
    }

    @Test("A node may call everything, by name and by address")
    func nodes() async throws {
        try await Self.withServer { server, certificates, port in
            for node in [Samples.n1, nil] {
                let client = try Self.client(port, as: certificates.n2, to: node)
                #expect(try await client.nodes() == Samples.nodeStatuses)
                #expect(try await client.facts() == Samples.facts)
                #expect(try await client.resumeIncoming(Samples.resume) == Samples.resumed)
                await client.close()
            }
        }
    }

    @Test("An administrator may do what operators do, and not what nodes do among themselves")
    func administrator() async throws {
        try await Self.withServer { server, certificates, port in
            let client = try Self.client(port, as: certificates.administrator)
            #expect(try await client.machines() == [Samples.vmStatus])
            let error = await #expect(throws: APIError.self) { try await client.resumeIncoming(Samples.resume) }
            #expect(error?.code == .forbidden)
            #expect(await server.node.asked == ["machines()"])

            let command = await CommandRun.apus(
                ["vm", "list", "--node", "127.0.0.1:\(port)", "--identity", certificates.administrator], socket: "")
            #expect(command.status == 0, "\(command.errors)")
            #expect(command.output.contains("web"))
        }
    }

    @Test("A node of another cluster is refused, from either side")
    func foreigner() async throws {
        try await Self.withServer { server, certificates, port in
            let stranger = try Self.client(port, as: certificates.foreign)
            let error = await #expect(throws: APIError.self) { try await stranger.nodes() }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("certificates of the same cluster") == true, "\(String(describing: error))")

            // Trusts our authority, but shows a certificate of theirs: the server must be the one to refuse.
            let mixed = certificates.folder + "/mixed"
            try FileManager.default.copyItem(atPath: certificates.foreign, toPath: mixed)
            try FileManager.default.removeItem(atPath: mixed + "/ca-cert.pem")
            try FileManager.default.copyItem(atPath: certificates.n1 + "/ca-cert.pem", toPath: mixed + "/ca-cert.pem")
            let intruder = try Self.client(port, as: mixed)
            let refusal = await #expect(throws: APIError.self) { try await intruder.nodes() }
            #expect(refusal?.code == .unreachable)
            #expect(await server.node.asked.isEmpty)
        }
    }

    @Test("Another node of the cluster at the address of the one that is meant is refused")
    func impostor() async throws {
        try await Self.withServer { server, certificates, port in
            let client = try Self.client(port, as: certificates.n1, to: Samples.n2)
            let error = await #expect(throws: APIError.self) { try await client.resumeIncoming(Samples.resume) }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("is not node n2") == true, "\(String(describing: error))")
            #expect(await server.node.asked.isEmpty)
        }
    }

    /// Protocol versions and clients without a certificate, tried with curl: not our own client.
    @Test(
        "Old TLS and clients without a certificate are refused",
        arguments: [(["--tls-max", "1.2"], true, false), ([], false, false), ([], true, true)])
    func otherClients(options: [String], withCertificate: Bool, succeeds: Bool) async throws {
        try await Self.withServer { server, certificates, port in
            var arguments = ["-sS", "--max-time", "5", "--cacert", certificates.n1 + "/ca-cert.pem"] + options
            if withCertificate { arguments += ["--cert", certificates.n2 + "/node-cert.pem", "--key", certificates.n2 + "/node-key.pem"] }
            let (status, text) = await CommandRun.run("/usr/bin/curl", arguments + ["https://127.0.0.1:\(port)/v1/nodes"])
            #expect((status == 0) == succeeds, "\(text)")
            #expect(text.contains("isCoordinator") == succeeds)
            #expect(await server.node.asked.isEmpty != succeeds)
        }
    }

    @Test("The certificate for memory streams does not open the API, although it names a node")
    func memoryStream() async throws {
        try await Self.withServer { server, certificates, port in
            let streams = certificates.n2 + "/qemu"
            for (file, copy) in [("client-cert.pem", "node-cert.pem"), ("client-key.pem", "node-key.pem")] {
                try FileManager.default.copyItem(atPath: "\(streams)/\(file)", toPath: "\(streams)/\(copy)")
            }
            try FileManager.default.removeItem(atPath: streams + "/ca-cert.pem")
            try FileManager.default.copyItem(atPath: certificates.n1 + "/ca-cert.pem", toPath: streams + "/ca-cert.pem")
            let error = await #expect(throws: APIError.self) { try await Self.client(port, as: streams).nodes() }
            #expect(error?.code == .unreachable)
            #expect(await server.node.asked.isEmpty)
        }
    }

    @Test("Clients that never finish their handshake are dropped, and others do not wait for them")
    func stalledHandshake() async throws {
        var limits = ServerLimits()
        limits.idle = .milliseconds(300)
        try await TestCertificates.with { certificates in
            try await RunningServer.with(identity: certificates.n1, limits: limits) { server in
                let port = try #require(server.port)
                // The first bytes of a TLS record, and nothing more.
                let script = """
                    import socket
                    s = socket.create_connection(('127.0.0.1', \(port)))
                    s.send(b'\\x16\\x03\\x01')
                    print(len(s.recv(1)))
                    """
                async let stalled = CommandRun.run("/usr/bin/timeout", ["5", "/usr/bin/python3", "-c", script])
                #expect(try await Self.client(port, as: certificates.n2).nodes() == Samples.nodeStatuses)
                let (status, text) = await stalled
                #expect(status == 0 || text.contains("ConnectionReset"), "\(text)")
            }
        }
    }

    @Test("A node that is not there is named with its address, soon")
    func nobodyThere() async throws {
        try await TestCertificates.with { certificates in
            let client = try NodeClient(address: "127.0.0.1", port: 1, node: Samples.n2, identity: certificates.n1)
            let start = ContinuousClock.now
            let error = await #expect(throws: APIError.self) { try await client.facts() }
            #expect(error?.code == .unreachable)
            #expect(
                error?.message.contains("Node n2 at 127.0.0.1:1 does not answer: connection refused") == true,
                "\(String(describing: error))")
            #expect(ContinuousClock.now - start < .seconds(3))
        }
    }

    @Test("A missing or broken identity is named")
    func brokenIdentity() async throws {
        let error = #expect(throws: APIError.self) {
            try NodeClient(address: "127.0.0.1", port: 1, node: nil, identity: "/tmp/apus-api-none")
        }
        #expect(error?.message.contains("/tmp/apus-api-none") == true)
        await #expect(throws: NodeServerError.self) { try await RunningServer.with(identity: "/tmp/apus-api-none") { _ in } }
    }

    @Test("A port that is taken is named, and the socket goes too")
    func portTaken() async throws {
        try await Self.withServer { server, certificates, port in
            let folder = try RunningServer.makeFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let second = NodeServer(
                operations: FakeNode(), validation: FakeNode(), socketPath: folder + "/s",
                cluster: .init(address: "127.0.0.1", port: port, identity: certificates.n1), version: "", logger: RunningServer.logger)
            let error = await #expect(throws: NodeServerError.self) { try await second.run() }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true, "\(String(describing: error))")
            #expect(!FileManager.default.fileExists(atPath: folder + "/s"))
        }
    }
}
