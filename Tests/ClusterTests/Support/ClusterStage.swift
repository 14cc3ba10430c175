import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// A lab whose nodes form a cluster, and what the stories do to it.
final class ClusterStage: Sendable {
    @TaskLocal static var current: ClusterStage?

    /// For everything that a cluster does by itself: seconds on an idle machine, so a slow one has several times as long.
    static let patience = 45.0

    let lab: Lab
    let nodes: [NodeName]
    let hasWitness: Bool
    private let clients: [NodeName: NodeClient]

    static func get() throws -> ClusterStage { try #require(current, "This test runs without its lab.") }

    static func build(prefix: String, nodes: Int, hasWitness: Bool, links: Int = 1) async throws -> ClusterStage {
        let description = try LabDescription(prefix: prefix, nodeCount: nodes, clusterLinks: links, owner: getpid())
        let lab = try await LabBuilder(description, tools: .find(), nodes: .unjoined, serviceSeconds: 90).up()
        try await lab.formCluster(witness: hasWitness ? .disk(try await lab.diskID(lun: 1)) : .none)
        return ClusterStage(lab, hasWitness: hasWitness)
    }

    private init(_ lab: Lab, hasWitness: Bool) {
        self.lab = lab
        self.hasWitness = hasWitness
        nodes = lab.nodes.map(\.name)
        var clients: [NodeName: NodeClient] = [:]
        for node in lab.nodes { clients[node.name] = NodeClient(socketPath: node.apiSocket).waiting(.seconds(3)) }
        self.clients = clients
    }

    func close() async { for client in clients.values { await client.close() } }

    func client(of node: NodeName) throws -> NodeClient { try #require(clients[node]) }
    func node(_ name: NodeName) throws -> LabNode { try lab.node(name.rawValue) }
    func others(_ nodes: NodeName...) -> [NodeName] { self.nodes.filter { !nodes.contains($0) } }

    // MARK: Looking

    /// Nil when the node or its service is off, which is no error in these stories.
    func status(_ node: NodeName, within limit: Duration = .seconds(3)) async -> ClusterStatusReport? {
        try? await clients[node]?.waiting(limit).clusterStatus()
    }

    /// What each node says that answers, all asked at the same time.
    func statuses(_ nodes: [NodeName]? = nil, within limit: Duration = .seconds(3)) async -> [NodeName: ClusterStatusReport] {
        await withTaskGroup(of: (NodeName, ClusterStatusReport?).self) { group in
            for node in nodes ?? self.nodes { group.addTask { (node, await self.status(node, within: limit)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    func holder() async throws -> NodeName {
        for node in nodes { if let holder = await status(node)?.witness?.holder { return holder } }
        return try #require(nil as NodeName?, "No node knows who holds the witness.")
    }

    /// Waits for something about several nodes, and tells how long that took.
    ///
    /// - Parameter patience: Seconds.
    @discardableResult
    func wait(
        until what: String, of nodes: [NodeName]? = nil, patience: Double = ClusterStage.patience,
        _ isSo: ([NodeName: ClusterStatusReport]) -> Bool
    ) async throws -> [NodeName: ClusterStatusReport] {
        let start = ContinuousClock.now
        var seen: [NodeName: ClusterStatusReport] = [:]
        repeat {
            seen = await statuses(nodes)
            if isSo(seen) {
                Timetable.note(what, after: ContinuousClock.now - start)
                return seen
            }
            try await Task.sleep(for: .milliseconds(100))
        } while ContinuousClock.now - start < .seconds(patience)
        let list = (nodes ?? self.nodes).map { "\($0): \(seen[$0].map(Self.line) ?? "no answer")" }.joined(separator: "; ")
        return try #require(nil as [NodeName: ClusterStatusReport]?, "After \(patience) s not yet: \(what). \(list)")
    }

    /// Waits until the nodes of one partition are open and see each other and nobody else, and the others, as far as they answer, are not.
    func wait(open partition: [NodeName], closed: [NodeName] = [], _ what: String = "") async throws {
        let name = partition.isEmpty ? "nobody open" : "\(partition.map(\.rawValue).joined(separator: ", ")) open"
        try await wait(until: what.isEmpty ? name : "\(what): \(name)", of: partition + closed) { seen in
            partition.allSatisfy { seen[$0].map { $0.isOpen && Self.sees($0) == Set(partition) } ?? false }
                && closed.allSatisfy { !(seen[$0]?.isOpen ?? false) }
        }
    }

    /// As ``wait(open:closed:_:)``, and it stays like that: the losers do not come back with an opinion of their own.
    func decided(open partition: [NodeName], closed: [NodeName] = [], _ what: String = "", staysFor seconds: Double = 2) async throws {
        try await wait(open: partition, closed: closed, what)
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let seen = await statuses(closed)
            #expect(seen.values.allSatisfy { !$0.isOpen }, "\(what): \(seen.values.filter(\.isOpen).map(Self.line))")
            try await Task.sleep(for: .milliseconds(200))
        }
        try await wait(open: partition, closed: closed, "still")
    }

    /// All nodes are open, see each other, have their votes, hold the witness and know the same configuration.
    func settle() async throws {
        let total = nodes.count % 2 == 0 && hasWitness ? nodes.count + 1 : nodes.count
        try await wait(until: "all settled") { seen in
            guard seen.count == nodes.count, let first = seen[nodes[0]] else { return false }
            return seen.values.allSatisfy { report in
                report.isOpen && Self.sees(report) == Set(nodes) && report.nodes.allSatisfy { $0.state == .up && $0.votes == 1 }
                    && report.votesPresent == total && report.votesTotal == total && report.index == first.index
                    && report.witness?.holder == first.witness?.holder && (!hasWitness || report.witness?.holder != nil)
            }
        }
    }

    static func sees(_ report: ClusterStatusReport) -> Set<NodeName> { Set(report.nodes.filter(\.isPresent).map(\.name)) }
    static func line(_ report: ClusterStatusReport) -> String {
        "\(report.node) \(report.isOpen ? "OPEN" : "closed") index \(report.index), \(report.votesPresent) of \(report.votesTotal) votes, "
            + "sees \(sees(report).sorted().map(\.rawValue)), states \(report.nodes.map { "\($0.name)=\($0.state)/\($0.votes)" }), "
            + "holder \(report.witness?.holder.map { "\($0)" } ?? "-"): \(report.configuration)"
    }

    // MARK: Acting

    func powerOff(_ names: [NodeName]) async throws { for name in names { try await node(name).powerOff() } }
    /// All at the same time, as after a power cut.
    func powerOn(_ names: [NodeName]) async throws {
        for name in names where try !node(name).isRunning { try await node(name).powerOn() }
    }
    func signal(_ name: NodeName, _ signal: Int32, _ program: String) throws {
        try #require(node(name).signal(signal, processesNamed: program) == 1, "\(program) does not run once on \(name)")
    }

    /// Takes away everything that a story may have done to the lab; what the cluster makes of it is its own affair.
    func heal() async throws {
        for node in lab.nodes where node.isRunning {
            for program in ["corosync", "apusd"] { node.signal(SIGCONT, processesNamed: program) }
        }
        if lab.san.processes(named: "tgtd").isEmpty { try await lab.startSAN() }
        let status = try await lab.status()
        if status.sanIsCut { try await lab.restoreSAN() }
        for network in lab.description.networks where network == .cluster || network == .cluster2 { try await lab.join(network) }
        for line in status.nodes where line.isRunning {
            for network in line.cut { try await node(line.name).restore(network) }
        }
        try await powerOn(nodes)
    }
}

/// How long things took, printed for whoever writes the manual.
enum Timetable {
    static func note(_ what: String, after duration: Duration) {
        let seconds = (duration / .milliseconds(10)).rounded() / 100
        print("    \(Test.current?.name ?? "-"): \(what) after \(seconds) s")
    }
}
