import ClusterModel
import ClusterRules
import Corosync

extension CorosyncConfiguration {
    /// The corosync.conf that a configuration asks for, the same text on every node.
    ///
    /// - Returns: Nil before there is a cluster.
    public init?(of state: ClusterState) {
        guard let identity = state.identity else { return nil }
        let target = VotequorumTarget(of: state)
        var witness: Witness?
        if target.deviceVotes > 0 {
            var device = Witness()
            device.votes = UInt32(clamping: target.deviceVotes)
            // What the arbitration counts on: after this time no stale vote of a silent node counts.
            device.timeout = ArbitrationTimings().pollTimeout
            witness = device
        }
        self.init(
            clusterID: identity.id, clusterName: identity.name.rawValue, version: state.membershipVersion,
            nodes: state.nodes.values.sorted { $0.id < $1.id }.map { node in
                Node(
                    id: CorosyncNodeID(rawValue: UInt32(node.id.rawValue)), name: node.name, addresses: node.addresses.rings,
                    votes: UInt32(clamping: target.nodeVotes[node.id, default: 0]))
            }, witness: witness)
    }
}
