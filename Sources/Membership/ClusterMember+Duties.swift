import ClusterModel
import ClusterRules
import Logging

/// What a node says to the log by itself: that it is up, and, on the leader, who is gone and whose votes follow.
extension ClusterMember {
    func doDuties() async {
        var witnessWatch = WitnessWatch()
        var additionWatch = AdditionWatch()
        while !Task.isCancelled {
            if standing.mayAct, case .open(_, let leader, false) = standing.log.phase {
                var commands = duties(
                    of: settings.node, isLeader: leader == settings.node, ring: standing.ring, voters: votersPresent, in: configuration)
                if leader == settings.node {
                    let command = witnessWatch.due(
                        configuration, isWritten: votersPresent.witness, reason: standing.witnessProblem, now: MonotonicClock.now)
                    if let command { commands.insert(command, at: 0) }
                    if let command = additionWatch.due(configuration, ring: standing.ring, now: MonotonicClock.now) {
                        commands.append(command)
                    }
                } else {
                    witnessWatch.pause()
                    additionWatch.pause()
                }
                for command in commands {
                    do throws(MembershipError) { _ = try await propose(command) } catch {
                        logger.info("a change of the cluster's own did not happen", metadata: ["reason": "\(error)"])
                        break
                    }
                }
                await tellNotes()
            } else {
                witnessWatch.pause()
                additionWatch.pause()
            }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    private func tellNotes() async {
        while let note = notes.first {
            do throws(MembershipError) { _ = try await propose(.noteEvent(note: note)) } catch { return }
            notes.removeFirst()
        }
    }

    func carryOutEffects() async {
        for await effect in effects.items {
            switch effect {
            case .writeMembership, .reloadMembership, .followVotes, .followWitness:
                // These are followed all the time, from the state.
                continue
            default: await delegate.carryOut(effect, configuration)
            }
        }
    }
}

/// What a node proposes because of who is there.
///
/// - Parameters:
///   - ring: Nodes of Corosync's ring, which has quorum.
///   - voters: The replicas that count in the open epoch.
func duties(
    of node: NodeID, isLeader: Bool, ring: [NodeID], voters: VotersPresent, in state: ClusterState
) -> [ClusterCommand] {
    var commands: [ClusterCommand] = []
    if let own = state.nodes[node], own.presence != .up { commands.append(.nodeUp(node: node)) }
    guard isLeader else { return commands }
    for other in state.nodes.values.sorted(by: { $0.id < $1.id }) where other.presence == .up && !ring.contains(other.id) {
        commands.append(.nodeDown(node: other.id, presence: .lost, reason: "It is not in Corosync's ring any more."))
    }
    // Whoever replaced the witness is gone: the one that is there may vote again.
    for operation in state.operations.values where operation.kind == .replaceWitness && !ring.contains(operation.driver) {
        commands.append(.endOperation(id: operation.id, problem: "\(state.name(of: operation.driver)) was lost meanwhile."))
    }
    if commands.isEmpty, let change = VoteRules.change(due: state, present: voters) { commands.append(change.command) }
    return commands
}
