import ClusterAPI
import ClusterModel
import NodeClient

/// One client to each other node, with its connection kept.
struct Peers: Sendable {
    private let clients: [NodeName: NodeClient]

    /// - Throws: When this node's certificates cannot be used.
    init(configuration: NodeConfiguration) throws {
        var clients: [NodeName: NodeClient] = [:]
        for peer in configuration.peers {
            clients[peer.name] = try NodeClient(
                address: peer.cluster, port: configuration.apiPort, node: peer.name, identity: configuration.directories.identity)
        }
        self.clients = clients
    }

    func client(of node: NodeName) -> (any OperatorOperations & PeerOperations)? { clients[node] }
    /// The same, with a deadline for every call.
    func client(of node: NodeName, waiting deadline: Duration) -> (any OperatorOperations & PeerOperations)? {
        clients[node]?.waiting(deadline)
    }

    /// Asks every other node at the same time; one that does not answer costs ``patience`` at most.
    func askAll<Reply: Sendable>(
        _ question: @escaping @Sendable (NodeClient) async throws(APIError) -> Reply
    ) async -> [NodeName: Result<Reply, APIError>] {
        await withTaskGroup(of: (NodeName, Result<Reply, APIError>).self) { group in
            for (node, client) in clients {
                group.addTask {
                    do throws(APIError) {
                        return (node, .success(try await question(client.waiting(Self.patience))))
                    } catch {
                        return (node, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
    static let patience = Duration.seconds(2)

    func close() async { for client in clients.values { await client.close() } }
}
