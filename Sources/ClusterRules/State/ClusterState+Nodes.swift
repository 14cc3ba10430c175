import ClusterModel

extension ClusterState {
    mutating func add(_ node: NewNode, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        try checkJoining(node)
        // Not up yet, and harmless: it has never run anything.
        insert(node, presence: .stopped, at: place)
        followNodeCount()
        tell(.nodeAdded, .information, node.id, "\(node.name) joined the cluster.", at: place)
        return membershipEffects
    }

    mutating func evict(_ id: NodeID, _ reason: String, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        guard nodes.count > 1 else { throw .lastNode(node.name) }
        guard node.presence != .up else { throw .nodeIsUp(node.name) }
        guard node.presence.isHarmless else { throw .nodeMayStillWrite(node.name) }
        guard votes.nodes[id, default: 0] == 0 else { throw .nodeStillVotes(node.name) }
        let owned = machines(ownedBy: id).map(\.name)
        guard owned.isEmpty else { throw .nodeOwnsMachines(node.name, owned) }

        nodes[id] = nil
        evicted[id] = EvictedNode(id: id, name: node.name, evictedAt: place.time, reason: reason)
        for serial in certificates.keys.sorted() where certificates[serial]?.node == id && certificates[serial]?.revokedAt == nil {
            certificates[serial]?.revokedAt = place.time
        }
        followNodeCount()
        tell(.nodeEvicted, .warning, id, "\(node.name) was evicted from the cluster.", cause: reason, at: place)
        return membershipEffects + upNodes.map { .followCertificates(on: $0) } + [.leaveCluster(on: id)]
    }

    mutating func nodeUp(_ id: NodeID, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        guard node.presence != .up else { throw .nodeIsUp(node.name) }
        nodes[id]?.presence = .up
        // Whoever came back has given way by then; what was forced is history.
        if let forced = forcedQuorum, nodes.values.allSatisfy({ forced.nodes.contains($0.id) || $0.presence == .up }) { forcedQuorum = nil }
        tell(.nodeUp, .information, id, "\(node.name) is up.", at: place)
        return [.writeMembership(on: id), .followVotes(on: id), .followWitness(on: id), .followCertificates(on: id)]
    }

    mutating func nodeDown(
        _ id: NodeID, _ presence: NodePresence, _ reason: String, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        switch presence {
        case .up: throw .invalidSetting("A node that is down cannot be up. Say whether it stopped, was lost or was fenced.")
        case .stopped, .lost:
            guard node.presence == .up else { throw .nodeIsDown(node.name, node.presence) }
        case .fenced:
            // A node that is up must first be given up: others may be talking to it.
            guard node.presence == .lost else { throw .notLost(node.name) }
        }
        nodes[id]?.presence = presence
        switch presence {
        case .lost:
            tell(.nodeLost, .error, id, "\(node.name) is lost.", cause: reason, at: place)
            // Nothing of it starts elsewhere yet: until it is fenced it may still be writing.
            return coordinator.map { [.fence(node: id, on: $0)] } ?? []
        case .fenced:
            tell(.nodeFenced, .warning, id, "\(node.name) is fenced: it cannot write to any cluster disk.", cause: reason, at: place)
        default:
            tell(.nodeStopped, .information, id, "\(node.name) stopped.", cause: reason, at: place)
        }
        return []
    }

    mutating func pause(
        _ id: NodeID, drain: Bool, _ reason: String, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        // Only a node that is up can move machines away.
        guard !drain || node.presence == .up else { throw .nodeIsDown(node.name, node.presence) }
        nodes[id]?.service = drain ? .draining : .paused
        if drain {
            tell(.nodeDraining, .information, id, "\(node.name) is being drained.", cause: reason, at: place)
            return [.drain(on: id)]
        }
        tell(.nodePaused, .information, id, "\(node.name) is paused: nothing new is placed on it.", cause: reason, at: place)
        return []
    }

    mutating func drained(_ id: NodeID, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        guard node.service == .draining else { throw .notDraining(node.name) }
        nodes[id]?.service = .paused
        tell(.nodePaused, .information, id, "\(node.name) is drained and paused.", at: place)
        return []
    }

    mutating func resume(_ id: NodeID, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(id)
        guard node.service != .active else { throw .notPaused(node.name) }
        nodes[id]?.service = .active
        tell(.nodeResumed, .information, id, "\(node.name) takes machines again.", at: place)
        return []
    }

    mutating func set(_ networks: [ClusterNetwork], at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        try Self.check(networks)
        self.networks = networks
        let list = networks.map { "\($0.name) (\($0.subnet), \($0.use.rawValue))" }.joined(separator: ", ")
        tell(.networksChanged, "The networks are now: \(list).", at: place)
        return []
    }

    static func check(_ networks: [ClusterNetwork]) throws(CommandRejection) {
        guard Set(networks.map(\.name)).count == networks.count, Set(networks.map(\.subnet)).count == networks.count else {
            throw .invalidSetting("Two networks have the same name or subnet. Name each once.")
        }
    }
}
