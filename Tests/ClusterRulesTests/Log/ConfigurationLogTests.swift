import ClusterModel
import Testing

@testable import ClusterRules

private let n1 = NodeID(rawValue: 1).unsafelyUnwrapped
private let n2 = NodeID(rawValue: 2).unsafelyUnwrapped

/// Attacks on single rules that a storm hits too seldom. Node 1 is real, what node 2 says is made up.
@Suite("One replica of the log")
struct ConfigurationLogTests {
    static let m1 = GroupMember(node: n1, process: 1)
    static let m2 = GroupMember(node: n2, process: 2)
    static let table = VoteTable(nodes: [n1: 1, n2: 1], witness: 1, witnessID: 77)
    static let founding = ReplicaImage.founding(by: n1, payload: [], votes: table)

    static let better = ReplicaPosition(promised: 2, adopted: 2, lastIndex: 2, chain: 5)

    /// Node 1, in a group with node 2, with its own hello delivered.
    struct Replica {
        var log: ConfigurationLog
        var tag = SessionTag(round: 0, membership: 0)

        init() throws {
            log = try ConfigurationLog(settings: .init(member: m1, incarnation: 1), image: founding)
            let hello = try #require(sent(by: log.handle(.membership([m1, m2]), at: .zero)).first)
            tag = hello.tag
            _ = log.handle(.delivered(from: m1, hello), at: .zero)
        }
        mutating func hear(_ body: LogMessage.Body, from member: GroupMember = m2) -> [LogEffect] {
            log.handle(.delivered(from: member, LogMessage(tag: tag, body: body)), at: .seconds(1))
        }
        /// Node 2 says hello with a replica that does not count, and perhaps with a witness.
        mutating func hearHello(
            counts: Bool = false, witness id: UInt64? = nil, position: ReplicaPosition = founding.position, leavingOut: [NodeID] = [],
            round: UInt64? = nil
        ) -> [LogEffect] {
            if let round { tag = LogSession.tag(round: round, members: [m1, m2], leftOut: leavingOut) }
            let report = id.map {
                WitnessReport(
                    witnessID: $0, replica: ReplicaReport(position: position, counts: true, tables: [table]), requests: [])
            }
            return hear(
                .hello(
                    Hello(
                        members: [m1, m2], leftOut: leavingOut, incarnation: 2,
                        replica: ReplicaReport(position: position, counts: counts, tables: [table]), witness: report)))
        }
        /// Up to node 1's own promise.
        mutating func begin(_ effects: [LogEffect]) throws {
            let begin = try #require(sent(by: effects).first { if case .begin = $0.body { true } else { false } })
            let promise = hear(begin.body, from: m1)
            let token = try #require(persisted(by: promise)?.token)
            let said = try #require(sent(by: log.handle(.persisted(token: token), at: .seconds(1))).first)
            #expect(said.body == .promised(epoch: 2, witness: false))
            #expect(persisted(by: hear(said.body, from: m1)) == nil, "one of three votes is no majority")
        }
    }
    /// Node 1 leads an open epoch that node 2 follows.
    static func leader() throws -> Replica {
        var replica = try Replica()
        let begin = try #require(sent(by: replica.hearHello(counts: true)).first { if case .begin = $0.body { true } else { false } })
        let promise = try #require(persisted(by: replica.hear(begin.body, from: m1)))
        _ = replica.log.handle(.persisted(token: promise.token), at: .seconds(1))
        _ = replica.hear(.promised(epoch: 2, witness: false), from: m1)
        let adoption = try #require(persisted(by: replica.hear(.promised(epoch: 2, witness: false))))
        _ = replica.log.handle(.persisted(token: adoption.token), at: .seconds(1))
        _ = replica.hear(.acknowledged(epoch: 2, index: 1, witness: false), from: m1)
        _ = replica.hear(.acknowledged(epoch: 2, index: 1, witness: false))
        return replica
    }
    static func sent(by effects: [LogEffect]) -> [LogMessage] {
        effects.compactMap { if case .send(let message) = $0 { message } else { nil } }
    }
    static func persisted(by effects: [LogEffect]) -> (changes: [DurableChange], token: UInt64)? {
        for case .persist(let changes, let token) in effects { return (changes, token) }
        return nil
    }
    static func adopts(_ effects: [LogEffect]) -> Bool {
        persisted(by: effects)?.changes.contains { if case .adopt = $0 { true } else { false } } ?? false
    }

    @Test("A witness promises only through the holder whose report was considered")
    func witnessHolder() throws {
        var replica = try Replica()
        try replica.begin(replica.hearHello(witness: 77))
        #expect(!Self.adopts(replica.hear(.promised(epoch: 2, witness: true), from: Self.m1)))
        #expect(Self.adopts(replica.hear(.promised(epoch: 2, witness: true), from: Self.m2)))
    }

    @Test("Another disk than the one in the table has no vote")
    func otherWitness() throws {
        var replica = try Replica()
        let effects = replica.hearHello(witness: 78)
        #expect(!Self.sent(by: effects).contains { if case .begin = $0.body { true } else { false } })
        #expect(
            effects.contains {
                guard case .status(let status) = $0 else { return false }
                return status.phase == .waitingForMajority(present: 1, needed: 2, of: 3, missing: [n2], witnessMissing: true)
            })
    }

    @Test("A hello waits for the disk, and ends the session before")
    func helloWaits() throws {
        var replica = try Replica()
        let begin = try #require(
            Self.sent(by: replica.hearHello(counts: true)).first { if case .begin = $0.body { true } else { false } })
        let token = try #require(Self.persisted(by: replica.hear(begin.body, from: Self.m1))?.token)
        // The group changes while the promise is on its way to the disk: where it will be is not known yet.
        let alone = replica.log.handle(.membership([Self.m1]), at: .seconds(2))
        #expect(Self.sent(by: alone).isEmpty)
        let hello = try #require(Self.sent(by: replica.log.handle(.persisted(token: token), at: .seconds(2))).first)
        guard case .hello(let said) = hello.body else {
            Issue.record("\(hello) is no hello")
            return
        }
        #expect(said.replica.position.promised == 2)
        // What the session before still says changes nothing.
        #expect(Self.persisted(by: replica.hear(.promised(epoch: 2, witness: false), from: Self.m1)) == nil)
    }

    /// Without the rule the epoch that comes next could have the number that was just promised: nobody would begin it.
    @Test("Who said hello does nothing more of the session before, also while the new one has not begun")
    func helloEnds() throws {
        var replica = try Replica()
        // Node 2 has the better log, so it coordinates, and is silent for so long that node 1 asks for a round without it.
        _ = replica.hearHello(counts: true, position: Self.better)
        let round = Self.sent(by: replica.log.handle(.tick, at: .seconds(10)))
        guard case .hello(let hello)? = round.first?.body else {
            Issue.record("no hello, but \(round)")
            return
        }
        #expect(hello.leftOut == [n2] && hello.replica.position.promised == 1)
        // Ordered before that hello, so of the session before: no lie was told only if it is ignored.
        let begin = Begin(
            epoch: 3, leader: n2, base: Self.better, baseIsWitness: false, tables: [Self.table],
            witnessID: nil, witnessHolder: nil, forced: nil)
        #expect(Self.persisted(by: replica.hear(.begin(begin))) == nil)
        #expect(replica.log.position.promised == 1)
    }

    /// Without the rule a tick between a hello and its delivery made whoever asked leave out everybody else, and took an open cluster apart.
    @Test("Who asks for a round gives the others time for their hello")
    func roundHasTime() throws {
        var replica = try Replica()
        _ = replica.hearHello(leavingOut: [n1], round: 2)
        let asked = Self.sent(by: replica.log.handle(.tick, at: .seconds(20)))
        guard case .hello(let hello)? = asked.first?.body else {
            Issue.record("it does not ask to be let in, but \(asked)")
            return
        }
        #expect(hello.leftOut == [])
        #expect(Self.sent(by: replica.log.handle(.tick, at: .seconds(21))).isEmpty)
        let later = Self.sent(by: replica.log.handle(.tick, at: .seconds(23)))
        guard case .hello(let other)? = later.first?.body else {
            Issue.record("nobody answers, and it waits on: \(later)")
            return
        }
        #expect(other.leftOut == [n2])
    }

    /// Without the rule a forced epoch could be under way while the only node that keeps its number from being used again forgot it.
    @Test("A forced epoch waits for the promise of the node whose number it bears, also where that node has no vote")
    func forcedPromise() throws {
        var replica = try Replica()
        _ = replica.hearHello(counts: true, position: Self.better)
        let epoch = try #require(Epoch.forced(after: 2, on: n2.rawValue))
        let order = Proposal(
            request: RequestID(node: n2, incarnation: 2, number: 1), payload: [1],
            votes: VoteTable(version: 3, nodes: [n1: 1, n2: 0], witness: 0))
        let begin = Begin(
            epoch: epoch, leader: n2, base: Self.better, baseIsWitness: false,
            tables: [try #require(order.votes)], witnessID: nil, witnessHolder: nil, forced: order)
        _ = replica.hear(.begin(begin))
        func fetches(_ effects: [LogEffect]) -> Bool {
            Self.sent(by: effects).contains { if case .fetch = $0.body { true } else { false } }
        }
        #expect(!fetches(replica.hear(.promised(epoch: epoch, witness: false), from: Self.m1)), "a majority, but not its owner")
        #expect(fetches(replica.hear(.promised(epoch: epoch, witness: false), from: Self.m2)))
    }

    @Test("Entries behind another chain are not added, the log is fetched")
    func otherChain() throws {
        var replica = try Replica()
        _ = replica.hearHello(counts: true)
        let begin = Begin(
            epoch: 2, leader: n2, base: Self.founding.position, baseIsWitness: false, tables: [Self.table], witnessID: nil,
            witnessHolder: nil, forced: nil)
        _ = replica.hear(.begin(begin), from: Self.m1)
        _ = replica.hear(.promised(epoch: 2, witness: false), from: Self.m1)
        _ = replica.hear(.promised(epoch: 2, witness: false), from: Self.m2)
        let proposal = Proposal(request: RequestID(node: n2, incarnation: 2, number: 1), payload: [1])
        let effects = replica.hear(.append(Append(epoch: 2, firstIndex: 2, previousChain: 99, items: [.proposal(proposal)])))
        #expect(Self.sent(by: effects).contains { if case .fetch = $0.body { true } else { false } })
        #expect(replica.log.position.lastIndex == 1)
    }

    /// Without the rule the cluster could depend on a promise of the witness that it cannot give: after a power cut nobody could go on.
    @Test("The votes do not come to depend on a witness that was not written yet")
    func blankWitness() throws {
        var replica = try Self.leader()
        let empty = ReplicaReport(position: ReplicaPosition(), counts: false, tables: [])
        _ = replica.hear(.witness(WitnessReport(witnessID: 77, replica: empty, requests: [])))
        let votes = VoteTable(version: 2, nodes: [n1: 1, n2: 0], witness: 1, witnessID: 77)
        func propose(_ number: UInt64) -> [LogMessage.Body] {
            let proposal = Proposal(request: RequestID(node: n1, incarnation: 1, number: number), payload: [], votes: votes)
            return Self.sent(by: replica.log.handle(.propose(proposal), at: .seconds(1))).map(\.body)
        }
        let refused = RequestID(node: n1, incarnation: 1, number: 1)
        #expect(propose(1) == [.refused(refused, .votesWithoutMajority)])
        _ = replica.hear(.acknowledged(epoch: 2, index: 1, witness: true))
        #expect(propose(2).contains { if case .append = $0 { true } else { false } })
    }

    @Test("What a replica has made durable it counts at once; what others have, when it hears of it; and not in another session")
    func ownAcknowledgement() throws {
        var replica = try Replica()
        try replica.begin(replica.hearHello(counts: true))
        let adoption = try #require(Self.persisted(by: replica.hear(.promised(epoch: 2, witness: false))))
        _ = replica.log.handle(.persisted(token: adoption.token), at: .seconds(1))
        #expect(!replica.log.handle(.tick, at: .seconds(1)).contains { if case .committed = $0 { true } else { false } })
        // Its own is counted: with node 2's the epoch is open, before its own message comes back.
        _ = replica.hear(.acknowledged(epoch: 2, index: 1, witness: false))
        let proposal = Proposal(request: RequestID(node: n1, incarnation: 1, number: 1), payload: [1])
        let append = try #require(Self.sent(by: replica.log.handle(.propose(proposal), at: .seconds(1))).first)
        let entry = try #require(Self.persisted(by: replica.hear(append.body, from: Self.m1)))
        // Node 2 was quicker: nothing is committed while only one of three votes has it.
        #expect(replica.hear(.acknowledged(epoch: 2, index: 2, witness: false)).isEmpty)
        var other = replica
        let effects = replica.log.handle(.persisted(token: entry.token), at: .seconds(1))
        #expect(effects.contains(.answer(proposal.request, .committed(index: 2))))
        // The group changed meanwhile: then it is told in the hello, and counts for nobody yet.
        _ = other.log.handle(.membership([Self.m1]), at: .seconds(1))
        let late = other.log.handle(.persisted(token: entry.token), at: .seconds(1))
        #expect(!late.contains { if case .committed = $0 { true } else { false } })
        #expect(other.log.committed == 1)
    }

    @Test("Epochs never wrap, and a forced one is above all of its generation")
    func epochs() {
        #expect(Epoch.next(after: 4) == 5)
        #expect(Epoch.next(after: 0xFFFF_FFFF) == nil)
        #expect(Epoch.next(after: .max) == nil)
        #expect(Epoch.forced(after: .max, on: 1) == nil)
        #expect(Epoch.forced(after: 0xFFFF_FFFF, on: 1).map { $0 > 0xFFFF_FFFF_FFFF } == true)
        #expect(Epoch.forced(after: 7, on: 1) != Epoch.forced(after: 7, on: 2))
    }
}
