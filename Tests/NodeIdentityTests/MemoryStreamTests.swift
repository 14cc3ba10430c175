import Foundation
import Testing

@testable import NodeIdentity

/// Goal: real QEMUs accept our files for memory streams, and refuse everybody else's.
/// Method: two paused machines without a guest; one is migrated to the other over TLS on the loopback interface.
@Suite("Memory streams between real QEMUs", .serialized, .timeLimit(.minutes(1)))
struct MemoryStreamTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        /// Folders, of which n1 and n2 are of this cluster.
        var source = "n1"
        var destination = "n2"
        var hostName = "n2"
        var channels = 0
        /// Part of QEMU's reason; nil when the migration must succeed.
        var refusal: String?
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "same cluster"),
        Case(name: "same cluster, several channels", channels: 3),
        Case(name: "source of another cluster", source: "foreign", refusal: "hasn't got a known issuer"),
        Case(name: "destination of another cluster", destination: "foreign", refusal: "hasn't got a known issuer"),
        Case(name: "another node answers", hostName: "n3", refusal: "does not match the hostname n3"),
        Case(name: "no name is checked but the address", hostName: "", refusal: "does not match the hostname 127.0.0.1"),
    ]

    @Test("Both ends prove who they are, or nothing is sent", arguments: cases) func stream(_ test: Case) throws {
        let folder = try TemporaryFolder()
        // QEMU looks at the clock itself.
        let now = Date()
        let authority = try CertificateAuthority.create(cluster: "lab", now: now)
        for node in ["n1", "n2"] {
            try authority.issueNodeCertificate(node: node, addresses: [], now: now).write(to: folder.path + "/" + node)
        }
        try writeNode("n2", cluster: "lab", to: folder.path + "/foreign", at: now)

        let source = try PausedQEMU(folder: folder.path + "/" + test.source, isServer: false)
        defer { source.end() }
        let destination = try PausedQEMU(folder: folder.path + "/" + test.destination, isServer: true)
        defer { destination.end() }
        for machine in [source, destination] {
            try machine.execute("migrate-set-parameters", ["tls-creds": "tls0"])
            if test.channels > 0 {
                let multifd: [String: Any] = ["capability": "multifd", "state": true]
                try machine.execute("migrate-set-capabilities", ["capabilities": [multifd]])
                try machine.execute("migrate-set-parameters", ["multifd-channels": test.channels])
            }
        }
        if !test.hostName.isEmpty { try source.execute("migrate-set-parameters", ["tls-hostname": test.hostName]) }
        try destination.execute("migrate-incoming", ["uri": "tcp:127.0.0.1:0"])
        let addresses = try #require(try destination.execute("query-migrate")["socket-address"] as? [[String: Any]])
        let port = try #require(addresses.first?["port"] as? String)
        try source.execute("migrate", ["uri": "tcp:127.0.0.1:\(port)"])

        var state: [String: Any] = [:]
        let deadline = Date(timeIntervalSinceNow: 20)
        repeat {
            state = try source.execute("query-migrate")
            if let status = state["status"] as? String, ["completed", "failed"].contains(status) { break }
            usleep(10_000)
        } while Date() < deadline
        if let refusal = test.refusal {
            #expect(state["status"] as? String == "failed")
            #expect((state["error-desc"] as? String)?.contains(refusal) == true, "\(state)")
        } else {
            #expect(state["status"] as? String == "completed", "\(state)")
            #expect(try destination.execute("query-status")["status"] as? String != "inmigrate")
        }
    }

    @Test("QEMU does not start with a node's API certificate, which is from the other root") func wrongRoot() throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path, at: Date())
        for (from, to) in [("node-cert.pem", "server-cert.pem"), ("node-key.pem", "server-key.pem")] {
            try replace("\(folder.path)/qemu/\(to)", with: String(contentsOfFile: folder.path + "/" + from, encoding: .utf8))
        }
        #expect(throws: PausedQEMU.Failure.self) {
            let machine = try PausedQEMU(folder: folder.path, isServer: true)
            machine.end()
        }
    }
}

/// A QEMU whose machine does not run, with its monitor on standard input and output.
final class PausedQEMU {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var received = Data()

    init(folder: String, isServer: Bool) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/qemu-system-x86_64")
        let credentials = "tls-creds-x509,id=tls0,dir=\(folder)/qemu,endpoint=\(isServer ? "server" : "client"),verify-peer=on"
        process.arguments =
            ["-machine", "q35", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio", "-object"]
            + ["\(credentials),priority=\(NodeIdentity.streamPriority)"] + (isServer ? ["-incoming", "defer"] : [])
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // The greeting, then out of negotiation.
        do {
            _ = try line(within: 15)
            try execute("qmp_capabilities")
        } catch {
            end()
            throw error
        }
    }

    func end() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    @discardableResult
    func execute(_ command: String, _ arguments: [String: Any] = [:]) throws -> [String: Any] {
        let request: [String: Any] = arguments.isEmpty ? ["execute": command] : ["execute": command, "arguments": arguments]
        try input.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: request) + Data("\n".utf8))
        while true {
            let reply = try JSONSerialization.jsonObject(with: line(within: 10)) as? [String: Any] ?? [:]
            if let error = reply["error"] as? [String: Any] { throw Failure(description: "\(command): \(error["desc"] ?? "")") }
            if let result = reply["return"] { return result as? [String: Any] ?? [:] }
        }
    }

    private func line(within seconds: TimeInterval) throws -> Data {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received[received.startIndex..<end]
                received = Data(received[received.index(after: end)...])
                return line
            }
            var ready = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 200) >= 0, Date() < deadline else { throw Failure(description: "QEMU does not answer") }
            guard ready.revents != 0 else { continue }
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failure(description: "QEMU ended") }
            received += data
        }
    }
}
