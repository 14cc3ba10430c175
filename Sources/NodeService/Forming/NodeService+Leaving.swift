import ClusterAPI
import ClusterModel
import Forming
import Foundation

/// Members that are stopped, started, and leave their cluster.
extension NodeService {
    public func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange {
        guard let forming else { throw fixedList }
        guard let member else { throw error(.refused, "\(node) belongs to no cluster: there is nothing to destroy.") }
        if let name = request.name, name != member.cluster {
            throw error(.refused, "\(node) is a member of cluster \(member.cluster), not of \(name). Nothing was changed.")
        }
        guard request.localOnly || request.name != nil else {
            throw error(.invalid, "To destroy the whole cluster, give its name: apus cluster destroy \(member.cluster)")
        }
        guard request.localOnly else { throw error(.refused, "Destroy each node with --local for now.") }
        guard request.force || forming.folder.eviction() != nil else {
            throw error(
                .refused,
                "\(node) is a member of cluster \(member.cluster), which goes on without it and would wait for it. Evict it there: apus node evict \(node). "
                    + "If that cluster is gone, or never began, use --force.")
        }
        return try await begin(.destroyCluster, of: member.cluster.rawValue) { report in
            try await self.leave(member)
            await report("\(member.node): belongs to no cluster")
            return "\(member.node) is a free node."
        }
    }

    /// Makes this node a free one.
    func leave(_ member: MemberRecord) async throws(APIError) {
        guard let forming else { throw fixedList }
        try refuseWhileMachinesRun(to: "leave its cluster")
        try await becomeFree()
        do { try forming.folder.remove() } catch { throw translate(error, while: "Removing the cluster folder") }
    }

    func refuseWhileMachinesRun(to doing: String) throws(APIError) {
        let running = machines.filter { $0.value.local != nil }.keys.sorted()
        guard running.isEmpty else {
            let names = running.map(\.rawValue).joined(separator: ", ")
            throw error(.refused, "\(node) cannot \(doing) while it runs machines: \(names). Migrate or stop them first.")
        }
    }
}

extension NodeService {
    public func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange { throw needsEngine }
    public func evictNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange { throw needsEngine }
    public func stopNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange { throw needsEngine }
    public func startNode(_ node: NodeName) async throws(APIError) -> ClusterChange { throw needsEngine }
    private var needsEngine: APIError { error(.refused, "The configuration of the cluster is not open on \(node).") }
}
