import ClusterModel
import Corosync
import Foundation
import Subprocess
import Synchronization
import Testing

/// Real Corosyncs on this host: each node a network and a mount namespace, with bridges between them that can be cut and divided.
///
/// Names carry this process's number, so that test runs do not meet. ``with(nodes:links:hasWitness:token:starts:body:)`` removes everything,
/// whatever happens in the body; what a killed run left is removed by the next one.
final class TestCluster: Sendable {
    private static let number = Atomic(0)
    let id: String
    let folder: String
    let linkCount: Int
    let configuration: CorosyncConfiguration
    private let key = CorosyncFiles.newKey()
    private let running = Mutex((nodes: [Int: TestNode](), probes: [Probe]()))

    private init(nodes: Int, links: Int, hasWitness: Bool, token: Duration) {
        let letter = UnicodeScalar(UInt8(ascii: "a") + UInt8(Self.number.add(1, ordering: .relaxed).newValue % 26))
        id = "c\(getpid())\(letter)"
        folder = NSTemporaryDirectory() + "corosync-test-\(getpid())-\(letter)"
        linkCount = links
        // Quick failures and timeouts; the rest is what Apus writes.
        var configuration = sample(nodes: nodes, links: links, witness: hasWitness)
        configuration.timing.token = token
        configuration.timing.tokenCoefficient = .zero
        configuration.witness?.timeout = .milliseconds(1_000)
        configuration.witness?.syncTimeout = .milliseconds(1_500)
        self.configuration = configuration
    }

    /// Runs `body` with as many nodes as the configuration has, all of them started and members.
    static func with(
        nodes: Int, links: Int = 1, hasWitness: Bool = true, token: Duration = .milliseconds(300), starts: Bool = true,
        body: (TestCluster) async throws -> Void
    ) async throws {
        try await removeLeftovers()
        let cluster = TestCluster(nodes: nodes, links: links, hasWitness: hasWitness, token: token)
        do {
            try await cluster.prepare()
            for number in 1...nodes { try await cluster.addNode(number) }
            if starts {
                for number in 1...nodes { try cluster.node(number).start() }
                try await cluster.waitForMembers(Array(1...nodes))
            }
            try await body(cluster)
        } catch {
            let logs = cluster.logs()
            await cluster.remove()
            throw TestFailure("\(error)\n\(logs)")
        }
        await cluster.remove()
    }

    func node(_ number: Int) throws -> TestNode {
        guard let node = running.withLock({ $0.nodes[number] }) else { throw TestFailure("there is no node \(number)") }
        return node
    }

    /// A node with the cluster's files, not started.
    func addNode(_ number: Int, configuration: CorosyncConfiguration? = nil) async throws {
        let node = try await TestNode(number, in: self)
        running.withLock { $0.nodes[number] = node }
        try node.files.write(configuration ?? self.configuration, key: key)
    }

    /// - Parameter programs: A folder whose programs come before the system's.
    func probe(_ number: Int, programs: String? = nil) throws -> Probe {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        let probe = try Probe(node(number).enter + (programs.map { ["env", "PATH=\($0):\(path)"] } ?? []))
        running.withLock { $0.probes.append(probe) }
        return probe
    }

    /// Waits until each of these nodes counts exactly these members.
    func waitForMembers(_ members: [Int], within limit: Duration = .seconds(15)) async throws {
        for number in members {
            let probe = try probe(number)
            try await probe.ask("quorum", within: limit)
            try await probe.line("ring of \(members) at \(number)", within: limit) {
                $0.event == "quorum-ring" && $0.nodes?.sorted() == members
            }
            probe.end()
        }
    }

    /// Takes a node's cable out, so that it sees no carrier.
    func cut(_ number: Int, link: Int = 0) async throws { try await Self.run(["ip", "link", "set", cable(number, link), "down"]) }
    func heal(_ number: Int, link: Int = 0) async throws { try await Self.run(["ip", "link", "set", cable(number, link), "up"]) }
    /// Puts nodes on the other side of a partition; all carriers stay.
    func divide(_ numbers: Int...) async throws {
        for number in numbers { try await Self.run(["ip", "link", "set", cable(number, 0), "master", "\(id)x"]) }
    }
    func unite(_ numbers: Int...) async throws {
        for number in numbers { try await Self.run(["ip", "link", "set", cable(number, 0), "master", "\(id)0"]) }
    }

    func cable(_ number: Int, _ link: Int) -> String { "\(id)\(number)-\(link)" }

    // MARK: -

    private func prepare() async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for bridge in ["0", "1", "x"] {
            try await Self.run(["ip", "link", "add", id + bridge, "type", "bridge"])
            try await Self.run(["ip", "link", "set", id + bridge, "up"])
        }
    }

    private func remove() async {
        let (nodes, probes) = running.withLock { running in
            defer { running = ([:], []) }
            return (running.nodes, running.probes)
        }
        for probe in probes { probe.end() }
        for node in nodes.values { await node.end() }
        await Self.removeTraces(id: id, folder: folder)
    }

    private static func removeTraces(id: String, folder: String) async {
        let spaces = (try? await run(["ip", "netns", "list"])) ?? ""
        for name in spaces.split(separator: "\n").compactMap({ $0.split(separator: " ").first }) where name.hasPrefix(id) {
            _ = try? await run(["ip", "netns", "del", String(name)])
        }
        // A cable goes with its end in the namespace.
        for bridge in ["0", "1", "x"] { _ = try? await run(["ip", "link", "del", id + bridge]) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func removeLeftovers() async throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: NSTemporaryDirectory()) where name.hasPrefix("corosync-test-") {
            let parts = name.split(separator: "-")
            guard parts.count == 4, let owner = pid_t(parts[2]), owner != getpid(), kill(owner, 0) != 0 else { continue }
            let folder = NSTemporaryDirectory() + name
            for record in (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? [] where record.hasSuffix(".pid") {
                guard let process = pid_t((try? String(contentsOfFile: folder + "/" + record, encoding: .utf8)) ?? ""),
                    let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe"),
                    program.hasSuffix("/corosync") || program.hasSuffix("/sleep")
                else { continue }
                kill(process, SIGKILL)
            }
            await removeTraces(id: "c\(owner)\(parts[3])", folder: folder)
        }
    }

    private func logs() -> String {
        running.withLock { $0.nodes }.sorted { $0.key < $1.key }.map { number, node in
            let log = (try? String(contentsOfFile: node.logPath, encoding: .utf8)) ?? "no log"
            return "--- log of node \(number)\n" + log.split(separator: "\n").suffix(12).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    @discardableResult
    static func run(_ words: [String]) async throws -> String {
        let ended = try await Subprocess.run(
            .name("timeout"), arguments: Arguments(["20"] + words), input: .none, output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20))
        guard ended.terminationStatus.isSuccess else { throw TestFailure("\(words.joined(separator: " ")): \(ended.standardError)") }
        return ended.standardOutput
    }
}
