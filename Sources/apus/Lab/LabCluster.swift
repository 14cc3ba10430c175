import ClusterAPI
import ClusterModel
import Lab
import NodeClient

/// Makes a lab's free nodes a cluster, by the calls that an administrator's commands make.
struct LabCluster {
    let lab: Lab

    func form(progress: (String) -> Void) async throws {
        guard let first = lab.nodes.first else { return }
        do {
            var tokens: [String] = []
            for node in lab.nodes.dropFirst() {
                tokens.append(try await NodeClient(socketPath: node.apiSocket).makeToken(TokenRequest()).token)
            }
            let client = NodeClient(socketPath: first.apiSocket)
            let request = CreateClusterRequest(
                name: ClusterName(unchecked: "lab"), nodes: lab.nodes.map(\.name), tokens: tokens, witness: .auto)
            let change = try await client.createCluster(request)
            var shown = 0
            for try await change in try await client.followChange(change.id) {
                for step in change.steps.dropFirst(shown) { progress("cluster: \(step.text)") }
                shown = change.steps.count
                guard let outcome = change.outcome else { continue }
                guard outcome == .done else { throw CommandFailure(message: change.message) }
                progress(change.message ?? "")
                return
            }
            throw CommandFailure(message: "The node service of \(first.name) stopped telling about the cluster.")
        } catch let error as APIError { throw CommandFailure(message: error.message) }
    }
}
