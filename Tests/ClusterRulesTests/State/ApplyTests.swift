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
            .createCluster(founding: Fixture.founding(nodes: 2, witness: .disk(id: Fixture.witnessDisk))), at: Fixture.place(), to: &state)
        #expect(state.nodes.values.allSatisfy { $0.state == .up })
        #expect(state.quorum.model == .nodeAndDiskMajority)
        #expect(state.coordinator == Fixture.id(1))
        #expect(
            effects.prefix(3) == [
                .writeMembership(on: Fixture.id(1)), .writeMembership(on: Fixture.id(2)), .reloadMembership(on: Fixture.id(1)),
            ])
        #expect(state.history.map(\.kind) == [.clusterCreated])
    }

    /// Goal: of two changes of owner that cross, exactly one happens.
    @Test("Ownership changes only from the owner, and only to the next epoch")
    func ownership() throws {
        var state = try Fixture.cluster(nodes: 3)
        _ = try apply(.addMachine(machine: Fixture.machine("web"), owner: Fixture.id(1)), at: Fixture.place(2), to: &state)
        let move = OwnerChange(machine: web, from: Fixture.id(1), to: Fixture.id(2), epoch: 2, cause: .migration)
        let cross = OwnerChange(machine: web, from: Fixture.id(1), to: Fixture.id(3), epoch: 2, cause: .migration)
        _ = try apply(.changeOwner(change: move), at: Fixture.place(3), to: &state)
        let after = state
        #expect(throws: CommandRejection.notOwner(web, claimed: NodeName(unchecked: "node1"), owner: NodeName(unchecked: "node2"))) {
            try apply(.changeOwner(change: cross), at: Fixture.place(4), to: &state)
        }
        var late = move
        late.from = Fixture.id(2)
        late.to = Fixture.id(3)
        #expect(throws: CommandRejection.staleEpoch(web, proposed: 2, current: 2)) {
            try apply(.changeOwner(change: late), at: Fixture.place(5), to: &state)
        }
        #expect(state == after)
    }

    @Test("What a lost node ran starts elsewhere only once the node is fenced")
    func failoverWaitsForTheFence() throws {
        var state = try Fixture.cluster(nodes: 3)
        _ = try apply(.addMachine(machine: Fixture.machine("web"), owner: Fixture.id(3)), at: Fixture.place(2), to: &state)
        _ = try apply(.startMachine(machine: web), at: Fixture.place(3), to: &state)
        let lost = try apply(.nodeDown(node: Fixture.id(3), presence: .lost, reason: "silent"), at: Fixture.place(4), to: &state)
        #expect(lost == [.fence(node: Fixture.id(3), on: Fixture.id(1))])
        let failover = OwnerChange(machine: web, from: Fixture.id(3), to: Fixture.id(2), epoch: 2, cause: .failover)
        #expect(throws: CommandRejection.nodeMayStillWrite(NodeName(unchecked: "node3"))) {
            try apply(.changeOwner(change: failover), at: Fixture.place(5), to: &state)
        }
        _ = try apply(.nodeDown(node: Fixture.id(3), presence: .fenced, reason: "preempted"), at: Fixture.place(6), to: &state)
        let effects = try apply(.changeOwner(change: failover), at: Fixture.place(7), to: &state)
        #expect(effects.contains(.runMachine(machine: web, epoch: 2, on: Fixture.id(2))))
    }

    @Test("A node is evicted only when it is harmless, has no vote and owns nothing; its certificates go with it")
    func eviction() throws {
        var state = try Fixture.cluster(nodes: 3)
        let third = Fixture.id(3)
        let evict = ClusterCommand.evictNode(node: third, reason: "broken")
        #expect(throws: CommandRejection.nodeIsUp(NodeName(unchecked: "node3"))) { try apply(evict, at: Fixture.place(), to: &state) }
        _ = try apply(.nodeDown(node: third, presence: .stopped, reason: ""), at: Fixture.place(), to: &state)
        #expect(throws: CommandRejection.nodeStillVotes(NodeName(unchecked: "node3"))) { try apply(evict, at: Fixture.place(), to: &state) }
        let table = VoteTable(version: 2, nodes: [Fixture.id(1): 1, Fixture.id(2): 1], witness: 1)
        _ = try apply(.changeVotes(table: table, reason: "node3 stopped"), at: Fixture.place(), to: &state)
        _ = try apply(evict, at: Fixture.place(9), to: &state)
        #expect(state.nodes[third] == nil)
        #expect(state.certificates["3"]?.revokedAt == WallTime(milliseconds: 9000))
        #expect(state.quorum.model == .nodeAndDiskMajority, "two nodes are left")
        #expect(throws: CommandRejection.nodeEvicted(NodeName(unchecked: "node3"), reason: "broken")) {
            try apply(.nodeUp(node: third), at: Fixture.place(), to: &state)
        }
        #expect(throws: CommandRejection.nodeNumberUsed(third, highest: 3)) {
            try apply(.addNode(node: Fixture.newNode(3)), at: Fixture.place(), to: &state)
        }
    }

    @Test("The witness is replaced only while it has no vote")
    func witnessReplacement() throws {
        var state = try Fixture.cluster(nodes: 2)
        let share = Witness.fileShare(path: "/mnt/witness")
        #expect(throws: CommandRejection.witnessStillVotes(.disk(id: Fixture.witnessDisk))) {
            try apply(.setWitness(witness: share), at: Fixture.place(), to: &state)
        }
        let table = VoteTable(version: 2, nodes: [Fixture.id(1): 1, Fixture.id(2): 0], witness: 0)
        _ = try apply(.changeVotes(table: table, reason: "replacement"), at: Fixture.place(), to: &state)
        _ = try apply(.setWitness(witness: share), at: Fixture.place(), to: &state)
        #expect(state.quorum.model == .nodeAndFileShareMajority)
        #expect(throws: CommandRejection.staleVotes(proposed: 2, current: 2)) {
            try apply(.changeVotes(table: table, reason: "again"), at: Fixture.place(), to: &state)
        }
    }

    @Test("The history is bounded and its numbers go on")
    func history() throws {
        var state = try Fixture.cluster(nodes: 1)
        for index in 2...400 {
            let note = EventNote(node: nil, severity: .information, cause: nil, sentence: "\(index)")
            _ = try apply(.noteEvent(note: note), at: Fixture.place(UInt64(index), by: "anna"), to: &state)
        }
        #expect(state.history.count == ClusterState.historyLimit)
        #expect(state.history.last?.id == 400)
        #expect(state.history.last?.cause == "asked for by anna")
        #expect(zip(state.history, state.history.dropFirst()).allSatisfy { $0.id + 1 == $1.id })
    }

    @Test("A one-time token is used once, by whom it was made for, in time")
    func joinTokens() throws {
        var state = try Fixture.cluster(nodes: 1)
        let token = JoinToken(hash: "ab", node: NodeName(unchecked: "node2"), expiresAt: WallTime(milliseconds: 60_000))
        _ = try apply(.addJoinToken(token: token), at: Fixture.place(), to: &state)
        let use = ClusterCommand.useJoinToken(hash: "ab", node: NodeName(unchecked: "node2"))
        #expect(throws: CommandRejection.tokenExpired) { try apply(use, at: Fixture.place(61), to: &state) }
        #expect(throws: CommandRejection.tokenForAnotherNode(NodeName(unchecked: "node2"))) {
            try apply(.useJoinToken(hash: "ab", node: NodeName(unchecked: "node9")), at: Fixture.place(2), to: &state)
        }
        _ = try apply(use, at: Fixture.place(60), to: &state)
        #expect(throws: CommandRejection.unknownToken) { try apply(use, at: Fixture.place(60), to: &state) }
    }

    @Test("A cluster that was destroyed refuses everything")
    func destroyed() throws {
        var state = try Fixture.cluster(nodes: 2)
        let effects = try apply(.destroyCluster(reason: "moved"), at: Fixture.place(), to: &state)
        #expect(effects == [.leaveCluster(on: Fixture.id(1)), .leaveCluster(on: Fixture.id(2))])
        #expect(throws: CommandRejection.destroyed) { try apply(.nodeUp(node: Fixture.id(1)), at: Fixture.place(), to: &state) }
    }
}
