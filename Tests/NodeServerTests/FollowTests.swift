import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeServer
import Testing

@Suite("Following a migration", .timeLimit(.minutes(1)))
struct FollowTests {
    private static func collect(_ stream: AsyncThrowingStream<MigrationStatus, any Error>) async throws -> [MigrationStatus] {
        var found: [MigrationStatus] = []
        for try await status in stream { found.append(status) }
        return found
    }

    @Test("Every status arrives when it is made, the last with its record")
    func follows() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            let stream = try await client.followMigration(Samples.id)
            var iterator = stream.makeAsyncIterator()
            // The first comes while the stream is still open.
            #expect(try await iterator.next() == Samples.migration)
            await server.node.finishStreams()
            #expect(try await iterator.next() == Samples.endedMigration)
            #expect(try await iterator.next() == nil)
        }
    }

    @Test("An error in the middle arrives as it was thrown")
    func errorInTheMiddle() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            let stream = try await client.followMigration(Samples.id)
            await server.node.finishStreams(throwing: Samples.error)
            await #expect(throws: Samples.error) { try await Self.collect(stream) }
        }
    }

    @Test("A follower that goes away ends the stream in the node service")
    func followerLeaves() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            let follower = Task { try await Self.collect(try await client.followMigration(Samples.id)) }
            let second = try await client.followMigration(Samples.id)
            while await server.node.followers < 2 { try await Task.sleep(for: .milliseconds(5)) }
            follower.cancel()
            #expect(await server.node.waitForEndedFollowers(1))
            // The other one goes on.
            await server.node.finishStreams()
            #expect(try await Self.collect(second).last == Samples.endedMigration)
        }
    }

    @Test("A stream without news is kept alive")
    func heartbeat() async throws {
        var limits = ServerLimits()
        limits.heartbeat = .milliseconds(20)
        try await RunningServer.with(limits: limits) { server in
            let connection = try RawHTTP.Connection(server.socketPath)
            await connection.send(RawHTTP.get("/v1/migrations/\(Samples.id)/events"))
            // A chunk of one byte, a newline, is what keeps the stream alive; two of them.
            let beginning = await connection.readAll(until: "\n\r\n1\r\n\n\r\n1\r\n\n")
            #expect(beginning.contains("application/x-ndjson"))
            #expect(beginning.hasSuffix("\n\r\n1\r\n\n\r\n1\r\n\n\r\n"), "\(beginning)")
            await server.node.finishStreams()
            #expect(await connection.readAll(until: "\r\n0\r\n\r\n").contains("\"record\""))
        }
    }

    @Test("When the server stops, followers are told at once")
    func serverStops() async throws {
        let stream = try await RunningServer.with { server in
            try await NodeClient(socketPath: server.socketPath).followMigration(Samples.id)
        }
        let start = ContinuousClock.now
        let found = try? await Self.collect(stream)
        #expect(found == nil || found == [Samples.migration])
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    /// Whoever orders something right after the end of a stream must not do it on the connection that ends with the stream: what changes
    /// something is not sent twice, so the order would fail ("I/O on closed channel").
    @Test("The end of a stream ends its connection, and the reply says so before")
    func connectionEnds() async throws {
        try await RunningServer.with { server in
            let connection = try RawHTTP.Connection(server.socketPath)
            await connection.send("GET /v1/migrations/\(Samples.id)/events HTTP/1.1\r\nhost: x\r\n\r\n")
            let head = await connection.readAll(until: "\r\n\r\n")
            #expect(head.lowercased().contains("\r\nconnection: close\r\n"), "\(head)")
            await server.node.finishStreams()
            // Up to the server's end of the connection, which comes without ours.
            #expect(await connection.readAll().hasSuffix("\r\n0\r\n\r\n"))
        }
    }

    @Test("An order right after the end of a stream is carried out, also when the server is slow to close")
    func orderAfterTheEnd() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            for _ in 0..<100 {
                let stream = try await client.followMigration(Samples.id)
                await server.node.finishStreams()
                #expect(try await Self.collect(stream).last == Samples.endedMigration)
                _ = try await client.startMachine(Samples.web)
            }
        }
    }
}
