import ClusterModel

extension ClusterState {
    /// What an operator should know about the way this cluster counts votes. Sentences, the gravest first.
    public var quorumWarnings: [String] {
        var warnings: [String] = []
        if let forced = forcedQuorum, nodes.values.contains(where: { !forced.nodes.contains($0.id) && $0.presence != .up }) {
            warnings.append(
                "Quorum was forced by \(forced.by) and not every node is back: what the others changed meanwhile is dropped when they return."
            )
        }
        if quorum.model == .diskOnly {
            warnings.append("Disk Only: the cluster stops when the witness disk does, however many nodes are up. Use it for repairs only.")
        }
        if nodes.count == 1 {
            warnings.append("One node is no failover cluster. Add another with `apus node add`.")
        }
        if nodes.count > 1, nodes.count.isMultiple(of: 2), witness.witness == .none {
            warnings.append(
                nodes.count == 2 && !quorum.isDynamic
                    ? "Two nodes without a witness: when either fails, both stop. Set a witness with `apus cluster quorum set --witness`."
                    : "An even number of nodes without a witness: half of them decides whether the cluster goes on. "
                        + "Set a witness with `apus cluster quorum set --witness`.")
        }
        if nodes.count > 1, !nodes.count.isMultiple(of: 2), quorum.model.countsWitness, quorum.model != .diskOnly, !quorum.isDynamic {
            warnings.append(
                "An odd number of nodes and a witness make an even number of votes: half of them cannot go on. Use Node Majority.")
        }
        if case .fileShare = witness.witness {
            warnings.append(
                "A file share is as good as its server, which must not be one of the nodes, and has to be mounted without caches "
                    + "(NFS: noac,lookupcache=none; SMB: cache=none). Prefer a witness disk where there is a shared one.")
        }
        switch witness.condition {
        case .present: break
        case .lost: if witness.witness != .none { warnings.append("The witness is lost. See `apus disk list`, and the array's own log.") }
        case .maintenance:
            warnings.append("The witness is in maintenance. End it with `apus cluster quorum set --witness-maintenance off`.")
        }
        if !quorum.isDynamic, nodes.count > 2 {
            warnings.append("Dynamic quorum is off: nodes that stop one after another keep their votes, and the cluster stops at half.")
        }
        return warnings
    }
}
