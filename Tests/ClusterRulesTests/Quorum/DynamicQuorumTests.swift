import ClusterModel
import ClusterRules
import SeededRandom
import Testing

@Suite("Dynamic quorum")
struct DynamicQuorumTests {
    /// A cluster in which nodes come and go; votes follow at once whenever a majority of both tables is there.
    struct World {
        var state: ClusterState
        var present: Set<NodeID>
        var witness: Bool

        init(nodes: Int, witness: Bool) throws {
            let kind = witness ? Witness.disk(id: StateFixture.witnessDisk) : .none
            let quorum = QuorumSettings(model: .recommended(nodes: nodes, witness: kind))
            state = try StateFixture.cluster(nodes: nodes, witness: kind, quorum: quorum)
            state.votes = VoteRules.foundingTable(nodes: state.nodes.keys.sorted(), witness: kind, quorum: quorum)
            present = Set(state.nodes.keys)
            self.witness = witness
        }
        var voters: VotersPresent { VotersPresent(nodes: present, witness: witness && !present.isEmpty) }
        var isQuorate: Bool { voters.isMajority(of: state.votes) }

        mutating func settle() throws {
            guard isQuorate else { return }
            for node in state.nodes.keys.sorted() where present.contains(node) != (state.nodes[node]?.presence == .up) {
                let command =
                    present.contains(node) ? ClusterCommand.nodeUp(node: node) : .nodeDown(node: node, presence: .lost, reason: "")
                _ = try apply(command, at: StateFixture.place(), to: &state)
            }
            if state.witness.witness != .none, witness != (state.witness.condition == .present) {
                _ = try apply(witness ? .witnessReturned : .witnessLost(reason: ""), at: StateFixture.place(), to: &state)
            }
            while let change = VoteRules.change(due: state, present: voters) {
                // The log commits it only so; anything else would wait for ever.
                #expect(voters.isMajority(of: state.votes) && voters.isMajority(of: change.table))
                _ = try apply(change.command, at: StateFixture.place(), to: &state)
            }
        }
        mutating func lose(_ node: NodeID) throws {
            present.remove(node)
            try settle()
        }
        mutating func stopCleanly(_ node: NodeID) throws {
            _ = try apply(.nodeDown(node: node, presence: .stopped, reason: "stopped"), at: StateFixture.place(), to: &state)
            while let change = VoteRules.change(due: state, present: voters) {
                _ = try apply(change.command, at: StateFixture.place(), to: &state)
            }
            present.remove(node)
        }
    }

    @Test("Nodes lost one after another leave the last one and the witness running, in any order", arguments: 2...5)
    func downToTheLastWithWitness(count: Int) throws {
        for order in permutations(try World(nodes: count, witness: true).present.sorted()) {
            var world = try World(nodes: count, witness: true)
            for node in order.dropLast() {
                try world.lose(node)
                #expect(world.isQuorate, "\(order): \(world.state.votes)")
            }
            // The node that went last may come back instead, with the witness: it has every acknowledged change.
            #expect(world.state.votes.isMajority([order[order.count - 2]], withWitness: true))
        }
    }

    @Test("Nodes stopped cleanly one after another leave the last one running without a witness, in any order", arguments: 2...5)
    func cleanlyDownToTheLast(count: Int) throws {
        for order in permutations(try World(nodes: count, witness: false).present.sorted()) {
            var world = try World(nodes: count, witness: false)
            for node in order.dropLast() {
                try world.stopCleanly(node)
                #expect(world.isQuorate, "\(order): \(world.state.votes)")
            }
            #expect(!world.state.votes.isMajority(order.dropLast(), withWitness: false), "those that left cannot go on without the last")
        }
    }

    @Test("Without a witness, losses one after another leave two, and then the one that has the vote", arguments: 3...5)
    func lossesWithoutWitness(count: Int) throws {
        for order in permutations(try World(nodes: count, witness: false).present.sorted()) {
            var world = try World(nodes: count, witness: false)
            for node in order.dropLast(2) {
                try world.lose(node)
                #expect(world.isQuorate, "\(order): \(world.state.votes)")
            }
            let last = order.suffix(2).sorted()
            #expect(world.state.votes.nodes[last[0]] == 1 && world.state.votes.nodes[last[1]] == 0)
        }
    }

    @Test("A witness that is lost first gives its vote up, and the node with the vote goes on alone; it gets the vote back on return")
    func witnessFirst() throws {
        var world = try World(nodes: 2, witness: true)
        world.witness = false
        try world.settle()
        #expect(world.state.votes.witness == 0)
        try world.lose(StateFixture.id(2))
        #expect(world.isQuorate)
        world.witness = true
        world.present = [StateFixture.id(1), StateFixture.id(2)]
        try world.settle()
        #expect(world.state.votes.nodes == [StateFixture.id(1): 1, StateFixture.id(2): 1] && world.state.votes.witness == 1)
    }

    @Test("Half of the votes lost at one instant stops the cluster: nothing can tell that from a cut")
    func simultaneous() throws {
        var world = try World(nodes: 4, witness: false)
        world.present = [StateFixture.id(3), StateFixture.id(4)]
        let before = world.state.votes
        try world.settle()
        #expect(!world.isQuorate && world.state.votes == before)
    }

    @Test("With dynamic quorum off, votes stay where they are; a new node gets its vote when it is there")
    func switchedOff() throws {
        var state = try StateFixture.cluster(nodes: 4, quorum: QuorumSettings(model: .nodeAndDiskMajority, isDynamic: false))
        let three = VotersPresent(nodes: (1...3).map { StateFixture.id($0) }, witness: true)
        _ = try apply(.nodeDown(node: StateFixture.id(4), presence: .lost, reason: ""), at: StateFixture.place(), to: &state)
        #expect(VoteRules.change(due: state, present: three) == nil)
        _ = try apply(.addNode(node: StateFixture.newNode(5)), at: StateFixture.place(), to: &state)
        _ = try apply(.nodeUp(node: StateFixture.id(5)), at: StateFixture.place(), to: &state)
        #expect(VoteRules.change(due: state, present: three)?.table.nodes[StateFixture.id(5), default: 0] == 0)
        let four = VotersPresent(nodes: three.nodes.union([StateFixture.id(5)]), witness: true)
        #expect(VoteRules.change(due: state, present: four)?.table.nodes[StateFixture.id(5)] == 1)
    }

    /// A change that could not be committed would stand in the way of one that can.
    @Test("A change is proposed only by a majority of the old votes and of the new ones")
    func bothMajorities() throws {
        let alone = VotersPresent(nodes: [StateFixture.id(1)], witness: false)
        var state = try StateFixture.cluster(nodes: 3, witness: .none)
        for node in [StateFixture.id(2), StateFixture.id(3)] {
            _ = try apply(.nodeDown(node: node, presence: .lost, reason: ""), at: StateFixture.place(), to: &state)
        }
        // The rest would be a majority under votes of its own making.
        #expect(VoteRules.change(due: state, present: alone) == nil)

        // With dynamic quorum off, node 2 keeps its vote while it is away; without node 3, which is to go, node 1 is one of two.
        state = try StateFixture.cluster(nodes: 3, witness: .none, quorum: QuorumSettings(model: .nodeMajority, isDynamic: false))
        let operation = PendingOperation(
            id: StateFixture.uuid(9), kind: .evictNode, subject: StateFixture.id(3), driver: StateFixture.id(1),
            beganAt: WallTime(milliseconds: 1), step: "")
        _ = try apply(.beginOperation(operation: operation), at: StateFixture.place(), to: &state)
        let two = VotersPresent(nodes: [StateFixture.id(1), StateFixture.id(3)], witness: false)
        #expect(two.isMajority(of: state.votes) && VoteRules.change(due: state, present: two) == nil)
        let three = VotersPresent(nodes: state.nodes.keys, witness: false)
        #expect(VoteRules.change(due: state, present: three)?.table.nodes[StateFixture.id(3)] == 0)
    }

    /// Goal: no table ever counts two different witnesses as the same replica, and the new one gets the vote in the end.
    @Test("A witness is replaced while the cluster runs: vote off, another number, vote on")
    func replacement() throws {
        var world = try World(nodes: 2, witness: true)
        let nodes = VotersPresent(nodes: world.present, witness: false)
        let operation = PendingOperation(
            id: StateFixture.uuid(9), kind: .replaceWitness, subject: nil, driver: StateFixture.id(1), beganAt: WallTime(milliseconds: 1),
            step: "")
        _ = try apply(.beginOperation(operation: operation), at: StateFixture.place(), to: &world.state)
        try world.settle()
        #expect(world.state.votes.witness == 0)
        _ = try apply(.setWitness(witness: .fileShare(path: "/w"), number: 77), at: StateFixture.place(), to: &world.state)
        _ = try apply(.endOperation(id: operation.id, problem: nil), at: StateFixture.place(), to: &world.state)
        // Not written yet, so not present: it is named and does not vote.
        let named = try #require(VoteRules.change(due: world.state, present: nodes)).table
        #expect(named.witnessID == 77 && named.witness == 0)
        // Nor does it because the old one, which the table in force names, is still written.
        let old = VotersPresent(nodes: world.present, witness: true)
        #expect(VoteRules.change(due: world.state, present: old)?.table.witness == 0)
        try world.settle()
        #expect(world.state.votes.witnessID == 77 && world.state.votes.witness == 1)
        // Forced quorum takes its vote, but keeps its name: it may come back.
        #expect(VoteRules.forcedTable(for: world.state, nodes: [StateFixture.id(1)]).witnessID == 77)
    }

    @Test("A node that is to be evicted loses its vote, also where the witness is the only other voter")
    func eviction() throws {
        var world = try World(nodes: 2, witness: true)
        let operation = PendingOperation(
            id: StateFixture.uuid(9), kind: .evictNode, subject: StateFixture.id(2), driver: StateFixture.id(1),
            beganAt: WallTime(milliseconds: 1), step: "")
        _ = try apply(.beginOperation(operation: operation), at: StateFixture.place(), to: &world.state)
        try world.stopCleanly(StateFixture.id(2))
        #expect(world.state.votes.nodes == [StateFixture.id(1): 1, StateFixture.id(2): 0])
        _ = try apply(.evictNode(node: StateFixture.id(2), reason: ""), at: StateFixture.place(), to: &world.state)
    }

    /// Goal: losses, returns and the witness in any order never make a change of votes that the log could not commit, never let two
    /// parts of the cluster both be a majority, and give every vote back in the end.
    @Test("A storm of losses and returns", arguments: UInt64(0)..<60)
    func storm(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...7, using: &generator)
        var world = try World(nodes: count, witness: Bool.random(using: &generator))
        let hasWitness = world.witness
        let initial = world.state.votes
        for _ in 0..<200 {
            let node = StateFixture.id(UInt16.random(in: 1...UInt16(count), using: &generator))
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: world.present.remove(node)
            case 1: world.present.insert(node)
            default: if hasWitness { world.witness.toggle() }
            }
            try world.settle()
            let table = world.state.votes
            let absent = world.state.nodes.keys.filter { !world.present.contains($0) }
            #expect(!(world.isQuorate && table.isMajority(absent, withWitness: hasWitness && !world.witness)))
            let target = VotequorumTarget(of: world.state)
            // A device that only withholds its vote is expected all the same, so there is none without a vote; and Corosync takes one only
            // if the others have two votes.
            #expect(target.deviceVotes == table.witness && target.isDeviceCounted == (table.witness > 0))
            let least = target.isDeviceCounted ? 2 + target.deviceVotes : 1
            #expect(target.expectedVotes == max(table.total, least))
        }
        world.present = Set(world.state.nodes.keys)
        world.witness = hasWitness
        try world.settle()
        #expect(world.isQuorate)
        #expect(world.state.votes.nodes == initial.nodes && world.state.votes.witness == initial.witness)
    }
}

private func permutations<Element>(_ elements: [Element]) -> [[Element]] {
    guard elements.count > 1 else { return [elements] }
    return elements.indices.flatMap { index -> [[Element]] in
        var rest = elements
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}
