import ClusterAPI
import ClusterModel
import Lab
import NodeClient

/// The nodes of a lab, as somebody who is root on each of them reaches them.
struct LabTargets {
    private let lab: Lab
    private let first: LabNode
    let client: NodeClient

    init(of lab: Lab) throws {
        self.lab = lab
        guard let first = lab.nodes.first(where: \.isRunning) else {
            throw CommandFailure(message: "No node of lab \(lab.description.prefix) runs.", exitCode: 2)
        }
        self.first = first
        client = NodeClient(socketPath: first.apiSocket)
    }

    /// One-time words of the other nodes; none when they form a cluster.
    func tokens() async throws -> [String] {
        guard try await client.membership().state == .free else { return [] }
        var tokens: [String] = []
        for node in lab.nodes where node.name != first.name && node.isRunning {
            tokens.append(try await NodeClient(socketPath: node.apiSocket).makeToken(TokenRequest()).token)
        }
        return tokens
    }
}
