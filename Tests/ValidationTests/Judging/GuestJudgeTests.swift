import ClusterModel
import Testing

@testable import Validation

/// What guests that were started and moved showed, broken in one thing at a time.
@Suite struct GuestJudgeTests {
    private let n1 = NodeName(unchecked: "n1")
    private let n2 = NodeName(unchecked: "n2")

    private func good() -> GuestMoveEvidence {
        GuestMoveEvidence(
            outcome: .completed, message: "a-guest runs on n2.", totalMilliseconds: 270, blackoutMilliseconds: 35, gapMilliseconds: 37,
            transferredBytes: 1 << 20, passes: 2, lastSign: 126, firstSign: 127, signsAhead: 1, hasBrokenMemory: false)
    }

    @Test func aMoveThatWentWellHasItsFigures() throws {
        let finding = try #require(GuestJudges.move(.live, from: n1, to: n2, good()).findings.first)
        #expect(finding.verdict == .pass)
        #expect(finding.subject == .pair(n1, n2))
        #expect(finding.figures.contains(Figure("Gap", 37, .milliseconds)))
        #expect(finding.figures.contains(Figure("Blackout", 35, .milliseconds)))
    }

    enum Damage: CaseIterable {
        case linkBroke, brokenMemory, silent, startedAnew

        func apply(to evidence: inout GuestMoveEvidence) {
            switch self {
            case .linkBroke:
                evidence.outcome = .failed
                evidence.message = "The link broke."
            case .brokenMemory: evidence.hasBrokenMemory = true
            case .silent:
                evidence.signsAhead = nil
                evidence.firstSign = nil
            case .startedAnew: evidence.signsAhead = 60
            }
        }
        var words: String {
            switch self {
            case .linkBroke: "The link broke."
            case .brokenMemory: "memory there that it had not written"
            case .silent: "gave no sign of life"
            case .startedAnew: "did not go on there where it had stopped"
            }
        }
    }

    @Test("one thing is wrong", arguments: Damage.allCases)
    func failure(_ damage: Damage) throws {
        var evidence = good()
        damage.apply(to: &evidence)
        let outcome = GuestJudges.move(.quick, from: n1, to: n2, evidence)
        let finding = try #require(outcome.findings.first)
        #expect(outcome.findings.count == 1)
        #expect(finding.verdict == .failure)
        #expect(finding.reason.contains(damage.words), "\(finding.reason)")
        #expect(finding.cure != nil)
        #expect(outcome.headline == "a guest does not move by quick migration from n1 to n2")
    }

    @Test func aLongSilenceIsTold() throws {
        var evidence = good()
        evidence.gapMilliseconds = 1_500
        let finding = try #require(GuestJudges.move(.live, from: n1, to: n2, evidence).findings.first)
        #expect(finding.verdict == .warning)
        #expect(finding.reason.contains("silent for 1.5 s"))
    }

    @Test(arguments: [Double.nan, .infinity, -1, 1e300])
    func hostileNumbersAreWords(time: Double) {
        var evidence = good()
        evidence.totalMilliseconds = time
        evidence.blackoutMilliseconds = time
        evidence.gapMilliseconds = time
        #expect(GuestJudges.move(.live, from: n1, to: n2, evidence).findings.count == 1)
    }

    @Test func aGuestThatDoesNotStartNamesItsNode() throws {
        let evidence = GuestTrialQuestion.Evidence(
            acceleration: .kvm, choice: "It ran.", succeeded: false, milliseconds: 3, reason: "Could not access KVM kernel module.")
        let outcome = GuestJudges.acceleration(n2, evidence)
        #expect(outcome.headline == "guests do not start on n2")
        #expect(outcome.findings.map(\.verdict) == [.failure])
        #expect(outcome.findings[0].reason == "A guest did not run on n2 with KVM: Could not access KVM kernel module.")
        #expect(outcome.findings[0].cure?.contains("kvm_intel") == true)
    }

    @Test func aGuestThatRanPasses() {
        let evidence = GuestTrialQuestion.Evidence(
            acceleration: .tcg, choice: "No /dev/kvm.", succeeded: true, milliseconds: 900, reason: "")
        #expect(GuestJudges.acceleration(n1, evidence).findings.map(\.verdict) == [.pass])
    }

    @Test func theGuestIsWhatBothNodesCanBuild() {
        var one = NodeInventory(node: n1, collectedAt: GoodNodes.now)
        one.hypervisor.machineTypes = ["pc-i440fx-7.2", "pc-q35-7.1", "pc-q35-7.2"]
        one.hypervisor.cpuModels = ["Nehalem", "Skylake-Server", "qemu64"]
        var other = one
        other.hypervisor.machineTypes = ["pc-i440fx-7.2", "pc-q35-7.1"]
        other.hypervisor.cpuModels = ["Nehalem", "qemu64"]
        #expect(GuestJudges.commonMachine(one, other) == .init(machineType: "pc-q35-7.1", cpuModel: "Nehalem"))
        other.hypervisor.machineTypes = []
        #expect(GuestJudges.commonMachine(one, other) == nil)
        #expect(GuestJudges.nothingInCommon(n1, n2, .live).findings.map(\.verdict) == [.failure])
    }
}
