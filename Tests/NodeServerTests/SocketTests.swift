import ClusterAPI
import Foundation
import Logging
import NodeClient
import NodeServer
import Testing

@Suite("The Unix socket", .timeLimit(.minutes(1)))
struct SocketTests {
    @Test("Only root may use it, and it is gone afterwards")
    func permissions() async throws {
        let folder = try RunningServer.makeFolder()
        try await RunningServer.with(in: folder) { server in
            let attributes = try FileManager.default.attributesOfItem(atPath: server.socketPath)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(attributes[.type] as? FileAttributeType == .typeSocket)
            #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder)) == ["apusd.sock", "apusd.sock.lock"])
        }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test("What a dead server left behind is replaced")
    func stale() async throws {
        let folder = try RunningServer.makeFolder()
        let script = "import socket; socket.socket(socket.AF_UNIX).bind('\(folder)/apusd.sock')"
        let python = try Process.run(URL(fileURLWithPath: "/usr/bin/python3"), arguments: ["-c", script])
        python.waitUntilExit()
        #expect(FileManager.default.fileExists(atPath: folder + "/apusd.sock"))
        try FileManager.default.createDirectory(atPath: folder + "/apusd.sock.new", withIntermediateDirectories: false)
        try await RunningServer.with(in: folder) { server in
            let nodes = try await NodeClient(socketPath: server.socketPath).nodes()
            #expect(nodes == Samples.nodeStatuses)
        }
    }

    @Test("A second server is refused, and the first goes on")
    func second() async throws {
        let folder = try RunningServer.makeFolder()
        try await RunningServer.with(in: folder) { server in
            let second = NodeServer(
                operations: FakeNode(), validation: FakeNode(), socketPath: server.socketPath, cluster: nil, version: "",
                logger: RunningServer.logger)
            await #expect(throws: NodeServerError.alreadyRunning(socket: server.socketPath)) { try await second.run() }
            let nodes = try await NodeClient(socketPath: server.socketPath).nodes()
            #expect(nodes == Samples.nodeStatuses)
        }
    }

    @Test("A file that is no socket is left alone")
    func notASocket() async throws {
        let folder = try RunningServer.makeFolder()
        let path = folder + "/apusd.sock"
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        await #expect(throws: NodeServerError.notASocket(path: path)) { try await RunningServer.with(in: folder) { _ in } }
    }

    @Test("A path that does not fit, or a folder that is not there, is named")
    func unusablePaths() async throws {
        let long = "/tmp/" + String(repeating: "x", count: 100)
        await #expect(throws: NodeServerError.pathTooLong(long + "/apusd.sock")) { try await RunningServer.with(in: long) { _ in } }
        let error = await #expect(throws: NodeServerError.self) { try await RunningServer.with(in: "/tmp/apus-api-none") { _ in } }
        #expect(error?.description.contains("No such file") == true)
    }
}
