import ClusterModel
import Corosync

extension CorosyncConfiguration {
    /// The corosync.conf that a configuration asks for, the same text on every node.
    ///
    /// - Returns: Nil before there is a cluster.
    public init?(of state: ClusterState) {
        guard let identity = state.identity else { return nil }
        self.init(
            clusterID: identity.id, clusterName: identity.name.rawValue, version: state.membershipVersion,
            nodes: state.nodes.values.sorted { $0.id < $1.id }.map { node in
                Node(
                    id: CorosyncNodeID(rawValue: UInt32(node.id.rawValue)), name: node.name, addresses: node.addresses.rings,
                    votes: UInt32(clamping: state.votes.nodes[node.id] ?? 0))
            },
            witness: state.votes.witness > 0 ? Self.witness(votes: state.votes.witness) : nil)
    }

    private static func witness(votes: Int) -> Witness {
        var witness = Witness()
        witness.votes = UInt32(clamping: votes)
        return witness
    }
}
