import ClusterModel
import Foundation
import Testing

@testable import Validation

@Suite("Judges of reservations")
struct ReservationJudgeTests {
    static let disk = DiskID("t10.X")
    static let parties = ModelDisk.parties(3)
    static let (one, two, three) = (parties[0], parties[1], parties[2])
    static let conflict = ReservationAnswer(.conflict, "It was refused.")
    static let lost = ReservationAnswer(.failed, "The session is dead.")

    // MARK: Persistence

    static func persistence(_ change: (inout PersistenceEvidence) -> Void = { _ in }) -> TestOutcome {
        var evidence = PersistenceEvidence(
            holder: one, witness: two, capabilities: ReservationAnswer(canPersist: true),
            lookAfterDrop: ReservationAnswer(keys: [one.key], holder: one.key), strangerWrite: conflict, writeAfterLogin: conflict,
            adoption: ReservationAnswer(milliseconds: 2), lookAfterAdoption: ReservationAnswer(keys: [one.key], holder: one.key),
            writeAfterAdoption: ReservationAnswer())
        change(&evidence)
        return PersistenceJudge.judge(evidence, on: disk)
    }

    @Test("What survives a new login is told; an array that forgets at a restart is a warning")
    func survives() {
        let bound = Self.persistence()
        #expect(bound.findings.map(\.verdict) == [.pass, .pass, .pass])
        #expect(bound.findings[1].reason.hasPrefix("The disk binds a registration to the session"))
        let kept = Self.persistence { $0.writeAfterLogin = ReservationAnswer() }
        #expect(kept.findings[1].reason == "After a new login n1 was still registered.")
        for change: ReservationAnswer in [ReservationAnswer(canPersist: false), Self.lost] {
            let outcome = Self.persistence { $0.capabilities = change }
            #expect(outcome.findings.map(\.verdict) == [.pass, .pass, .warning])
            #expect(outcome.findings[2].cure != nil && outcome.headline == nil)
        }
    }

    @Test("A disk that lets go of a reservation with the session fails")
    func forgets() {
        let changes: [(inout PersistenceEvidence) -> Void] = [
            { $0.lookAfterDrop = ReservationAnswer(keys: [], holder: nil) },
            { $0.lookAfterDrop = ReservationAnswer(keys: [Self.one.key], holder: nil) },
            { $0.lookAfterDrop = ReservationAnswer(keys: [Self.one.key], holder: Self.two.key) },
            { $0.lookAfterDrop = Self.lost },
            { $0.strangerWrite = ReservationAnswer() },
            { $0.strangerWrite = Self.lost },
        ]
        for change in changes {
            let outcome = Self.persistence(change)
            #expect(outcome.findings.map(\.verdict) == [.failure, .pass])
            #expect(outcome.findings[0].subject == .disk(Self.disk, node: Self.two.node))
            #expect(outcome.headline == "disk t10.X loses reservations with a session")
        }
        let takeovers: [(inout PersistenceEvidence) -> Void] = [
            { $0.adoption = Self.conflict },
            { $0.lookAfterAdoption = ReservationAnswer(keys: [Self.one.key, Self.one.key], holder: Self.one.key) },
            { $0.lookAfterAdoption = ReservationAnswer(keys: [Self.one.key], holder: nil) },
            { $0.writeAfterAdoption = Self.conflict },
        ]
        for change in takeovers { #expect(Self.persistence(change).findings.map(\.verdict) == [.pass, .failure, .pass]) }
    }

    // MARK: Defence

    static func defence(
        rounds: [Double] = [1, 2, 3], holding: ReservationAnswer.Result = .done, pause: Double? = nil,
        _ change: (inout ReservationAnswer.Watching) -> Void = { _ in }
    ) -> TestOutcome {
        var watching = ReservationAnswer.Watching(moves: 9, longestSilence: 520, refusals: 40)
        change(&watching)
        return DefenceJudge.judge(
            DefenceEvidence(
                owner: one, holding: ReservationAnswer(holding, "It was lost.", rounds: rounds, longestPause: pause),
                challengers: [.init(two, ReservationAnswer(watching: watching)), .init(three, ReservationAnswer(watching: watching))]),
            on: disk, .init(lease: 2_000, silence: 4_000))
    }

    @Test("An owner that keeps the disk and is seen alive passes")
    func keeps() {
        let outcome = Self.defence()
        #expect(outcome.findings.map(\.verdict) == [.pass, .pass, .pass])
        #expect(outcome.findings.map(\.subject.node) == Self.parties.map(\.node))
    }

    @Test("An owner that lost it, a second holder, and a heartbeat that nobody sees are failures")
    func loses() {
        #expect(Self.defence(holding: .failed).findings.map(\.verdict) == [.failure, .pass, .pass])
        #expect(Self.defence(rounds: []).findings.map(\.verdict) == [.failure, .pass, .pass])
        #expect(Self.defence(rounds: [1, 1_500]).findings.map(\.verdict) == [.warning, .pass, .pass])
        let changes: [(Verdict, (inout ReservationAnswer.Watching) -> Void)] = [
            (.failure, { $0.wins = 1 }), (.failure, { $0.strangers = [Self.three.key] }), (.failure, { $0.moves = 0 }),
            (.failure, { $0.longestSilence = 4_001 }), (.warning, { $0.longestSilence = 2_001 }),
        ]
        for (verdict, change) in changes {
            let outcome = Self.defence(change)
            #expect(outcome.findings.map(\.verdict) == [.pass, verdict, verdict])
            #expect(outcome.findings[1].cure != nil)
            #expect((outcome.headline == "disk t10.X does not stay with its owner") == (verdict == .failure))
        }
    }

    @Test("An owner that wrote late was silent, and nobody read old data")
    func lateOwner() {
        for (pause, verdict) in [(Double?.none, Verdict.failure), (600, .failure), (4_500, .warning)] {
            let outcome = Self.defence(pause: pause) { $0.longestSilence = 4_700 }
            #expect(outcome.findings.map(\.verdict) == [.pass, verdict, verdict], "\(pause ?? 0)")
        }
    }

    // MARK: Contest

    static func contest(
        _ answers: [ReservationAnswer.Result], holders: [DiskKey?] = [one.key, one.key, one.key]
    ) -> TestOutcome {
        let round = ContestRound(
            owner: ReservationParty(one.node, number: 1, key: DiskKey(rawValue: 7)),
            challenges: zip(parties, answers).map { .init($0, ReservationAnswer($1, "It was refused.")) },
            readings: zip(parties, holders).map { .init($0, ReservationAnswer(holder: $1)) })
        return ContestJudge.judge([round, round], on: disk)
    }

    @Test("Exactly one winner, whom every node reads as the holder, passes")
    func oneWinner() {
        let outcome = Self.contest([.done, .conflict, .conflict])
        #expect(outcome.findings.map(\.verdict) == [.pass, .pass, .pass])
        #expect(outcome.findings[0].reason == "In 2 rounds with 3 challengers exactly one won each time; n1 won 2.")
    }

    @Test("Two winners, none, another holder, and a challenger that failed are failures")
    func notOneWinner() {
        let cases: [(TestOutcome, String)] = [
            (Self.contest([.done, .done, .conflict]), "In round 1 n1 and n2 were all told that they had won."),
            (Self.contest([.conflict, .conflict, .conflict]), "nobody won the disk of n1's second session, although 3 tried."),
            (
                Self.contest([.done, .conflict, .conflict], holders: [Self.one.key, Self.two.key, Self.one.key]),
                "but n2 reads as the holder: \(Self.two.key)"
            ),
            (
                Self.contest([.done, .conflict, .conflict], holders: [Self.one.key, nil, Self.one.key]),
                "but n2 reads as the holder: nobody"
            ),
            (Self.contest([.done, .failed, .conflict]), "In round 1 n2 could not take part."),
            (ContestJudge.judge([], on: Self.disk), ""),
        ]
        for (outcome, words) in cases {
            #expect(outcome.findings.allSatisfy { $0.verdict == .failure })
            #expect(words.isEmpty || outcome.findings.contains { $0.reason.contains(words) }, "\(words): \(outcome.findings.map(\.reason))")
            #expect(outcome.headline != nil)
        }
    }

    // MARK: Fenced writes

    static func fencedWrites(
        writing: ReservationAnswer = ReservationAnswer(.preempted, writing: .init(acknowledged: 300)),
        landing: ReservationAnswer = ReservationAnswer(barrier: .reset, landing: .init(sawWrites: true, readings: 30, changes: []))
    ) -> TestOutcome {
        FencedWritesJudge.judge([FencedWritesEvidence(writer: one, fencer: two, writing: writing, landing: landing)], on: disk)
    }

    @Test("Writes that end with the fence pass; whatever lands later, or goes on, fails")
    func late() {
        #expect(Self.fencedWrites().findings.map(\.verdict) == [.pass])
        let late = Self.fencedWrites(landing: ReservationAnswer(landing: .init(sawWrites: true, readings: 30, changes: [12, 640.4])))
        #expect(late.findings[0].reason == "2 writes of n1 landed after n2 had fenced it, the last one 640 ms later.")
        #expect(late.headline == "writes of n1 to disk t10.X are not stopped by a fence as they must")
        for writing in [ReservationAnswer(.done, writing: .init(acknowledged: 9)), ReservationAnswer(.failed, "The session is dead.")] {
            #expect(Self.fencedWrites(writing: writing).findings.map(\.verdict) == [.failure])
        }
        for landing in [Self.lost, Self.conflict, ReservationAnswer()] {
            #expect(Self.fencedWrites(landing: landing).findings.map(\.verdict) == [.failure])
        }
        let unseen = Self.fencedWrites(landing: ReservationAnswer(landing: .init(sawWrites: false, readings: 30, changes: [])))
        #expect(unseen.findings.map(\.verdict) == [.warning])
    }
}
