import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient

/// Apus in a lab as a cluster: nodes with Corosync, `apusd`, and a SAN, formed by the calls that an administrator's commands make.
struct ClusterSide: Sendable {
    let lab: Lab
    var name: String { "apus \(ApusVersion.current)" }

    static func up(_ tools: LabTools, prefix: String, nodes: Int) async throws -> ClusterSide {
        let lab = try await LabBuilder(LabDescription(prefix: prefix, nodeCount: nodes), tools: tools, nodes: .unjoined).up()
        try await lab.formCluster()
        let side = ClusterSide(lab: lab)
        do {
            try await side.waitUntilWhole()
        } catch let error as APIError { throw BenchError("The cluster of lab \(prefix) was not formed: \(error.message)") }
        return side
    }

    func client(_ node: String) throws -> NodeClient { NodeClient(socketPath: try lab.node(node).apiSocket) }

    /// Returns when every node sees every other one, may change things, has its vote, and knows who holds the witness, if there is one.
    func waitUntilWhole(seconds: Int = 60) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        var last = "nothing"
        while ContinuousClock.now < end {
            last = try await whatIsMissing()
            if last.isEmpty { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw BenchError("The cluster is not whole after \(seconds) s: \(last)")
    }

    private func whatIsMissing() async throws -> String {
        for node in lab.nodes {
            let report: ClusterStatusReport
            do { report = try await client(node.name.rawValue).clusterStatus() } catch let error as APIError {
                return "\(node.name) does not answer: \(error.message)"
            }
            guard report.isOpen else { return "\(node.name): \(report.configuration)" }
            guard report.nodes.count == lab.nodes.count, report.nodes.allSatisfy({ $0.isPresent && $0.votes > 0 && $0.state == .up }) else {
                return "\(node.name) misses nodes or their votes"
            }
            if let witness = report.witness, witness.votes > 0, witness.holder == nil || witness.problem != nil {
                return "\(node.name) does not know who holds the witness: \(witness.problem ?? "nobody does")"
            }
        }
        return ""
    }

    /// The node that holds the witness.
    func holder() async throws -> NodeName {
        guard let holder = try await client("n1").clusterStatus().witness?.holder else { throw BenchError("Nobody holds the witness.") }
        return holder
    }

    /// Makes sure that the replicas lie on a disk.
    ///
    /// - Throws: ``BenchError`` when it is memory: nothing is made durable there, so there is nothing to compare.
    func requireDisk() async throws {
        let path = try lab.node("n1").stateFolder
        let said = try await hostCommand(["stat", "-f", "-c", "%T", path], seconds: 5).output
        let kind = said.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !["tmpfs", "ramfs"].contains(kind) else {
            throw BenchError("\(path) lies in memory, where a sync costs nothing: what is measured there means nothing.")
        }
    }
}
