import ClusterModel
import ClusterRules
import Foundation
import Validation

/// The tests of reservations that are no plain script.
enum ReservationWorks {
    static func persistence(_ stage: ReservationStage) async throws -> TestOutcome {
        guard let disk = stage.disks.first else { return TestOutcome() }
        var outcome = TestOutcome()
        for (index, holder) in stage.parties.enumerated() {
            let witness = stage.parties[(index + 1) % stage.parties.count]
            let prepared = try await stage.perform(ReservationScript([[.init(holder, .register)], [.init(holder, .reserve)]]))
            guard prepared.allSatisfy(\.isAsExpected) else { return outcome + ScriptJudge.judge(prepared, on: stage.disks, .reserve) }
            let capabilities = try await stage.single(.capabilities, by: holder)
            _ = try await stage.single(.drop, by: holder)
            let lookAfterDrop = try await stage.single(.look, by: witness)
            let strangerWrite = try await stage.single(.write, by: witness)
            _ = try await stage.single(.login, by: holder)
            let writeAfterLogin = try await stage.single(.write, by: holder)
            let evidence = PersistenceEvidence(
                holder: holder, witness: witness, capabilities: capabilities, lookAfterDrop: lookAfterDrop, strangerWrite: strangerWrite,
                writeAfterLogin: writeAfterLogin, adoption: try await stage.single(.adopt, by: holder),
                lookAfterAdoption: try await stage.single(.look, by: holder), writeAfterAdoption: try await stage.single(.write, by: holder)
            )
            outcome = outcome + PersistenceJudge.judge(evidence, on: disk, tellsPower: index == 0)
            _ = try await stage.single(.unregister, by: holder)
        }
        return outcome
    }

    static func defence(_ stage: ReservationStage, owner: ReservationParty) async throws -> TestOutcome {
        guard let disk = stage.disks.first else { return TestOutcome() }
        let timings = ArbitrationTimings()
        let limits = DefenceJudge.Limits(lease: timings.lease / .milliseconds(1), silence: timings.silence / .milliseconds(1))
        let prepared = try await stage.perform(
            ReservationScript([stage.parties.map { .init($0, .register) }, [.init(owner, .borrow)], [.init(owner, .reserve)]]))
        guard prepared.allSatisfy(\.isAsExpected) else { return ScriptJudge.judge(prepared, on: stage.disks, .reserve) }
        // Half a second more than a challenger waits before it takes the disk.
        let milliseconds = Int(limits.silence) + 500
        let deadline = .milliseconds(milliseconds) + ProbePatience.answer
        // It holds on until all have watched it, also those that a busy node keeps from beginning in time.
        async let holding = stage.single(
            .beat(milliseconds: milliseconds + 8_000, interval: Int(timings.interval / .milliseconds(1))), by: owner, within: deadline)
        let challengers = try await stage.together(stage.parties.filter { $0 != owner }) { party in
            ReservationAttempt(
                party, try await stage.single(.watch(owner: owner.key, milliseconds: milliseconds), by: party, within: deadline))
        }
        try await stage.stop(owner)
        return DefenceJudge.judge(
            DefenceEvidence(owner: owner, holding: try await holding, challengers: challengers), on: disk, limits)
    }

    /// For what ends as soon as another node has done its part, in milliseconds.
    private static let patience = Int(ProbePatience.probe / .milliseconds(1))

    /// Rounds enough that each of some nodes is an owner.
    private static let contestRounds = 4

    static func contest(_ stage: ReservationStage) async throws -> TestOutcome {
        guard let disk = stage.disks.first else { return TestOutcome() }
        var rounds: [ContestRound] = []
        for index in 0..<contestRounds {
            let owner = stage.seconds[index % stage.seconds.count]
            let challengers = stage.parties + stage.seconds.filter { $0 != owner }
            let all = stage.parties + stage.seconds
            let prepared = try await stage.perform(ReservationScript([all.map { .init($0, .register) }]))
            guard prepared.allSatisfy(\.isAsExpected) else { return ScriptJudge.judge(prepared, on: stage.disks, .register) }
            let attempts = try await stage.together([owner] + challengers) { party in
                if party == owner {
                    // All others are to be waiting for it by then; who is not finds the disk taken.
                    try await Task.sleep(for: .milliseconds(100))
                    return ReservationAttempt(party, try await stage.single(.reserve, by: party))
                }
                return ReservationAttempt(party, try await stage.single(.challenge(owner: owner.key, milliseconds: patience), by: party))
            }
            if let start = attempts.first, start.answer.result != .done {
                let line = ReservationScript.Line(owner, .reserve)
                return ScriptJudge.judge([ReservationEntry(line, answers: [start.answer], milliseconds: 0)], on: stage.disks, .reserve)
            }
            let readings = try await stage.together(stage.parties) { ReservationAttempt($0, try await stage.single(.look, by: $0)) }
            rounds.append(ContestRound(owner: owner, challenges: Array(attempts.dropFirst()), readings: readings))
            // The disk is free again for the next round.
            if let winner = attempts.dropFirst().first(where: { $0.answer.result == .done })?.party {
                _ = try await stage.single(.release, by: winner)
            }
        }
        return ContestJudge.judge(rounds, on: disk)
    }

    /// Each direction takes more than a second.
    private static let mostDirections = 8

    static func fencedWrites(_ stage: ReservationStage) async throws -> TestOutcome {
        guard let disk = stage.disks.first else { return TestOutcome() }
        var all: [FencedWritesEvidence] = []
        // All of them before anybody writes.
        let borrowed = try await stage.perform(ReservationScript([stage.parties.map { .init($0, .borrow) }]))
        guard borrowed.allSatisfy(\.isAsExpected) else { return ScriptJudge.judge(borrowed, on: stage.disks, .reserve) }
        for (index, writer) in stage.parties.enumerated().prefix(mostDirections) {
            let fencer = stage.parties[(index + 1) % stage.parties.count]
            let prepared = try await stage.perform(
                ReservationScript([
                    [.init(writer, .register), .init(fencer, .register)], [.init(writer, .reserve)],
                ]))
            guard prepared.allSatisfy(\.isAsExpected) else { return ScriptJudge.judge(prepared, on: stage.disks, .reserve) }
            var answers = try await stage.together([writer, fencer]) { party in
                let act: ReservationAct =
                    party == writer ? .stream(milliseconds: patience) : .fenceAndWatch(victim: writer.key, milliseconds: 800)
                return try await stage.single(act, by: party, within: ProbePatience.probe + ProbePatience.answer)
            }
            if answers[0].result == .done {
                // Its time was over before it was fenced, or the fence does not hold: one write more tells.
                var after = try await stage.single(.write, by: writer)
                after.writing = answers[0].writing
                answers[0] = after
            }
            all.append(FencedWritesEvidence(writer: writer, fencer: fencer, writing: answers[0], landing: answers[1]))
            _ = try await stage.single(.unregister, by: fencer)
        }
        return FencedWritesJudge.judge(all, on: disk)
    }
}
