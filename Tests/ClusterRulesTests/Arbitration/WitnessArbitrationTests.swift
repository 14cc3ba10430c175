import ClusterModel
import Foundation
import Testing

@testable import ClusterRules

/// One node's decisions, round by round. The disk is a few variables.
@Suite("Witness arbitration, step by step")
struct WitnessArbitrationTests {
    static let cluster = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    static func id(_ number: UInt16) throws -> NodeID { try #require(NodeID(rawValue: number)) }

    /// A node at a disk that answers within a millisecond; the other nodes are what the test says.
    struct Bench {
        var machine: WitnessArbitration
        var now: Duration = .zero
        var holder: NodeReservationKey?
        var beats: [NodeID: ArbitrationBeat] = [:]
        /// Others whose counter moves in every round.
        var living: Set<NodeID> = []
        var operations: [ArbitrationOperation] = []
        var votes: [WitnessVote] = []
        var events: [ArbitrationEvent] = []
        var isDiskGone = false

        init(node: UInt16 = 1, of count: UInt16 = 2, mode: ArbitrationMode = .majority) throws {
            let ids = (1...count).compactMap(NodeID.init(rawValue:))
            machine = WitnessArbitration(
                node: try id(node), cluster: cluster, epoch: 1, incarnation: 7,
                votes: VoteTable(nodes: Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }), witness: 1), mode: mode)
        }
        mutating func give(_ input: ArbitrationInput) {
            var begun: (ArbitrationOperation, UInt64)?
            for effect in machine.handle(input, at: now) {
                switch effect {
                case .castVote(let vote, _): votes.append(vote)
                case .event(let event): events.append(event)
                case .perform(let operation, let id): begun = (operation, id)
                }
            }
            guard let (operation, id) = begun else { return }
            if case .observe = operation {} else { operations.append(operation) }
            now += .milliseconds(1)
            give(.finished(id: id, answer(operation)))
        }
        private mutating func answer(_ operation: ArbitrationOperation) -> ArbitrationResult {
            if isDiskGone { return .failed }
            switch operation {
            case .observe(let beat, _):
                for other in living { beats[other]?.counter += 1 }
                if let beat { beats[machine.node] = beat }
                return .observed(
                    WitnessObservation(writtenAt: now, readAt: now, beats: beats, reservationReadAt: now, holder: holder))
            case .reserve, .preempt, .adopt: holder = machine.key
            case .release: holder = nil
            case .openSession, .register: break
            }
            return .done
        }
        /// Lets time pass, waking the machine when it asks to be.
        mutating func wait(_ duration: Duration) {
            let end = now + duration
            while now < end {
                now = min(max(machine.nextWake, now + .milliseconds(1)), end)
                give(.tick)
            }
        }
        mutating func ring(_ sequence: UInt64, _ members: UInt16...) { ring(sequence, members) }
        mutating func ring(_ sequence: UInt64, _ members: [UInt16]) {
            give(.ring(ArbitrationRing(representative: 1, sequence: sequence, members: Set(members.compactMap(NodeID.init(rawValue:))))))
        }
        mutating func other(_ number: UInt16, claims: Bool, isLiving: Bool) throws {
            let other = try id(number)
            beats[other] = ArbitrationBeat(incarnation: 1, counter: 1, claims: claims)
            if isLiving { living.insert(other) }
        }
        func key(_ number: UInt16) throws -> NodeReservationKey { NodeReservationKey(cluster: cluster, node: try id(number), epoch: 1) }
        var isVoting: Bool { if case .yes(let until)? = votes.last { now < until } else { false } }
    }

    @Test("A key names cluster, node and epoch, and nothing else passes for one")
    func keys() throws {
        let key = NodeReservationKey(cluster: Self.cluster, node: try Self.id(513), epoch: 65_535)
        #expect(key.rawValue >> 48 == 0x4150 && key.node?.rawValue == 513 && key.epoch == 65_535)
        #expect(key.belongs(to: Self.cluster) && !key.belongs(to: UUID()))
        for foreign: UInt64 in [0, .max, 0x4150 << 48, key.rawValue & ~(0xffff << 16)] {
            #expect(!NodeReservationKey(rawValue: foreign).belongs(to: Self.cluster))
        }
    }

    @Test(
        "Timings that would let two sides vote are not safe",
        arguments: [(2_000, 1_500, 4_000, true), (2_000, 3_000, 4_000, false), (2_000, 3_000, 5_500, true), (1_000, 1_500, 4_000, false)])
    func timings(lease: Int, poll: Int, silence: Int, expected: Bool) {
        let timings = ArbitrationTimings(
            lease: .milliseconds(lease), pollTimeout: .milliseconds(poll), silence: .milliseconds(silence))
        #expect(timings.isSafe == expected)
    }

    @Test("Everybody there and nobody holds it: the lowest node takes it at once, and votes")
    func coldStart() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.milliseconds(100))
        #expect(bench.operations == [.openSession, .register, .reserve])
        #expect(bench.isVoting && bench.machine.isHolder(at: bench.now))
        var second = try Bench(node: 2)
        try second.other(1, claims: false, isLiving: true)
        second.ring(1, 1, 2)
        second.wait(.seconds(10))
        #expect(!second.operations.contains(.reserve), "node 1 lives and is to do it")
    }

    @Test("Alone with a free witness: after a ring's age and the silence of whoever may have claimed it", arguments: [false, true])
    func coldStartAlone(claims: Bool) throws {
        var bench = try Bench(node: 2)
        try bench.other(1, claims: claims, isLiving: false)
        bench.ring(1, 2)
        bench.wait(.milliseconds(3_900))
        #expect(!bench.operations.contains(.reserve))
        bench.wait(.milliseconds(800))
        #expect(bench.operations.contains(.reserve) && bench.isVoting)
    }

    @Test("A holder that lives behind the cut is left alone; the vote is held back, then it is no")
    func livingHolder() throws {
        var bench = try Bench(node: 2)
        bench.holder = try bench.key(1)
        try bench.other(1, claims: true, isLiving: true)
        bench.ring(1, 1, 2)
        bench.wait(.seconds(3))
        #expect(bench.isVoting)
        bench.ring(2, 2)
        let before = bench.votes.count
        bench.wait(.milliseconds(4_000))
        #expect(bench.votes.count == before, "held back while the challenge runs")
        bench.wait(.milliseconds(500))
        #expect(bench.votes.last == .no)
        bench.wait(.seconds(30))
        #expect(!bench.votes.dropFirst(before).contains { $0.isYes })
        #expect(!bench.operations.contains { if case .preempt = $0 { true } else { false } })
    }

    @Test("A holder that is in no ring any more lets the witness go, unless a ring comes back in time", arguments: [1_500, 2_500])
    func holderWithoutRing(milliseconds: Int) throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(3))
        #expect(bench.machine.isHolder(at: bench.now))
        bench.give(.ringGone)
        let before = bench.votes.count
        bench.wait(.milliseconds(milliseconds))
        let hasLetGo = bench.operations.contains(.release)
        #expect(hasLetGo == (milliseconds > 1_800))
        #expect(bench.votes.count == before, "there is no ring to vote for")
        bench.ring(1, 1, 2)
        bench.wait(.seconds(hasLetGo ? 6 : 1))
        #expect(bench.isVoting && bench.machine.isHolder(at: bench.now))
    }

    @Test("A silent holder is preempted when it has been silent for long enough and the ring is old enough")
    func silentHolder() throws {
        var bench = try Bench(node: 2)
        bench.holder = try bench.key(1)
        try bench.other(1, claims: true, isLiving: true)
        bench.ring(1, 1, 2)
        bench.wait(.seconds(3))
        bench.living = []
        // Corosync needs this long to notice.
        bench.wait(.milliseconds(2_100))
        bench.ring(2, 2)
        // The last sign of life was seen at most a round before that: after 3.5 s at the earliest.
        bench.wait(.milliseconds(1_350))
        #expect(!bench.operations.contains(.preempt(try bench.key(1))))
        bench.wait(.milliseconds(1_250))
        #expect(bench.operations.contains(.preempt(try bench.key(1))) && bench.isVoting)
        #expect(bench.events.contains(.took(from: try Self.id(1))))
    }

    @Test(
        "However long the holder was silent, the ring must be as old as a token timeout and more, which grows with the nodes",
        arguments: [(2, 1_800), (4, 2_000), (16, 3_200)] as [(UInt16, Int)])
    func ringAge(count: UInt16, milliseconds: Int) throws {
        var bench = try Bench(node: 2, of: count)
        bench.holder = try bench.key(1)
        try bench.other(1, claims: true, isLiving: true)
        bench.ring(1, Array(1...count))
        bench.wait(.seconds(3))
        bench.living = []
        // Not longer, or it would be taken from the holder while that is still in the ring.
        bench.wait(.seconds(3))
        bench.ring(2, Array(2...(count / 2 + 1)))
        bench.wait(.milliseconds(milliseconds - 50))
        #expect(!bench.operations.contains(.preempt(try bench.key(1))))
        bench.wait(.milliseconds(700))
        #expect(bench.operations.contains(.preempt(try bench.key(1))) && bench.isVoting)
    }

    @Test("Less than half: never takes it, and says no at once; a holder there gives it back")
    func minority() throws {
        var bench = try Bench(node: 2, of: 4)
        bench.holder = try bench.key(1)
        try bench.other(1, claims: true, isLiving: false)
        bench.ring(1, 2)
        #expect(bench.votes.last == .no)
        bench.wait(.seconds(30))
        #expect(!bench.operations.contains { $0 == .reserve || $0 == .preempt(bench.holder ?? bench.machine.key) })
        var holder = try Bench(node: 1, of: 4)
        holder.ring(1, 1, 2, 3, 4)
        holder.wait(.seconds(1))
        #expect(holder.isVoting)
        holder.ring(2, 1)
        holder.wait(.seconds(3))
        #expect(holder.operations.last == .release && holder.holder == nil && !holder.isVoting)
    }

    @Test("The disk is gone: the vote ends with the lease; nobody else's reservation is believed without signs of life")
    func diskGone() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(2))
        #expect(bench.isVoting)
        bench.isDiskGone = true
        bench.wait(.milliseconds(2_100))
        #expect(!bench.isVoting && bench.votes.last == .no)
        bench.isDiskGone = false
        bench.wait(.seconds(2))
        #expect(bench.isVoting)
        bench.isDiskGone = true
        bench.ring(2, 1)
        bench.wait(.milliseconds(2_100))
        #expect(bench.votes.last == .no, "within a deadline, not after sync_timeout")
    }

    @Test("The target forgot the reservation: the holder restores it at once, and goes on voting")
    func restore() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(2))
        bench.ring(2, 1)
        bench.wait(.seconds(1))
        bench.holder = nil
        bench.wait(.milliseconds(600))
        #expect(bench.operations.filter { $0 == .reserve }.count == 2 && bench.isVoting)
        #expect(bench.events.contains(.restored))
    }

    @Test("Another node took it: no more votes from the next round on")
    func lost() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(2))
        bench.ring(2, 1)
        bench.wait(.seconds(1))
        bench.holder = try bench.key(2)
        bench.wait(.milliseconds(600))
        #expect(!bench.isVoting && !bench.machine.isHolder(at: bench.now))
        #expect(bench.events.contains(.lost(to: try Self.id(2))))
    }

    @Test("A majority takes it from a living holder outside; Disk Only does not; force does; a foreign key needs force")
    func takeovers() throws {
        for (mode, takes) in [(ArbitrationMode.majority, true), (.diskOnly, false)] {
            var bench = try Bench(node: 2, of: 5, mode: mode)
            bench.holder = try bench.key(1)
            try bench.other(1, claims: true, isLiving: true)
            bench.ring(1, 2, 3, 4, 5)
            bench.wait(.seconds(10))
            #expect(bench.operations.contains(.preempt(try bench.key(1))) == takes)
        }
        var forced = try Bench(node: 2)
        forced.holder = try forced.key(1)
        try forced.other(1, claims: true, isLiving: true)
        forced.ring(1, 2)
        forced.give(.force)
        forced.wait(.seconds(1))
        #expect(forced.operations.contains(.preempt(try forced.key(1))) && !forced.isVoting)
        // A preempted node cannot write any more.
        forced.living = []
        forced.wait(.seconds(4))
        #expect(forced.isVoting)
        var foreign = try Bench()
        foreign.holder = NodeReservationKey(rawValue: 0xdead_beef)
        foreign.ring(1, 1, 2)
        foreign.wait(.seconds(10))
        #expect(foreign.events.contains(.foreignReservation(NodeReservationKey(rawValue: 0xdead_beef))) && !foreign.isVoting)
        foreign.give(.force)
        foreign.wait(.seconds(6))
        #expect(foreign.isVoting)
    }

    @Test("Maintenance: no vote, no heartbeat, and the reservation given back")
    func maintenance() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(2))
        bench.give(.mode(.maintenance))
        bench.wait(.seconds(2))
        #expect(bench.holder == nil && bench.votes.last == .no)
        let last = bench.beats[try Self.id(1)]
        bench.wait(.seconds(5))
        #expect(bench.beats[try Self.id(1)] == last && bench.holder == nil)
        bench.give(.mode(.majority))
        bench.wait(.seconds(2))
        #expect(bench.isVoting)
    }

    @Test("Evicted: the witness is let go and not taken again, whatever the mode", arguments: [ArbitrationMode.majority, .diskOnly])
    func evicted(mode: ArbitrationMode) throws {
        var bench = try Bench(mode: mode)
        // In a ring with a node that has votes, which alone would let it keep the witness.
        bench.ring(1, 1, 2)
        bench.wait(.seconds(3))
        #expect(bench.isVoting && bench.holder != nil)
        bench.give(.votes(VoteTable(version: 9, nodes: [try Self.id(2): 1], witness: 1)))
        bench.wait(.seconds(3))
        #expect(bench.holder == nil && bench.events.last == .released && bench.votes.last == .no)
        bench.operations = []
        bench.wait(.seconds(20))
        #expect(bench.holder == nil && bench.operations.isEmpty)
        // Taken back into the cluster, it takes part again.
        bench.give(.votes(VoteTable(version: 10, nodes: [try Self.id(1): 1, try Self.id(2): 1], witness: 1)))
        bench.wait(.seconds(3))
        #expect(bench.isVoting && bench.holder != nil)
    }

    @Test("Each time of holding the witness has a number of its own, however short the time between")
    func tenures() throws {
        var bench = try Bench()
        bench.ring(1, 1, 2)
        bench.wait(.seconds(3))
        #expect(bench.machine.isHolder(at: bench.now) && bench.machine.tenure == 1)
        bench.wait(.seconds(10))
        #expect(bench.machine.tenure == 1)
        // Another node has it for a moment, until this one sees it and takes it back, since that node shows no sign of life.
        bench.holder = NodeReservationKey(cluster: Self.cluster, node: try Self.id(2), epoch: 1)
        bench.wait(.seconds(3))
        #expect(bench.machine.isHolder(at: bench.now) && bench.machine.tenure == 2)
        // The disk does not answer for longer than the lease: whoever it was, this node was no holder meanwhile.
        bench.isDiskGone = true
        bench.wait(.seconds(5))
        #expect(!bench.machine.isHolder(at: bench.now))
        bench.isDiskGone = false
        bench.wait(.seconds(3))
        #expect(bench.machine.isHolder(at: bench.now) && bench.machine.tenure == 3)
    }
}
