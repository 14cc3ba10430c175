import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeServer
import ServiceLifecycle
import Testing

/// A node service that is told to stop by a signal does so at once, whoever is connected to it.
@Suite("A clean stop", .serialized, .timeLimit(.minutes(1)))
struct StopTests {
    enum Holder: String, CaseIterable, Sendable {
        /// Nobody is connected.
        case nobody
        /// A client that asked something and keeps its connection for later.
        case idle
        /// A client that follows something.
        case follower
        /// A connection on which nothing was ever said.
        case silent
    }

    /// Well below the five seconds that NIOSSL and the limit for requests would take, and far more than it needs.
    private static let limit = Duration.seconds(2)

    @Test("Open connections do not hold it up", arguments: Holder.allCases, [true, false])
    func stops(holder: Holder, isTLS: Bool) async throws {
        try await TestCertificates.with { certificates in
            let folder = try RunningServer.makeFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let (listening, report) = AsyncStream.makeStream(of: NodeServer.Listening.self)
            let node = FakeNode()
            let server = NodeServer(
                operations: node, validation: node, socketPath: folder + "/apusd.sock",
                cluster: .init(address: "127.0.0.1", port: 0, identity: certificates.n1), version: "0.0.0-test",
                logger: RunningServer.logger, onListening: { report.yield($0) })
            let group = ServiceGroup(
                configuration: .init(services: [.init(service: server)], gracefulShutdownSignals: [], logger: RunningServer.logger))
            let running = Task { try await group.run() }
            var iterator = listening.makeAsyncIterator()
            let port = try #require(await iterator.next()?.port)
            let client =
                isTLS
                ? try NodeClient(
                    address: "127.0.0.1", port: port, node: Samples.n1, identity: certificates.n2, connectTimeout: .seconds(15))
                : NodeClient(socketPath: folder + "/apusd.sock")
            var followed: AsyncThrowingStream<MigrationStatus, any Error>?
            var raw: RawHTTP.Connection?
            switch holder {
            case .nobody: break
            case .idle: _ = try await client.nodes()
            case .follower: followed = try await client.followMigration(Samples.id)
            case .silent: raw = isTLS ? nil : try RawHTTP.Connection(folder + "/apusd.sock")
            }
            let start = ContinuousClock.now
            await group.triggerGracefulShutdown()
            try await running.value
            #expect(ContinuousClock.now - start < Self.limit)
            withExtendedLifetime((followed, raw)) {}
            await client.close()
        }
    }
}
