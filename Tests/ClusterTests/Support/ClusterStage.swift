import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// A lab whose two nodes form a cluster with a witness.
final class ClusterStage: Sendable {
    @TaskLocal static var current: ClusterStage?

    static let n1 = NodeName(unchecked: "n1")
    static let n2 = NodeName(unchecked: "n2")
    static let nodes = [n1, n2]
    /// For everything that a cluster does by itself: seconds on an idle machine, so a slow one has several times as long.
    static let patience = 30.0

    let lab: Lab
    private let clients: [NodeName: NodeClient]

    static func get() throws -> ClusterStage { try #require(current, "This test runs without its lab.") }

    static func build(prefix: String) async throws -> ClusterStage {
        let lab = try await LabBuilder(LabDescription(prefix: prefix), tools: .find(), nodes: .unjoined, serviceSeconds: 90).up()
        try await lab.formCluster()
        return try ClusterStage(lab)
    }

    private init(_ lab: Lab) throws {
        self.lab = lab
        var clients: [NodeName: NodeClient] = [:]
        for node in lab.nodes { clients[node.name] = NodeClient(socketPath: node.apiSocket).waiting(.seconds(3)) }
        self.clients = clients
    }

    func close() async { for client in clients.values { await client.close() } }

    func client(of node: NodeName) throws -> NodeClient { try #require(clients[node]) }
    func node(_ name: NodeName) throws -> LabNode { try lab.node(name.rawValue) }

    /// Nil when the node or its service is off, which is no error in these stories.
    func status(_ node: NodeName) async -> ClusterStatusReport? { try? await clients[node]?.clusterStatus() }

    /// Waits until one node's report is as wanted.
    func wait(_ node: NodeName, until what: String, _ isSo: (ClusterStatusReport) -> Bool) async throws -> ClusterStatusReport {
        let end = ContinuousClock.now + .seconds(Self.patience)
        var last: ClusterStatusReport?
        while ContinuousClock.now < end {
            last = await status(node)
            if let last, isSo(last) { return last }
            try await Task.sleep(for: .milliseconds(100))
        }
        let seen = last.map { "\($0)" } ?? "no answer"
        return try #require(nil as ClusterStatusReport?, "\(node) was not \(what) within \(Self.patience) s: \(seen)")
    }

    /// Both nodes are open, see each other, hold the witness and know the same configuration.
    func settle() async throws {
        let end = ContinuousClock.now + .seconds(Self.patience)
        var seen = ""
        while ContinuousClock.now < end {
            let reports = [await status(Self.n1), await status(Self.n2)].compactMap { $0 }
            if reports.count == 2, reports.allSatisfy({ $0.isOpen && $0.votesPresent == 3 && $0.nodes.allSatisfy(\.isPresent) }),
                reports[0].index == reports[1].index, reports[0].witness?.holder == reports[1].witness?.holder
            {
                return
            }
            seen = reports.map { "\($0)" }.joined(separator: "\n")
            try await Task.sleep(for: .milliseconds(100))
        }
        try #require(Bool(false), "The cluster did not settle within \(Self.patience) s: \(seen)")
    }
    func holder() async throws -> NodeName { try #require(await status(Self.n1)?.witness?.holder) }
}

/// The other of the two nodes.
func other(_ node: NodeName) -> NodeName { node == ClusterStage.n1 ? ClusterStage.n2 : ClusterStage.n1 }
