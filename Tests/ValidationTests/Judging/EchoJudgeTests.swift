import ClusterModel
import Testing

@testable import Validation

@Suite("Judges of packets")
struct EchoJudgeTests {
    static let (n1, n2) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"))

    static func evidence(sent: Int, answers: [Double], received: Int? = nil, problem: String? = nil) -> EchoEvidence {
        EchoEvidence(
            from: n1, to: n2, network: "cluster network 10.0.0.0/24", port: 5_405,
            sending: .init(sent: sent, answers: answers, problem: problem), received: received)
    }
    static func verdict(_ test: ValidationTest, _ outcome: TestOutcome) -> Verdict { TestResult(test, outcome, milliseconds: 0).verdict }

    @Test("The direction that is closed is named")
    func direction() throws {
        let there = EchoJudges.reachability(.udp, [Self.evidence(sent: 8, answers: [], received: 0)])
        #expect(there.findings[0].reason.contains("does not reach port 5405 of n2"))
        let back = EchoJudges.reachability(.udp, [Self.evidence(sent: 8, answers: [], received: 8)])
        #expect(back.findings[0].reason.contains("drops UDP from n2 to n1"))
        #expect(back.headline == "UDP does not pass from n1 to n2")
        let open = EchoJudges.reachability(.tcp, [Self.evidence(sent: 3, answers: [0.2])])
        #expect(Self.verdict(NetworkCatalogue.tcp, open) == .pass && open.headline == nil)
    }

    @Test("Loss", arguments: [(200, 200, Verdict.pass), (200, 199, .warning), (200, 190, .failure), (8, 0, .failure), (0, 0, .failure)])
    func loss(sent: Int, answered: Int, expected: Verdict) {
        let outcome = EchoJudges.loss([Self.evidence(sent: sent, answers: Array(repeating: 0.1, count: answered))])
        #expect(Self.verdict(NetworkCatalogue.loss, outcome) == expected)
    }

    @Test(
        "Latency",
        arguments: [
            ([0.2, 0.3], Verdict.pass), ([20, 30], .warning), ([200, 300], .failure), ([0.3, 200, 200], .warning), ([], .failure),
        ])
    func latency(answers: [Double], expected: Verdict) {
        #expect(Self.verdict(NetworkCatalogue.latency, EchoJudges.latency([Self.evidence(sent: 2, answers: answers)])) == expected)
    }

    @Test(
        "Jitter: one answer in fifty that is late may be a busy node's, one in eight is the network's",
        arguments: [(0.2, 1, Verdict.pass), (60.0, 1, .warning), (600.0, 1, .warning), (600.0, 7, .failure)])
    func jitter(slowest: Double, count: Int, expected: Verdict) {
        let answers = Array(repeating: 0.2, count: 50) + Array(repeating: slowest, count: count)
        #expect(
            Self.verdict(NetworkCatalogue.jitter, EchoJudges.jitter([Self.evidence(sent: answers.count, answers: answers)])) == expected)
    }

    @Test("Large packets that do not pass fail with their size")
    func packetSize() {
        let outcome = EchoJudges.packetSize([
            .init(Self.evidence(sent: 3, answers: [], problem: "Message too long"), mtu: 9_000, receiver: "eth1", receiverMTU: 1_500)
        ])
        #expect(outcome.findings[0].reason.contains("9000") && outcome.findings[0].reason.contains("Message too long"))
        #expect(outcome.findings[0].cure?.contains("ip link set eth1 mtu 9000 on n2") == true)
        #expect(outcome.headline == "large packets do not pass between n1 and n2")
    }

    @Test(
        "Clocks",
        arguments: [
            (3.0, Verdict.pass, "agree"), (5_000, .warning, "n2 is 5 s ahead of that of n1"),
            (-120_000, .failure, "n1 is 120 s ahead of that of n2"),
        ])
    func clocks(ahead: Double, expected: Verdict, words: String) {
        let outcome = EchoJudges.clocks(Self.n1, Self.n2, ahead: ahead)
        #expect(Self.verdict(NetworkCatalogue.clockOffset, outcome) == expected)
        #expect(outcome.findings[0].reason.contains(words))
    }
}
