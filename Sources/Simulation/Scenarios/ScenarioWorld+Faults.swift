import ClusterModel
import ClusterRules

/// What happens to a data centre, or is done in it.
public enum ScenarioAct: Hashable, Sendable {
    case powerOff(NodeID)
    /// Also the start of a node that was stopped.
    case powerOn(NodeID)
    case stop(NodeID)
    /// Corosync and the node service die; the machines run on, and nobody is there to pause them.
    case killService(NodeID)
    case cutSAN(NodeID)
    case restoreSAN(NodeID)
    /// Each list hears itself only; nodes that are in none hear each other.
    case cutLinks([[NodeID]])
    /// Two nodes do not hear each other, or only one the other; a third one hears both.
    case cutPair(NodeID, NodeID)
    case restoreLinks
    case witness(isReachable: Bool)
    case forceQuorum(NodeID)
    /// Its clock is set: forward, or back.
    case setClock(NodeID, by: Duration)
    /// A change of the configuration, asked for on a node.
    case change(String, NodeID)
}

extension ScenarioWorld {
    public mutating func perform(_ act: ScenarioAct) {
        tell("-- \(act)")
        defer { feelLinks() }
        switch act {
        case .powerOff(let id):
            nodes[id]?.losePower()
        case .powerOn(let id):
            if nodes[id]?.isServing == false {
                nodes[id]?.start(now: now)
                // Its registration at the witness is gone with its former life.
                if holder == id { holder = nil }
            }
        case .stop(let id):
            guard let node = nodes[id], node.isServing else { return }
            // Without quorum there is nobody to say good-bye to.
            if node.isOpen { nodes[id]?.isStopping = true } else { nodes[id]?.losePower() }
        case .killService(let id): nodes[id]?.loseService()
        case .cutSAN(let id): nodes[id]?.isCutFromSAN = true
        case .restoreSAN(let id): nodes[id]?.isCutFromSAN = false
        case .cutLinks(let parts):
            for id in groups.keys { groups[id] = 0 }
            for (offset, part) in parts.enumerated() { for id in part { groups[id] = offset + 1 } }
        case .cutPair(let one, let other): if one != other { cutPairs.append([one, other]) }
        case .restoreLinks:
            cutPairs = []
            for id in groups.keys { groups[id] = 0 }
        case .setClock(let id, let error): nodes[id]?.clockError += error
        case .witness(let isReachable): isWitnessReachable = isReachable
        case .forceQuorum(let id): forceQuorum(id)
        case .change(let text, let id):
            guard let ring = nodes[id]?.ring, isOpen(ring) else {
                tell("n\(id) refuses the change: no quorum")
                return
            }
            propose(.noteEvent(note: EventNote(node: id, severity: .information, cause: nil, sentence: text)), on: ring)
        }
    }

    /// What `apus cluster start --force-quorum` does: the nodes that are there go on with the best log among them, under an epoch that
    /// no other side can have reached, so that it yields when it returns.
    private mutating func forceQuorum(_ id: NodeID) {
        guard let ring = nodes[id]?.ring, isWhole(ring), !isOpen(ring) else {
            tell("n\(id) refuses: it has quorum, or does not know yet who is there")
            return
        }
        let best = bestReplica(of: ring)
        let epoch = (ring.compactMap { nodes[$0]?.replica.promised }.max() ?? 0) + (1 << 32)
        // What the missing nodes acknowledged may be lost now; that is what the operator was warned of.
        acknowledged = (best.index, best.chains.last ?? 0)
        let table = VoteRules.forcedTable(for: best.state, nodes: ring.sorted())
        let command = ClusterCommand.recordForcedQuorum(table: table, nodes: ring.sorted(), reason: "forced by the operator")
        requests += 1
        do throws(ScenarioError) {
            var forced = best
            try Self.append(try Self.entry(command, after: best, epoch: epoch, by: id, number: requests, now: now), to: &forced)
            acknowledged = (forced.index, forced.chains.last ?? 0)
            for member in ring { nodes[member]?.votequorum = VotequorumTarget(of: forced.state) }
            open(epoch, with: forced, on: ring)
        } catch { violations.append("\(Self.text(now)) \(error)") }
    }

    // MARK: What can be seen

    /// "runs: votes 2 of 3", "waits: votes 1 of 3", "undecided" or "off".
    public func status(of id: NodeID) -> String {
        guard let node = nodes[id], node.isServing else { return "off" }
        let standing = standing(of: id)
        let votes = "votes \(standing.votesPresent) of \(standing.votesTotal)"
        if isOpen(node.ring) { return "runs: \(votes)" }
        return node.isRingDecided && isWhole(node.ring) ? "waits: \(votes)" : "undecided"
    }

    public func standing(of id: NodeID) -> QuorumStanding {
        let node = nodes[id]
        let ring = node?.ring ?? []
        return QuorumStanding(of: node?.replica.state ?? ClusterState(), present: ring, witnessHolder: witnessHolder(in: ring))
    }

    /// "runs on n1", "is paused on n2", "is fenced off on n3" (it runs and cannot write), joined by "and"; or "is nowhere".
    public func whereabouts(of name: VMName) -> String {
        let found = nodes.values.sorted { $0.id < $1.id }.compactMap { node in
            node.machines[name].map {
                ($0.execution != .running ? "is paused" : fenced.contains(node.id) ? "is fenced off" : "runs") + " on n\(node.id)"
            }
        }
        return found.isEmpty ? "is nowhere" : found.joined(separator: " and ")
    }

    /// Whether a node's copy of the configuration has a change.
    public func knows(_ id: NodeID, _ text: String) -> Bool {
        nodes[id]?.replica.state.history.contains { $0.sentence == text } ?? false
    }
    public var nodeIDs: [NodeID] { nodes.keys.sorted() }
    public var machineNames: [VMName] { nodeIDs.first.flatMap { nodes[$0]?.replica.state.machines.keys.sorted() } ?? [] }
    /// Every node is up and part of one open partition that has all the votes it began with, and every machine runs once.
    public var isHealthy: Bool {
        nodeIDs.allSatisfy { status(of: $0).hasPrefix("runs") && nodes[$0]?.ring.count == nodes.count && !fenced.contains($0) }
            && machineNames.allSatisfy { whereabouts(of: $0).hasPrefix("runs on") && !whereabouts(of: $0).contains(" and ") }
    }
}
