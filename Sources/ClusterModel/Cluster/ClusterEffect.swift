/// Something one node has to do because a command was applied.
///
/// Each says how things shall be, not what to change, so doing it again after a crash does no harm.
public enum ClusterEffect: Hashable, Sendable, Codable {
    /// Write Corosync's configuration file for the nodes, rings and votes of the state; then, on the coordinator, ask Corosync to read it.
    case writeMembership(on: NodeID)
    case reloadMembership(on: NodeID)
    /// Tell votequorum the votes in force (see `VotequorumTarget` in `ClusterRules`).
    case followVotes(on: NodeID)
    /// Open the witness of the state, or let go of the former one.
    case followWitness(on: NodeID)
    /// Prove that a lost node cannot write: preempt its registration on every cluster disk, await the answers, then say `nodeDown` fenced.
    case fence(node: NodeID, on: NodeID)
    /// Move the machines of a draining node away, then say `nodeDrained`.
    case drain(on: NodeID)
    /// Run it, unless the node finds itself no longer the owner under this epoch.
    case runMachine(machine: VMName, epoch: UInt64, on: NodeID)
    /// Stop it if it runs here.
    case stopMachine(machine: VMName, on: NodeID)
    /// Write the ownership record on the shared disk.
    case writeOwnership(machine: VMName, owner: NodeID, epoch: UInt64, on: NodeID)
    /// Forget the machine: definition files and sockets.
    case forgetMachine(machine: VMName, on: NodeID)
    /// Use the certificates of the state, refuse the revoked ones.
    case followCertificates(on: NodeID)
    /// Stop everything of the cluster here and give up its configuration.
    case leaveCluster(on: NodeID)

    /// The node that carries it out.
    public var node: NodeID {
        switch self {
        case .writeMembership(let on), .reloadMembership(let on), .followVotes(let on), .followWitness(let on), .fence(_, let on),
            .drain(let on), .runMachine(_, _, let on), .stopMachine(_, let on), .writeOwnership(_, _, _, let on),
            .forgetMachine(_, let on), .followCertificates(let on), .leaveCluster(let on):
            on
        }
    }
}
