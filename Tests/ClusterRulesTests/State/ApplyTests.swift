import ClusterModel
import ClusterRules
import Foundation
import Testing

@Suite("Applying a command")
struct ApplyTests {
    private let web = VMName(unchecked: "web")

    @Test("A cluster is created with its nodes up, and every node writes its membership")
    func create() throws {
        var state = ClusterState()
        let effects = try apply(
            .createCluster(founding: StateFixture.founding(nodes: 2, witness: .disk(id: StateFixture.witnessDisk))),
            at: StateFixture.place(), to: &state)
        #expect(state.nodes.values.allSatisfy { $0.state == .up })
        #expect(state.quorum.model == .nodeAndDiskMajority)
        #expect(state.coordinator == StateFixture.id(1))
        #expect(
            effects.prefix(3) == [
                .writeMembership(on: StateFixture.id(1)), .writeMembership(on: StateFixture.id(2)),
                .reloadMembership(on: StateFixture.id(1)),
            ])
        #expect(state.history.map(\.kind) == [.clusterCreated])
    }

    private func add(owner: UInt16, epoch: UInt64 = 1, to state: inout ClusterState) throws {
        let command = ClusterCommand.addMachine(machine: StateFixture.machine("web"), owner: StateFixture.id(owner), epoch: epoch)
        _ = try apply(command, at: StateFixture.place(2), to: &state)
    }

    /// Goal: after a claim was renewed, nothing that was ordered before can happen.
    @Test("An owner that renews its claim outranks a change that is still under way; deleting names the epoch")
    func renewal() throws {
        var state = try StateFixture.cluster(nodes: 3)
        // Where the slot's record was when the machine was made.
        try add(owner: 1, epoch: 7, to: &state)
        let one = StateFixture.id(1)
        let late = OwnerChange(machine: web, from: one, to: StateFixture.id(2), epoch: 8, cause: .migration)
        let renewal = OwnerChange(machine: web, from: one, to: one, epoch: 8, cause: .reconciliation)
        _ = try apply(.changeOwner(change: renewal), at: StateFixture.place(3), to: &state)
        #expect(state.machines[web]?.owner == one && state.machines[web]?.epoch == 8)
        #expect(throws: CommandRejection.staleEpoch(web, proposed: 8, current: 8)) {
            try apply(.changeOwner(change: late), at: StateFixture.place(4), to: &state)
        }
        #expect(throws: CommandRejection.staleEpoch(web, proposed: 7, current: 8)) {
            try apply(.removeMachine(machine: web, epoch: 7), at: StateFixture.place(5), to: &state)
        }
        _ = try apply(.removeMachine(machine: web, epoch: 8), at: StateFixture.place(6), to: &state)
        #expect(state.machines.isEmpty)
    }

    /// Goal: of two changes of owner that cross, exactly one happens.
    @Test("Ownership changes only from the owner, and only to the next epoch")
    func ownership() throws {
        var state = try StateFixture.cluster(nodes: 3)
        try add(owner: 1, to: &state)
        let move = OwnerChange(machine: web, from: StateFixture.id(1), to: StateFixture.id(2), epoch: 2, cause: .migration)
        let cross = OwnerChange(machine: web, from: StateFixture.id(1), to: StateFixture.id(3), epoch: 2, cause: .migration)
        _ = try apply(.changeOwner(change: move), at: StateFixture.place(3), to: &state)
        let after = state
        #expect(throws: CommandRejection.notOwner(web, claimed: NodeName(unchecked: "node1"), owner: NodeName(unchecked: "node2"))) {
            try apply(.changeOwner(change: cross), at: StateFixture.place(4), to: &state)
        }
        var late = move
        late.from = StateFixture.id(2)
        late.to = StateFixture.id(3)
        #expect(throws: CommandRejection.staleEpoch(web, proposed: 2, current: 2)) {
            try apply(.changeOwner(change: late), at: StateFixture.place(5), to: &state)
        }
        #expect(state == after)
    }

    @Test("What a lost node ran starts elsewhere only once the node is fenced")
    func failoverWaitsForTheFence() throws {
        var state = try StateFixture.cluster(nodes: 3)
        try add(owner: 3, to: &state)
        _ = try apply(.startMachine(machine: web), at: StateFixture.place(3), to: &state)
        let lost = try apply(.nodeDown(node: StateFixture.id(3), presence: .lost, reason: "silent"), at: StateFixture.place(4), to: &state)
        #expect(lost == [.fence(node: StateFixture.id(3), on: StateFixture.id(1))])
        let failover = OwnerChange(machine: web, from: StateFixture.id(3), to: StateFixture.id(2), epoch: 2, cause: .failover)
        #expect(throws: CommandRejection.nodeMayStillWrite(NodeName(unchecked: "node3"))) {
            try apply(.changeOwner(change: failover), at: StateFixture.place(5), to: &state)
        }
        _ = try apply(.nodeDown(node: StateFixture.id(3), presence: .fenced, reason: "preempted"), at: StateFixture.place(6), to: &state)
        let effects = try apply(.changeOwner(change: failover), at: StateFixture.place(7), to: &state)
        #expect(effects.contains(.runMachine(machine: web, epoch: 2, on: StateFixture.id(2))))
    }

    @Test("A node is evicted only when it is harmless, has no vote and owns nothing; its certificates go with it")
    func eviction() throws {
        var state = try StateFixture.cluster(nodes: 3)
        let third = StateFixture.id(3)
        let evict = ClusterCommand.evictNode(node: third, reason: "broken")
        #expect(throws: CommandRejection.nodeIsUp(NodeName(unchecked: "node3"))) { try apply(evict, at: StateFixture.place(), to: &state) }
        _ = try apply(.nodeDown(node: third, presence: .stopped, reason: ""), at: StateFixture.place(), to: &state)
        #expect(throws: CommandRejection.nodeStillVotes(NodeName(unchecked: "node3"))) {
            try apply(evict, at: StateFixture.place(), to: &state)
        }
        let table = VoteTable(version: 2, nodes: [StateFixture.id(1): 1, StateFixture.id(2): 1], witness: 1)
        _ = try apply(.changeVotes(table: table, reason: "node3 stopped"), at: StateFixture.place(), to: &state)
        _ = try apply(evict, at: StateFixture.place(9), to: &state)
        #expect(state.nodes[third] == nil)
        #expect(state.certificates["3"]?.revokedAt == WallTime(milliseconds: 9000))
        #expect(state.quorum.model == .nodeAndDiskMajority, "two nodes are left")
        #expect(throws: CommandRejection.nodeEvicted(NodeName(unchecked: "node3"), reason: "broken")) {
            try apply(.nodeUp(node: third), at: StateFixture.place(), to: &state)
        }
        #expect(throws: CommandRejection.nodeNumberUsed(third, highest: 3)) {
            try apply(.addNode(node: StateFixture.newNode(3)), at: StateFixture.place(), to: &state)
        }
    }

    @Test("A forced quorum is history once every other node was back, however often one stops later")
    func forcedIsHistory() throws {
        var state = try StateFixture.cluster(nodes: 3)
        let others = [2, 3].map { StateFixture.id($0) }
        for id in others { _ = try apply(.nodeDown(node: id, presence: .lost, reason: ""), at: StateFixture.place(), to: &state) }
        let table = VoteTable(version: state.votes.version + 2, nodes: [StateFixture.id(1): 1, others[0]: 0, others[1]: 0], witness: 0)
        _ = try apply(
            .recordForcedQuorum(table: table, nodes: [StateFixture.id(1)], reason: "fire"), at: StateFixture.place(), to: &state)
        #expect(state.quorumWarnings.first?.contains("not every node is back") == true)
        _ = try apply(.nodeUp(node: others[0]), at: StateFixture.place(), to: &state)
        #expect(state.quorumWarnings.first?.contains("not every node is back") == true)
        _ = try apply(.nodeUp(node: others[1]), at: StateFixture.place(), to: &state)
        _ = try apply(.nodeDown(node: others[1], presence: .stopped, reason: ""), at: StateFixture.place(), to: &state)
        #expect(!state.quorumWarnings.contains { $0.contains("forced") })
    }

    @Test("The witness is replaced only while it has no vote")
    func witnessReplacement() throws {
        var state = try StateFixture.cluster(nodes: 2)
        let share = Witness.fileShare(path: "/mnt/witness")
        #expect(throws: CommandRejection.witnessStillVotes(.disk(id: StateFixture.witnessDisk))) {
            try apply(.setWitness(witness: share, number: 77), at: StateFixture.place(), to: &state)
        }
        let table = VoteTable(version: 2, nodes: [StateFixture.id(1): 1, StateFixture.id(2): 0], witness: 0)
        _ = try apply(.changeVotes(table: table, reason: "replacement"), at: StateFixture.place(), to: &state)
        _ = try apply(.setWitness(witness: share, number: 77), at: StateFixture.place(), to: &state)
        #expect(state.quorum.model == .nodeAndFileShareMajority)
        #expect(throws: CommandRejection.self) { try apply(.setWitness(witness: share, number: 0), at: StateFixture.place(), to: &state) }
        #expect(throws: CommandRejection.staleVotes(proposed: 2, current: 2)) {
            try apply(.changeVotes(table: table, reason: "again"), at: StateFixture.place(), to: &state)
        }
    }

    @Test("The history is bounded and its numbers go on")
    func history() throws {
        var state = try StateFixture.cluster(nodes: 1)
        for index in 2...400 {
            let note = EventNote(node: nil, severity: .information, cause: nil, sentence: "\(index)")
            _ = try apply(.noteEvent(note: note), at: StateFixture.place(UInt64(index), by: "anna"), to: &state)
        }
        #expect(state.history.count == ClusterState.historyLimit)
        #expect(state.history.last?.id == 400)
        #expect(state.history.last?.cause == "asked for by anna")
        #expect(zip(state.history, state.history.dropFirst()).allSatisfy { $0.id + 1 == $1.id })
    }

    @Test("A one-time token is used once, by whom it was made for, in time")
    func joinTokens() throws {
        var state = try StateFixture.cluster(nodes: 1)
        let token = JoinToken(hash: "ab", node: NodeName(unchecked: "node2"), expiresAt: WallTime(milliseconds: 60_000))
        _ = try apply(.addJoinToken(token: token), at: StateFixture.place(), to: &state)
        let use = ClusterCommand.useJoinToken(hash: "ab", node: NodeName(unchecked: "node2"))
        #expect(throws: CommandRejection.tokenExpired) { try apply(use, at: StateFixture.place(61), to: &state) }
        #expect(throws: CommandRejection.tokenForAnotherNode(NodeName(unchecked: "node2"))) {
            try apply(.useJoinToken(hash: "ab", node: NodeName(unchecked: "node9")), at: StateFixture.place(2), to: &state)
        }
        _ = try apply(use, at: StateFixture.place(60), to: &state)
        #expect(throws: CommandRejection.unknownToken) { try apply(use, at: StateFixture.place(60), to: &state) }
    }

    @Test("A cluster that was destroyed refuses everything")
    func destroyed() throws {
        var state = try StateFixture.cluster(nodes: 2)
        let effects = try apply(.destroyCluster(reason: "moved"), at: StateFixture.place(), to: &state)
        #expect(effects == [.leaveCluster(on: StateFixture.id(1)), .leaveCluster(on: StateFixture.id(2))])
        #expect(throws: CommandRejection.destroyed) { try apply(.nodeUp(node: StateFixture.id(1)), at: StateFixture.place(), to: &state) }
    }
}
