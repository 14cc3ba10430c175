import ClusterModel
import Testing

@testable import Validation

@Suite("Scripts of reservations")
struct ScriptJudgeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var script: @Sendable ([ReservationParty]) -> ReservationScript
        var wording: ScriptJudge.Wording
        var testDescription: String { name }
    }
    static let cases = [
        Case(name: "register", script: ReservationScript.register, wording: .register),
        Case(name: "reserve", script: ReservationScript.reserve, wording: .reserve),
        Case(name: "conflict", script: ReservationScript.conflict, wording: .conflict),
        Case(name: "preempt", script: ReservationScript.preempt, wording: .preempt),
        Case(name: "preempt-and-abort", script: ReservationScript.preemptAndAbort, wording: .preemptAndAbort),
        Case(name: "clear", script: ReservationScript.clear, wording: .clear),
        Case(name: "arbitration", script: ReservationScript.arbitration, wording: .arbitration),
        Case(name: "failover", script: ReservationScript.failover, wording: .failover),
    ]
    static let disk = DiskID("t10.X")

    static func judge(_ one: Case, nodes: Int, _ fault: ModelDisk.Fault?) -> TestOutcome {
        var model = ModelDisk(fault)
        return ScriptJudge.judge(model.perform(one.script(ModelDisk.parties(nodes))), on: [disk], one.wording)
    }

    @Test("A disk that keeps to the standard passes, with a finding for each node", arguments: cases, [2, 3, 8])
    func healthy(one: Case, nodes: Int) {
        let outcome = Self.judge(one, nodes: nodes, nil)
        #expect(outcome.findings.map(\.verdict) == Array(repeating: .pass, count: nodes), "\(outcome.findings.map(\.reason))")
        #expect(outcome.findings.map(\.subject) == ModelDisk.parties(nodes).map { .disk(Self.disk, node: $0.node) })
        #expect(outcome.headline == nil)
    }

    static let failing: [ModelDisk.Fault: Set<String>] = [
        .ignoresReservations: ["conflict", "preempt", "preempt-and-abort", "arbitration", "failover"],
        .takesOneKey: ["register", "reserve", "conflict", "preempt", "preempt-and-abort", "clear", "arbitration", "failover"],
        .keepsVictim: ["preempt", "preempt-and-abort", "arbitration", "failover"],
        .keepsCleared: ["clear"],
        .reservesForAll: ["reserve"],
        // With two nodes nobody but the taker is there to read in a failover.
        .forgetsHolder: ["preempt", "preempt-and-abort", "arbitration", "failover"],
        .hidesHolder: ["reserve", "preempt", "preempt-and-abort", "arbitration", "failover"],
        .fails: ["reserve", "conflict", "preempt", "preempt-and-abort", "clear", "arbitration", "failover"],
        .isSlow: [],
    ]

    @Test("Each fault of a disk fails exactly the tests that it concerns", arguments: ModelDisk.Fault.allCases, [3, 5])
    func broken(fault: ModelDisk.Fault, nodes: Int) throws {
        let expected = try #require(Self.failing[fault])
        for one in Self.cases {
            let outcome = Self.judge(one, nodes: nodes, fault)
            let failures = outcome.findings.filter { $0.verdict == .failure }
            #expect(failures.isEmpty != expected.contains(one.name), "\(one.name): \(outcome.findings.map(\.reason))")
            #expect(failures.isEmpty == (outcome.headline == nil))
            #expect(outcome.headline?.hasPrefix("disk t10.X ") ?? true)
            for finding in failures { #expect(!finding.reason.isEmpty && finding.subject.disk == Self.disk && finding.subject.node != nil) }
        }
    }

    @Test("What a fault says names the node, the act and the reason")
    func words() throws {
        let conflict = Self.judge(Self.cases[2], nodes: 2, .ignoresReservations)
        let finding = try #require(conflict.findings.first { $0.verdict == .failure })
        #expect(finding.reason == "n2 could write to the disk although it is not registered and n1 holds the disk.")
        #expect(finding.cure?.contains("does not enforce reservations") == true)
        #expect(conflict.headline == "disk t10.X lets nodes write that are not registered")

        let hidden = Self.judge(Self.cases[1], nodes: 2, .hidesHolder)
        let reason = try #require(hidden.findings.first { $0.verdict == .failure }?.reason)
        let key = ModelDisk.parties(1)[0].key
        #expect(reason == "n1 reads nobody as the holder in place of \(key); its own key is \(key).")

        let mute = Self.judge(Self.cases[1], nodes: 2, .fails)
        #expect(mute.findings.first?.reason == "n1 could not reserve the disk. There was no answer within 4.0 seconds.")
    }

    @Test("A disk that is slow is a warning, one that is very slow a failure")
    func slow() {
        let outcome = Self.judge(Self.cases[7], nodes: 2, .isSlow)
        #expect(outcome.findings.map(\.verdict) == [.warning, .warning])
        #expect(outcome.findings.first?.reason.contains("takeover took n1 2000 ms") == true, "\(outcome.findings)")
        var wording = ScriptJudge.Wording.failover
        wording.tooSlow = 1_500
        var model = ModelDisk(.isSlow)
        let failed = ScriptJudge.judge(model.perform(.failover(ModelDisk.parties(2))), on: [Self.disk], wording)
        #expect(failed.findings.map(\.verdict) == [.failure, .failure])
        #expect(failed.headline == "disk t10.X does not fail over")
    }

    @Test("A node that told of fewer disks than it was asked about has failed")
    func missing() {
        let party = ModelDisk.parties(1)[0]
        let entry = ReservationEntry(.init(party, .register), answers: [ReservationAnswer()], milliseconds: 1)
        let outcome = ScriptJudge.judge([entry], on: [Self.disk, DiskID("t10.Y")], .register)
        #expect(outcome.findings.map(\.verdict) == [.pass, .failure])
        #expect(outcome.headline == "disk t10.Y does not take registrations")
    }
}
