import ClusterModel
import Foundation
import Validation

extension NodeProbes {
    /// What `network/…` tests ask of a node.
    static let network: [NodeProbe] = [
        NodeProbe(EchoListenQuestion.self) { question, context in try await EchoProbe.listen(question, context) },
        NodeProbe(EchoTallyQuestion.self) { question, context in try await EchoProbe.tally(question, context) },
        NodeProbe(EchoSendQuestion.self) { question, _ in try await EchoProbe.send(question) },
        NodeProbe(ClockQuestion.self) { _, _ in .init(now: WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))) },
    ]
}

extension StepWorks {
    /// How the steps of `network/…` tests are carried out.
    static let network: [ValidationTestID: StepWork] = [
        NetworkCatalogue.udp.id: { step, context in
            EchoJudges.reachability(
                .udp,
                try await PairWork(step, context).both(["cluster", "cluster2"]) { try await $0.datagrams(20, ports: $0.corosyncPorts) })
        },
        NetworkCatalogue.tcp.id: { step, context in
            EchoJudges.reachability(.tcp, try await PairWork(step, context).both(["cluster", "migration"]) { try await $0.connections() })
        },
        NetworkCatalogue.loss.id: { step, context in EchoJudges.loss(try await PairWork(step, context).burst()) },
        NetworkCatalogue.latency.id: { step, context in EchoJudges.latency(try await PairWork(step, context).burst()) },
        NetworkCatalogue.jitter.id: { step, context in EchoJudges.jitter(try await PairWork(step, context).burst()) },
        NetworkCatalogue.mtu.id: { step, context in EchoJudges.packetSize(try await PairWork(step, context).largest()) },
        NetworkCatalogue.clockOffset.id: { step, context in
            guard case .pair(let one, let other) = step.target else { return TestOutcome() }
            let first = try await clock(of: one, context)
            return EchoJudges.clocks(one, other, ahead: try await clock(of: other, context) - first)
        },
    ]

    /// Milliseconds that a node's clock is ahead of this node's, right to half the time of asking.
    private static func clock(of node: NodeName, _ context: StepContext) async throws -> Double {
        func now() -> Double { Date().timeIntervalSince1970 * 1_000 }
        let before = now()
        let answer = try await context.ask(ClockQuestion(), of: node, within: .seconds(4))
        return Double(answer.now.rawValue) - (before + now()) / 2
    }
}
