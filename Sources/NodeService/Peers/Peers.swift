import ClusterAPI
import ClusterModel
import NodeClient
import Synchronization

/// The nodes of the cluster as they are now known, and one client to each other node, with its connection kept.
///
/// The list changes while the service runs: nodes are added and evicted, and a free node that joins has none before.
package final class Peers: Sendable {
    private struct Directory: Sendable {
        var cluster: String
        var nodes: [NodeAddress]
        var coordinator: NodeName
        var clients: [NodeName: (address: NodeAddress, client: NodeClient)] = [:]
    }
    private let directory: Mutex<Directory>
    private let node: NodeName
    private let port: Int
    private let identity: String

    /// - Throws: When this node's certificates cannot be used.
    init(configuration: NodeConfiguration) throws(APIError) {
        node = configuration.node
        port = configuration.apiPort
        identity = configuration.directories.identity
        directory = Mutex(Directory(cluster: configuration.cluster, nodes: [], coordinator: configuration.node))
        let coordinator = configuration.nodes.first?.name ?? configuration.node
        try follow(cluster: configuration.cluster, nodes: configuration.nodes, coordinator: coordinator)
    }

    /// Takes over what the cluster's configuration says. Clients of nodes that stay where they are keep their connections.
    ///
    /// - Parameters:
    ///   - cluster: The cluster's name; empty when this node belongs to none.
    ///   - coordinator: The only node that writes volume metadata.
    ///   - renewed: This node has new certificates: every client is made anew.
    func follow(cluster: String, nodes: [NodeAddress], coordinator: NodeName, renewed: Bool = false) throws(APIError) {
        let known = directory.withLock { $0.clients }
        var clients: [NodeName: (address: NodeAddress, client: NodeClient)] = [:]
        for peer in nodes where peer.name != node {
            if !renewed, let kept = known[peer.name], kept.address == peer {
                clients[peer.name] = kept
            } else {
                clients[peer.name] = (
                    peer, try NodeClient(address: peer.cluster, port: port, node: peer.name, identity: identity)
                )
            }
        }
        // Clients that are let go close when their last call has ended.
        directory.withLock { directory in
            directory.cluster = cluster
            directory.nodes = nodes
            directory.coordinator = coordinator
            directory.clients = clients
        }
    }

    /// This node has new certificates: later connections are made with them.
    func renew() throws(APIError) {
        let now = directory.withLock { $0 }
        try follow(cluster: now.cluster, nodes: now.nodes, coordinator: now.coordinator, renewed: true)
    }

    /// The name of the cluster; empty when this node belongs to none.
    package var cluster: String { directory.withLock { $0.cluster } }
    /// Every node, this one included.
    package var nodes: [NodeAddress] { directory.withLock { $0.nodes } }
    /// The only node that writes volume metadata.
    var coordinator: NodeName { directory.withLock { $0.coordinator } }
    var isCoordinator: Bool { coordinator == node }
    package func address(of node: NodeName) -> NodeAddress? { nodes.first { $0.name == node } }

    func client(of node: NodeName) -> (any NodeOperations)? { nodeClient(of: node) }
    /// The same, with a deadline for every call.
    package func client(of node: NodeName, waiting deadline: Duration) -> (any NodeOperations & ValidationOperations)? {
        nodeClient(of: node)?.waiting(deadline)
    }
    private func nodeClient(of node: NodeName) -> NodeClient? { directory.withLock { $0.clients[node]?.client } }

    /// Asks every other node at the same time; one that does not answer costs ``patience`` at most.
    func askAll<Reply: Sendable>(
        _ question: @escaping @Sendable (NodeClient) async throws(APIError) -> Reply
    ) async -> [NodeName: Result<Reply, APIError>] {
        let clients = directory.withLock { $0.clients.mapValues(\.client) }
        return await withTaskGroup(of: (NodeName, Result<Reply, APIError>).self) { group in
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

    func close() async {
        let clients = directory.withLock { $0.clients }
        for client in clients.values { await client.client.close() }
    }
}
