import ClusterModel

extension ClusterState {
    mutating func create(_ founding: ClusterFounding, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        if let identity { throw .alreadyFormed(identity.name) }
        // Built aside: a founding that turns out wrong half way must leave nothing behind.
        var next = self
        guard !founding.nodes.isEmpty else { throw .invalidFounding("it has no nodes. Name at least one.") }
        next.identity = ClusterIdentity(id: founding.id, name: founding.name, createdAt: place.time)
        for node in founding.nodes.sorted(by: { $0.id < $1.id }) {
            try next.checkJoining(node)
            next.insert(node, presence: .up, at: place)
        }
        guard founding.votes.total > 0, founding.votes.witness >= 0,
            founding.votes.nodes.allSatisfy({ next.nodes[$0.key] != nil && $0.value >= 0 })
        else { throw .invalidFounding("its votes are not those of its nodes. Work them out again.") }
        try Self.check(founding.networks)
        next.networks = founding.networks
        for disk in founding.disks {
            guard next.disks[disk.id] == nil else { throw .diskKnown(disk.id) }
            next.disks[disk.id] = disk
        }
        try next.check(founding.witness)
        next.witness = WitnessStatus(
            witness: founding.witness, number: founding.votes.witnessID, condition: .present, since: place.time)
        try Self.check(secondsUntilStop: founding.quorum.secondsUntilStop)
        guard founding.quorum.model.fits(founding.witness) else {
            throw .modelNeedsWitness(founding.quorum.model, founding.witness)
        }
        next.quorum = founding.quorum
        next.votes = founding.votes
        next.authority = founding.authority
        for certificate in founding.certificates { next.certificates[certificate.facts.serial] = certificate }
        let names = next.nodes.values.sorted { $0.id < $1.id }.map(\.name.rawValue).joined(separator: ", ")
        next.tell(.clusterCreated, "The cluster \(founding.name) was created with \(names).", at: place)
        self = next
        return membershipEffects + upNodes.map { .followWitness(on: $0) }
    }

    mutating func destroy(_ reason: String, at place: CommandPlace) -> [ClusterEffect] {
        let name = identity?.name.rawValue ?? ""
        destroyedAt = place.time
        tell(.clusterDestroyed, .warning, "The cluster \(name) was destroyed.", cause: reason, at: place)
        return nodes.keys.sorted().map { .leaveCluster(on: $0) }
    }

    /// What must hold for a node that joins, whoever else is there.
    func checkJoining(_ node: NewNode) throws(CommandRejection) {
        guard node.id.rawValue > highestNodeID else { throw .nodeNumberUsed(node.id, highest: highestNodeID) }
        guard self.node(named: node.name) == nil else { throw .nodeNameUsed(node.name) }
        let rings = node.addresses.rings
        guard (1...2).contains(rings.count), Set(rings).count == rings.count, rings.allSatisfy({ !$0.isEmpty }) else {
            throw .invalidAddresses(node.name, problem: "one or two different addresses on cluster networks are needed.")
        }
        for other in nodes.values.sorted(by: { $0.id < $1.id }) {
            // Corosync wants every ring on every node (corosync.conf(5), nodelist).
            guard other.addresses.rings.count == rings.count else {
                throw .invalidAddresses(
                    node.name, problem: "the other nodes have \(other.addresses.rings.count) on cluster networks; give as many.")
            }
            if let taken = rings.first(where: { other.addresses.rings.contains($0) }) {
                throw .invalidAddresses(node.name, problem: "\(taken) belongs to \(other.name).")
            }
        }
    }

    mutating func insert(_ node: NewNode, presence: NodePresence, at place: CommandPlace) {
        nodes[node.id] = ClusterNode(
            id: node.id, name: node.name, addresses: node.addresses, presence: presence, joinedAt: place.time, certificate: node.certificate
        )
        highestNodeID = node.id.rawValue
        if certificates[node.certificate.serial] == nil {
            certificates[node.certificate.serial] = IssuedCertificate(
                facts: node.certificate, subject: node.name.rawValue, node: node.id, issuedAt: place.time)
        }
    }
}
