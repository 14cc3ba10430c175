import ClusterAPI
import Foundation
import Logging
import NodeClient
import NodeServer
import Testing

/// A real server in a folder of its own, for as long as the body runs; afterwards it is stopped and must have ended.
struct RunningServer: Sendable {
    let node: FakeNode
    let folder: String
    let port: Int?
    var socketPath: String { folder + "/apusd.sock" }

    /// - Parameter identity: With one, the server listens on loopback with this identity too.
    static func with<Value: Sendable>(
        identity: String? = nil, limits: ServerLimits = ServerLimits(), in folder: String? = nil,
        _ body: @Sendable (RunningServer) async throws -> Value
    ) async throws -> Value {
        let folder = try folder ?? makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let node = FakeNode()
        let (listening, report) = AsyncStream.makeStream(of: NodeServer.Listening.self)
        let server = NodeServer(
            operations: node, validation: node, socketPath: folder + "/apusd.sock",
            cluster: identity.map { .init(address: "127.0.0.1", port: 0, identity: $0) }, version: "0.0.0-test", limits: limits,
            logger: logger, onListening: { report.yield($0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { report.finish() }
                try await server.run()
            }
            defer { group.cancelAll() }
            var iterator = listening.makeAsyncIterator()
            guard let opened = await iterator.next() else {
                try await group.next()
                throw APIError(.failed, "The server ended before it listened.")
            }
            let value = try await body(RunningServer(node: node, folder: folder, port: opened.port))
            group.cancelAll()
            try await group.next()
            return value
        }
    }

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    static func makeFolder() throws -> String {
        let folder = "/tmp/apus-api-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        return folder
    }
}
