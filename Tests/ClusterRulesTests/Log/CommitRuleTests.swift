import ClusterModel
import Testing

@testable import ClusterRules

private let n1 = NodeID(rawValue: 1).unsafelyUnwrapped
private let n2 = NodeID(rawValue: 2).unsafelyUnwrapped

/// The rules of decision 0004 one by one: each test fails when its rule is taken out.
@Suite("Rules of the log")
struct CommitRuleTests {
    typealias One = ConfigurationLogTests
    static func isBegin(_ message: LogMessage) -> Bool { if case .begin = message.body { true } else { false } }
    static func acknowledges(_ effects: [LogEffect], witness: Bool) -> Bool {
        One.sent(by: effects).contains { if case .acknowledged(_, _, witness) = $0.body { true } else { false } }
    }
    static func commits(_ effects: [LogEffect]) -> Bool {
        effects.contains { if case .committed = $0 { true } else { false } }
    }
    static func proposal(_ number: UInt64, votes: VoteTable? = nil) -> Proposal {
        Proposal(request: RequestID(node: n1, incarnation: 1, number: number), payload: [1], votes: votes)
    }
    static func append(_ effects: [LogEffect]) -> LogMessage? {
        One.sent(by: effects).first { if case .append = $0.body { true } else { false } }
    }

    @Test("A promise is durable before it is told, and a majority promises before anybody adopts")
    func promiseFirst() throws {
        var replica = try One.Replica()
        let begin = try #require(One.sent(by: replica.hearHello(counts: true)).first(where: Self.isBegin))
        let effects = replica.hear(begin.body, from: One.m1)
        #expect(One.sent(by: effects).isEmpty)
        let token = try #require(One.persisted(by: effects)?.token)
        let told = One.sent(by: replica.log.handle(.persisted(token: token), at: .seconds(1)))
        #expect(told.map(\.body) == [.promised(epoch: 2, witness: false)])
        #expect(!One.adopts(replica.hear(.promised(epoch: 2, witness: false), from: One.m1)))
        #expect(One.adopts(replica.hear(.promised(epoch: 2, witness: false))))
    }

    @Test("An entry is acknowledged once it is durable")
    func entryFirst() throws {
        var replica = try One.leader()
        let append = try #require(Self.append(replica.log.handle(.propose(Self.proposal(1)), at: .seconds(1))))
        let effects = replica.hear(append.body, from: One.m1)
        #expect(!Self.acknowledges(effects, witness: false))
        let token = try #require(One.persisted(by: effects)?.token)
        #expect(Self.acknowledges(replica.log.handle(.persisted(token: token), at: .seconds(1)), witness: false))
    }

    @Test("The witness counts once it was written")
    func witnessWritten() throws {
        var replica = try One.leader()
        let read = replica.log.handle(.witnessHeld(id: 77), at: .seconds(1))
        guard case .readWitness(let reading)? = read.first else {
            Issue.record("the witness is not read, but \(read)")
            return
        }
        let report = try #require(One.sent(by: replica.log.handle(.witnessRead(token: reading, nil), at: .seconds(1))).first)
        let effects = replica.hear(report.body, from: One.m1)
        let token = effects.compactMap { if case .writeWitness(_, let token) = $0 { token } else { nil } }.first
        #expect(!Self.acknowledges(effects, witness: true))
        let written = replica.log.handle(.witnessWritten(token: try #require(token)), at: .seconds(1))
        #expect(Self.acknowledges(written, witness: true))
    }

    @Test("A change of the votes needs the old majority too, and there is one at a time")
    func oldMajority() throws {
        var replica = try One.leader()
        let votes = VoteTable(version: 2, nodes: [n1: 1, n2: 0], witness: 0)
        let append = try #require(Self.append(replica.log.handle(.propose(Self.proposal(1, votes: votes)), at: .seconds(1))))
        let token = try #require(One.persisted(by: replica.hear(append.body, from: One.m1))?.token)
        // All votes of the new table have it, and one of three of the old.
        #expect(!Self.commits(replica.log.handle(.persisted(token: token), at: .seconds(1))))
        var third = votes
        third.version = 3
        let second = One.sent(by: replica.log.handle(.propose(Self.proposal(2, votes: third)), at: .seconds(1)))
        #expect(second.map(\.body) == [.refused(Self.proposal(2).request, .votesInProgress)])
        #expect(Self.commits(replica.hear(.acknowledged(epoch: 2, index: 2, witness: false))))
    }

    @Test("Messages of another session are ignored")
    func otherSession() throws {
        var replica = try One.Replica()
        _ = replica.hearHello(counts: true, position: One.better)
        let old = replica.tag
        // Both say hello once more.
        let hello = One.sent(by: replica.hearHello(counts: true, position: One.better, round: 2))
        for message in hello { _ = replica.log.handle(.delivered(from: One.m1, message), at: .seconds(1)) }
        let begin = LogMessage.Body.begin(
            Begin(
                epoch: 3, leader: n2, base: One.better, baseIsWitness: false, tables: [One.table], witnessID: nil, witnessHolder: nil,
                forced: nil))
        let late = replica.log.handle(.delivered(from: One.m2, LogMessage(tag: old, body: begin)), at: .seconds(1))
        #expect(One.persisted(by: late) == nil)
        #expect(One.persisted(by: replica.hear(begin)) != nil)
    }

    @Test("The epoch of a log counts before its length")
    func epochBeforeLength() throws {
        let long = ReplicaPosition(promised: 2, adopted: 1, lastIndex: 9)
        let late = ReplicaPosition(promised: 2, adopted: 2, lastIndex: 3)
        #expect(late.isAhead(of: long) && !long.isAhead(of: late))
        var session = LogSession(tag: LogSession.tag(round: 1, members: [One.m1, One.m2], leftOut: []), leftOut: [])
        for (node, position) in [(n1, long), (n2, late)] {
            session.hellos[node] = Hello(
                members: [One.m1, One.m2], leftOut: [], incarnation: 1,
                replica: ReplicaReport(position: position, counts: true, tables: [One.table]), witness: nil)
        }
        #expect(session.coordinator == n2)
    }

    @Test("A replica without memory neither counts nor promises")
    func noMemory() throws {
        var log = try ConfigurationLog(settings: .init(member: One.m1, incarnation: 1), image: nil)
        let hello = try #require(One.sent(by: log.handle(.membership([One.m1, One.m2]), at: .zero)).first)
        guard case .hello(let said) = hello.body else {
            Issue.record("\(hello) is no hello")
            return
        }
        #expect(!said.replica.counts)
        _ = log.handle(.delivered(from: One.m1, hello), at: .zero)
        let other = Hello(
            members: [One.m1, One.m2], leftOut: [], incarnation: 2,
            replica: ReplicaReport(position: One.founding.position, counts: true, tables: [One.table]), witness: nil)
        _ = log.handle(.delivered(from: One.m2, LogMessage(tag: hello.tag, body: .hello(other))), at: .zero)
        let begin = Begin(
            epoch: 2, leader: n2, base: One.founding.position, baseIsWitness: false, tables: [One.table], witnessID: nil,
            witnessHolder: nil, forced: nil)
        let effects = log.handle(.delivered(from: One.m2, LogMessage(tag: hello.tag, body: .begin(begin))), at: .zero)
        #expect(One.persisted(by: effects) == nil)
    }

    @Test("A request that is sent again is applied once")
    func onceOnly() throws {
        var replica = try One.leader()
        let proposal = Proposal(request: RequestID(node: n2, incarnation: 2, number: 1), payload: [1])
        let append = try #require(Self.append(replica.hear(.propose(proposal))))
        let token = try #require(One.persisted(by: replica.hear(append.body, from: One.m1))?.token)
        _ = replica.log.handle(.persisted(token: token), at: .seconds(1))
        #expect(Self.commits(replica.hear(.acknowledged(epoch: 2, index: 2, witness: false))))
        #expect(Self.append(replica.hear(.propose(proposal))) == nil)
    }

    @Test("A witness that comes late, and could help, causes a new round")
    func lateWitness() throws {
        var replica = try One.Replica()
        // The witness makes the majority. Before it promised it is read anew: it may have more by now.
        let effects = replica.hearHello(witness: 77)
        let begin = try #require(One.sent(by: effects).first(where: Self.isBegin))
        _ = replica.hear(begin.body, from: One.m1)
        let report = WitnessReport(
            witnessID: 77, replica: ReplicaReport(position: One.founding.position, counts: true, tables: [One.table]), requests: [])
        let token = try #require(replica.log.disk.inFlight?.token)
        _ = replica.log.handle(.persisted(token: token), at: .seconds(1))
        let round = One.sent(by: replica.hear(.witness(report)))
        #expect(round.contains { if case .hello = $0.body { true } else { false } })
    }

    @Test("Who knows of a forced epoch does not go on with an older log")
    func forcedElsewhere() throws {
        var replica = try One.Replica()
        let forced = try #require(Epoch.forced(after: 1, on: n2.rawValue))
        var position = One.founding.position
        position.promised = forced
        let effects = replica.hearHello(counts: true, position: position)
        #expect(!One.sent(by: effects).contains(where: Self.isBegin))
        #expect(
            effects.contains {
                guard case .status(let status) = $0 else { return false }
                return status.phase == .forcedElsewhere(epoch: forced)
            })
    }

    /// Without the rule a node that was evicted and does not know it could keep the witness from those who need it.
    @Test("A node learns from the witness that it is no member any more")
    func evictedHolder() throws {
        var replica = try One.Replica()
        guard case .readWitness(let token)? = replica.log.handle(.witnessHeld(id: 77), at: .seconds(1)).first else {
            Issue.record("the witness is not read")
            return
        }
        var image = ReplicaImage.founding(by: n2, payload: [], votes: VoteTable(version: 4, nodes: [n2: 1], witness: 1, witnessID: 77))
        image.position.promised = 9
        image.position.adopted = 9
        _ = replica.log.handle(.witnessRead(token: token, image), at: .seconds(1))
        let report = try #require(One.sent(by: replica.hearHello()).first)
        #expect(
            replica.hear(report.body, from: One.m1).contains {
                guard case .status(let status) = $0 else { return false }
                return status.phase == .turnedAway(tableVersion: 4)
            })
    }
}
