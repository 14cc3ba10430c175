import ClusterModel

/// Where in the log a command stands, and what came with it.
public struct CommandPlace: Hashable, Sendable {
    /// ``LogEntry/index``.
    public var index: UInt64
    /// ``CommandProposal/time``: by the proposer's clock.
    public var time: WallTime
    /// The node that proposed it.
    public var proposer: NodeID?
    /// ``CommandProposal/requestedBy``.
    public var requestedBy: String?
    public init(index: UInt64, time: WallTime, proposer: NodeID? = nil, requestedBy: String? = nil) {
        self.index = index
        self.time = time
        self.proposer = proposer
        self.requestedBy = requestedBy
    }
}

/// Decides what a committed command means, alike on every node.
///
/// - Returns: What is to be done by whom, in order. Lists of nodes and machines are sorted: every node returns the same.
/// - Throws: ``CommandRejection``; then the state is untouched. Every handler checks everything before it changes anything.
public func apply(
    _ command: ClusterCommand, at place: CommandPlace, to state: inout ClusterState
) throws(CommandRejection) -> [ClusterEffect] {
    guard state.destroyedAt == nil else { throw .destroyed }
    if case .createCluster(let founding) = command { return try state.create(founding, at: place) }
    guard state.identity != nil else { throw .notFormed }

    switch command {
    case .createCluster: throw .notFormed  // Handled above.
    case .destroyCluster(let reason): return state.destroy(reason, at: place)

    case .addNode(let node): return try state.add(node, at: place)
    case .evictNode(let node, let reason): return try state.evict(node, reason, at: place)
    case .nodeUp(let node): return try state.nodeUp(node, at: place)
    case .nodeDown(let node, let presence, let reason): return try state.nodeDown(node, presence, reason, at: place)
    case .pauseNode(let node, let drain, let reason): return try state.pause(node, drain: drain, reason, at: place)
    case .nodeDrained(let node): return try state.drained(node, at: place)
    case .resumeNode(let node): return try state.resume(node, at: place)
    case .setNetworks(let networks): return try state.set(networks, at: place)

    case .setQuorumModel(let model, let isAutomatic): return try state.set(model, isAutomatic: isAutomatic, at: place)
    case .setQuorumOptions(let isDynamic, let seconds):
        return try state.setQuorumOptions(isDynamic: isDynamic, secondsUntilStop: seconds, at: place)
    case .changeVotes(let table, let reason): return try state.changeVotes(table, reason, at: place)
    case .recordForcedQuorum(let table, let nodes, let reason):
        return try state.recordForcedQuorum(table, nodes, reason, at: place)
    case .setWitness(let witness, let number): return try state.set(witness, number: number, at: place)
    case .setWitnessMaintenance(let isOn, let reason): return try state.setWitnessMaintenance(isOn, reason, at: place)
    case .witnessLost(let reason): return try state.witnessLost(reason, at: place)
    case .witnessReturned: return try state.witnessReturned(at: place)

    case .addDisk(let disk): return try state.add(disk, at: place)
    case .removeDisk(let disk): return try state.remove(disk, at: place)

    case .addMachine(let machine, let owner, let epoch): return try state.add(machine, owner: owner, epoch: epoch, at: place)
    case .changeMachine(let machine): return try state.change(machine, at: place)
    case .removeMachine(let name, let epoch): return try state.removeMachine(name, epoch: epoch, at: place)
    case .startMachine(let name): return try state.startMachine(name, at: place)
    case .stopMachine(let name): return try state.stopMachine(name, at: place)
    case .changeOwner(let change): return try state.changeOwner(change, at: place)
    case .recordReconciliation(let node, let findings): return try state.reconciled(node, findings, at: place)

    case .renewAuthority(let authority): return state.renew(authority, at: place)
    case .setCorosyncKey(let key): return try state.setCorosyncKey(key, at: place)
    case .recordCertificate(let certificate): return try state.record(certificate, at: place)
    case .addJoinToken(let token): return state.add(token, at: place)
    case .useJoinToken(let hash, let node): return try state.useToken(hash, node, at: place)
    case .beginOperation(let operation): return try state.begin(operation, at: place)
    case .advanceOperation(let id, let step): return try state.advance(id, step)
    case .endOperation(let id, let problem): return try state.end(id, problem, at: place)
    case .noteEvent(let note):
        state.tell(.noted, note.severity, note.node, note.sentence, cause: note.cause, at: place)
        return []
    }
}

extension ClusterState {
    /// Adds a line about the cluster as a whole to the history.
    mutating func tell(_ kind: ClusterEvent.Kind, _ sentence: String, cause: String? = nil, at place: CommandPlace) {
        tell(kind, .information, nil, sentence, cause: cause, at: place)
    }
    mutating func tell(
        _ kind: ClusterEvent.Kind, _ severity: ClusterEvent.Severity, _ sentence: String, cause: String? = nil, at place: CommandPlace
    ) {
        tell(kind, severity, nil, sentence, cause: cause, at: place)
    }
    mutating func tell(
        _ kind: ClusterEvent.Kind, _ severity: ClusterEvent.Severity, _ node: NodeID?, _ sentence: String, cause: String? = nil,
        at place: CommandPlace
    ) {
        lastEventID += 1
        let causes = [cause, place.requestedBy.map { "asked for by \($0)" }].compactMap { $0 }.filter { !$0.isEmpty }
        history.append(
            ClusterEvent(
                id: lastEventID, time: place.time, node: node, kind: kind, severity: severity,
                cause: causes.isEmpty ? nil : causes.joined(separator: "; "), sentence: sentence))
        if history.count > Self.historyLimit { history.removeFirst(history.count - Self.historyLimit) }
    }

    func member(_ node: NodeID) throws(CommandRejection) -> ClusterNode {
        if let member = nodes[node] { return member }
        if let former = evicted[node] { throw .nodeEvicted(former.name, reason: former.reason) }
        throw .unknownNode(node)
    }

    /// Nodes that are up, in the order of their numbers.
    var upNodes: [NodeID] { nodes.values.filter { $0.presence == .up }.map(\.id).sorted() }

    /// Every node that is up writes Corosync's file, then one makes Corosync read it everywhere.
    var membershipEffects: [ClusterEffect] {
        upNodes.map { .writeMembership(on: $0) } + (coordinator.map { [.reloadMembership(on: $0)] } ?? [])
    }
}
