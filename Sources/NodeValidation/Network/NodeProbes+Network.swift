import ClusterAPI
import ClusterModel
import Foundation
import NodeService
import Validation

extension NodeProbes {
    /// What `network/…` tests ask of a node.
    static let network: [NodeProbe] = [
        NodeProbe(EchoListenQuestion.self) { question, context in try await EchoProbe.listen(question, context) },
        NodeProbe(EchoTallyQuestion.self) { question, context in try await EchoProbe.tally(question, context) },
        NodeProbe(EchoSendQuestion.self) { question, _ in try await EchoProbe.send(question) },
        NodeProbe(NameQuestion.self) { question, _ in try await NameProbe.look(question) },
        NodeProbe(DuplicateQuestion.self) { question, _ in try await DuplicateProbe.ask(question) },
        NodeProbe(MovedAddressWatchQuestion.self) { question, context in try await MovedAddressProbe.watch(question, context) },
        NodeProbe(MovedAddressTallyQuestion.self) { question, context in try await MovedAddressProbe.tally(question, context) },
        NodeProbe(MovedAddressSendQuestion.self) { question, _ in try await MovedAddressProbe.send(question) },
        NodeProbe(StreamListenQuestion.self) { question, _ in .init(port: try await LinkTest.receive(on: question.address).port) },
        NodeProbe(StreamSendQuestion.self) { question, _ in
            let ready = LinkTestReady(address: question.address, port: question.port)
            return .init(bitsPerSecond: Double(try await LinkTest.send(to: ready, for: .milliseconds(800))) * 8)
        },
        NodeProbe(ClockQuestion.self) { _, _ in .init(now: WallTime(Date())) },
    ]
}

extension StepWorks {
    /// How the steps of `network/…` tests are carried out.
    static let network: [ValidationTestID: StepWork] = [
        NetworkCatalogue.udp.id: { step, context in
            EchoJudges.reachability(.udp, try await PairWork(step, context).corosyncLinks().map(\.echo))
        },
        NetworkCatalogue.tcp.id: { step, context in
            EchoJudges.reachability(.tcp, try await PairWork(step, context).both(["cluster", "migration"]) { try await $0.connections() })
        },
        NetworkCatalogue.loss.id: { step, context in EchoJudges.loss(try await PairWork(step, context).burst()) },
        NetworkCatalogue.latency.id: { step, context in EchoJudges.latency(try await PairWork(step, context).burst()) },
        NetworkCatalogue.jitter.id: { step, context in EchoJudges.jitter(try await PairWork(step, context).burst()) },
        NetworkCatalogue.firewall.id: { step, context in
            FilterJudge.judge(try await PairWork(step, context).ports(), in: context.facts)
        },
        NetworkCatalogue.throughput.id: { step, context in ThroughputJudge.judge(try await PairWork(step, context).streams()) },
        NetworkCatalogue.gratuitousARP.id: { step, context in try await PairWork(step, context).moves() },
        NetworkCatalogue.names.id: { step, context in
            guard case .node(let node) = step.target else { return TestOutcome() }
            let others = context.facts.answers.filter { $0.node != node }
            let hosts = others.compactMap { other in
                other.network.roles.first { $0.role == "cluster" }.map { NameQuestion.Host(name: other.node, address: $0.address) }
            }
            guard !hosts.isEmpty else { return .notApplicable("No other node told its address.") }
            let evidence = try await context.ask(NameQuestion(hosts: hosts), of: node)
            let known = others.map { other in
                let bare = other.network.adapters.flatMap(\.addresses).map { String($0.prefix { $0 != "/" }) }
                return (other.node, other.network.roles.map(\.address) + bare)
            }
            return NameJudge.judge(node, evidence.answers, known: Dictionary(known, uniquingKeysWith: { first, _ in first }))
        },
        NetworkCatalogue.duplicateAddresses.id: { step, context in
            guard case .node(let node) = step.target, let inventory = context.inventory(of: node) else { return TestOutcome() }
            let places = inventory.network.roles.compactMap { role in
                role.adapter.map { DuplicateQuestion.Place(address: role.address, adapter: $0) }
            }
            guard !places.isEmpty else { return .notApplicable("\(node) has none of its addresses on an adapter.") }
            let unique = places.reduce(into: [DuplicateQuestion.Place]()) { if !$0.contains($1) { $0.append($1) } }
            let evidence = try await context.ask(DuplicateQuestion(places: unique), of: node)
            return DuplicateJudge.judge(node, evidence.answers, in: context.facts)
        },
        NetworkCatalogue.mtu.id: { step, context in EchoJudges.packetSize(try await PairWork(step, context).largest()) },
        NetworkCatalogue.clockOffset.id: { step, context in
            guard case .pair(let one, let other) = step.target else { return TestOutcome() }
            let first = try await clock(of: one, context)
            return EchoJudges.clocks(one, other, ahead: try await clock(of: other, context) - first)
        },
    ]

    private static let clockTries = 5
    /// In milliseconds.
    private static let clockExactness = 100.0

    /// Milliseconds that a node's clock is ahead of this node's, right to half the time of asking.
    private static func clock(of node: NodeName, _ context: StepContext) async throws -> Double {
        func now() -> Double { Date().timeIntervalSince1970 * 1_000 }
        var best = (ahead: 0.0, took: Double.infinity)
        // The quickest answer is the most exact one; a busy node may need several tries for a quick one.
        for _ in 0..<clockTries where best.took > clockExactness {
            let before = now()
            let answer = try await context.ask(ClockQuestion(), of: node)
            let after = now()
            if after - before < best.took { best = (Double(answer.now.rawValue) - (before + after) / 2, after - before) }
        }
        return best.ahead
    }
}
