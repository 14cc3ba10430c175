import ClusterAPI
import ClusterModel
import Lab
import NodeClient

/// The nodes of a lab, as somebody who is root on each of them reaches them.
struct LabTargets {
    private let lab: Lab
    let client: NodeClient

    init(prefix: String) async throws {
        lab = try await Lab.open(prefix: prefix)
        guard let first = lab.nodes.first else { throw CommandFailure(message: "Lab \(prefix) has no node.", exitCode: 2) }
        client = NodeClient(socketPath: first.apiSocket)
    }

    /// One-time words of the other nodes; none when they form a cluster.
    func tokens() async throws -> [String] {
        guard try await client.membership().state == .free else { return [] }
        var tokens: [String] = []
        for node in lab.nodes.dropFirst() {
            tokens.append(try await NodeClient(socketPath: node.apiSocket).makeToken(TokenRequest()).token)
        }
        return tokens
    }
}
