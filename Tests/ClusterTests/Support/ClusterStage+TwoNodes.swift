import ClusterAPI
import ClusterModel
import Testing

/// For the suites with two nodes and a witness.
extension ClusterStage {
    static let n1 = NodeName(unchecked: "n1")
    static let n2 = NodeName(unchecked: "n2")
    static let nodes = [n1, n2]

    static func build(prefix: String) async throws -> ClusterStage { try await build(prefix: prefix, nodes: 2, hasWitness: true) }

    /// Waits until one node's report is as wanted.
    func wait(_ node: NodeName, until what: String, _ isSo: (ClusterStatusReport) -> Bool) async throws -> ClusterStatusReport {
        let seen = try await wait(until: what, of: [node]) { seen in seen[node].map(isSo) ?? false }
        return try #require(seen[node])
    }
}

/// The other of the two nodes.
func other(_ node: NodeName) -> NodeName { node == ClusterStage.n1 ? ClusterStage.n2 : ClusterStage.n1 }

extension Trait where Self == ClusterTrait {
    static var cluster: ClusterTrait { .cluster(nodes: 2, hasWitness: true) }
}

extension PartitionWatch {
    static func during(_ stage: ClusterStage, _ story: () async throws -> Void) async throws {
        let watch = PartitionWatch(stage)
        do { try await story() } catch {
            _ = await watch.stop()
            throw error
        }
        await watch.verify()
    }
}
