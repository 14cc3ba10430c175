import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Membership

/// The cluster as this node sees it.
extension NodeService: ClusterStatusOperations {
    public func clusterStatus() async throws(APIError) -> ClusterStatusReport { report(of: try await memberView()) }

    /// What the engine knows.
    func memberView() async throws(APIError) -> ClusterMember.View {
        guard let forming else { throw fixedList }
        try requireCluster()
        guard let view = await forming.engine.view else {
            throw error(.refused, "\(node) is a member of a cluster whose engine is stopped here. See: apus cluster status")
        }
        return view
    }

    private func report(of view: ClusterMember.View) -> ClusterStatusReport {
        let (state, standing) = (view.state, view.standing)
        let names = { (id: NodeID) in state.name(of: id) }
        // What this node read last is not what it can use now. Where another holds the witness, the log that closed for want of it tells,
        // or Corosync, which has no quorum because that node does not cast its vote either.
        let isHolder = standing.witnessHolder.map { state.name(of: $0) } == node.rawValue
        let isOutOfReach = standing.log.isWitnessMissing || standing.witnessProblem != nil && (isHolder || !standing.isQuorate)
        let quorum = QuorumStanding(
            of: state, present: standing.members, witnessHolder: isOutOfReach ? nil : standing.witnessHolder)
        var witness: ClusterStatusReport.WitnessLine?
        if state.witness.witness != .none {
            witness = .init(
                description: "\(state.witness.witness)", condition: state.witness.condition, votes: state.votes.witness,
                holder: standing.witnessHolder.flatMap { state.nodes[$0]?.name }, problem: standing.witnessProblem)
        }
        return ClusterStatusReport(
            cluster: state.identity?.name.rawValue ?? member?.cluster.rawValue ?? "", node: node, isOpen: standing.mayAct,
            configuration: sentence(of: standing, names: names), model: state.quorum.model,
            isModelAutomatic: state.quorum.isModelAutomatic, isDynamic: state.quorum.isDynamic,
            secondsUntilStop: state.quorum.secondsUntilStop, votesPresent: quorum.votesPresent, votesNeeded: quorum.votesNeeded,
            votesTotal: quorum.votesTotal, tolerance: quorum.sentence, warnings: linkWarnings(of: standing, state) + state.quorumWarnings,
            nodes: state.nodes.values.sorted { $0.id < $1.id }.map { member in
                .init(
                    name: member.name, id: member.id, state: member.state, votes: state.votes.nodes[member.id, default: 0],
                    isPresent: standing.members.contains(member.id), isCoordinator: state.coordinator == member.id,
                    machines: state.machines(ownedBy: member.id).count)
            }, witness: witness, index: state.appliedIndex)
    }

    /// One for each network with a broken link, naming whom this node does not reach by it.
    private func linkWarnings(of standing: MembershipStanding, _ state: ClusterState) -> [String] {
        Dictionary(grouping: standing.brokenLinks, by: \.link).sorted { $0.key < $1.key }.map { link, broken in
            let nodes = broken.sorted { $0.node < $1.node }.compactMap { state.nodes[$0.node] }
            let others = nodes.map { "\($0.name) (\($0.addresses.rings.dropFirst(link).first ?? "no address"))" }.joined(separator: ", ")
            // The API listens on the first address alone.
            let also = link == 0 ? " Until then machines do not move, and those of other nodes are not shown." : ""
            return "From \(node) the \(link == 0 ? "first" : "second") cluster network does not reach \(others). Corosync goes on by the "
                + "other one; check the network before that fails too.\(also)"
        }
    }

    private func sentence(of standing: MembershipStanding, names: (NodeID) -> String) -> String {
        if let problem = standing.problem { return problem }
        if standing.isCorosyncSilent {
            return "Corosync on this node delivers nothing: it hangs, or the node is overloaded. Nothing starts until it does."
        }
        if standing.log.isOpen, !standing.isRingDecided {
            return "A new ring of Corosync formed, and quorum is not decided yet: nothing starts."
        }
        if standing.log.isOpen, !standing.isQuorate { return "Corosync says that this partition has no quorum: machines here are paused." }
        return standing.log.sentence(names: names)
    }

    public func setQuorum(_ request: SetQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        let state = try await memberView().state
        if request.isDynamic != nil || request.secondsUntilStop != nil {
            try await change(
                .setQuorumOptions(
                    isDynamic: request.isDynamic ?? state.quorum.isDynamic,
                    secondsUntilStop: request.secondsUntilStop ?? state.quorum.secondsUntilStop))
        }
        if let isOn = request.isWitnessInMaintenance { try await setWitnessMaintenance(isOn) }
        if request.model != nil || request.isModelAutomatic != nil {
            let isAutomatic = request.isModelAutomatic ?? (request.model == nil && state.quorum.isModelAutomatic)
            try await change(.setQuorumModel(model: request.model ?? state.quorum.model, isAutomatic: isAutomatic))
        }
        return try await clusterStatus()
    }

    /// Returns once the votes have followed, so that whoever waits may pull the disk.
    private func setWitnessMaintenance(_ isOn: Bool) async throws(APIError) {
        try await change(.setWitnessMaintenance(isOn: isOn, reason: ""))
        let end = ContinuousClock.now + .seconds(20)
        while isOn {
            let view = try await memberView()
            if view.state.witness.condition != .maintenance { return }
            if view.state.votes.witness == 0, view.standing.witnessHolder == nil { return }
            guard ContinuousClock.now < end else {
                throw error(
                    .timeout,
                    "The witness is to go into maintenance, but still has its vote: the nodes that are here have no majority without it. "
                        + "Do not take it away. Start the other nodes, or end this with `apus cluster quorum set --witness-maintenance off`."
                )
            }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { throw self.error(.timeout, "Waiting was cancelled.") }
        }
    }

    public func forceQuorum(_ request: ForceQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        guard !request.reason.isEmpty else { throw error(.invalid, "Say why quorum is forced; the history keeps it.") }
        let view = try await memberView()
        guard let forming else { throw fixedList }
        guard !view.standing.members.isEmpty else {
            throw error(
                .refused, "Corosync does not run on \(node), so there is no partition to go on with. Start it: apus node start \(node)")
        }
        try await forming.engine.force(reason: request.reason, requestedBy: requester)
        // Corosync's count follows the log's; whoever forces quorum wants to know whether machines may run.
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end, try await memberView().standing.mayAct == false {
            do { try await Task.sleep(for: .milliseconds(100)) } catch { throw self.error(.timeout, "Waiting for quorum was cancelled.") }
        }
        return try await clusterStatus()
    }

    private func change(_ command: ClusterCommand) async throws(APIError) {
        guard let forming else { throw fixedList }
        _ = try await forming.engine.propose(command, requestedBy: requester)
    }

    public func noteEvent(_ request: NoteEventRequest) async throws(APIError) {
        let note = EventNote(node: nil, severity: request.severity ?? .information, cause: nil, sentence: request.sentence)
        try await change(.noteEvent(note: note))
    }

    public func events(after: UInt64) async throws(APIError) -> [ClusterEvent] {
        try await memberView().state.history.filter { $0.id > after }
    }

    public func followEvents(after: UInt64) async throws(APIError) -> AsyncThrowingStream<ClusterEvent, any Error> {
        let first = try await events(after: after)
        let (stream, continuation) = AsyncThrowingStream<ClusterEvent, any Error>.makeStream()
        let task = Task {
            var last = after
            var fresh = first
            while !Task.isCancelled {
                for event in fresh {
                    continuation.yield(event)
                    last = max(last, event.id)
                }
                do {
                    try await Task.sleep(for: .milliseconds(200))
                    fresh = try await self.events(after: last)
                } catch { return continuation.finish(throwing: error is CancellationError ? nil : error) }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}
