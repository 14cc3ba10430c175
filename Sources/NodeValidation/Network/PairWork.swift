import ClusterModel
import Foundation
import Validation

/// The packets that steps between two nodes send, on every network that both have.
struct PairWork: Sendable {
    let nodes: [NodeName]
    let context: StepContext

    init(_ step: ValidationStep, _ context: StepContext) {
        if case .pair(let one, let other) = step.target { nodes = [one, other] } else { nodes = [] }
        self.context = context
    }

    /// One network, one direction.
    struct Way: Sendable {
        let from: NodeInventory
        let to: NodeInventory
        let role: AddressRole
        let target: AddressRole
        let context: StepContext

        var network: String { "\(role.role) network \(target.subnet ?? target.address)" }
        /// That of Corosync's link on this network. Beside a Corosync that runs it is taken; nil then.
        var corosyncPort: Int? { context.subject.cluster == nil ? (role.role == "cluster2" ? 5_406 : 5_405) : nil }

        func datagrams(_ count: Int, ports: [Int] = [0], payloadBytes: Int = 64, isWhole: Bool = false) async throws -> EchoEvidence {
            let listener = try await context.ask(
                EchoListenQuestion(.udp, address: target.address, ports: ports), of: to.node)
            let sending = try await context.ask(
                EchoSendQuestion(
                    .udp, from: role.address, to: target.address, port: listener.port, count: count, payloadBytes: payloadBytes,
                    isWhole: isWhole),
                of: from.node)
            let tally = try await context.ask(EchoTallyQuestion(listener: listener.listener), of: to.node)
            return EchoEvidence(
                from: from.node, to: to.node, network: network, port: listener.port, sending: sending, received: tally.received)
        }

        /// The API's own port on the cluster network; on the migration network one of those that receive memory.
        func connections() async throws -> EchoEvidence {
            guard role.role == "migration" else {
                let port = 7_060
                let sending = try await context.ask(
                    EchoSendQuestion(.tcp, from: role.address, to: target.address, port: port, count: 3), of: from.node
                )
                return EchoEvidence(from: from.node, to: to.node, network: network, port: port, sending: sending, received: nil)
            }
            let listener = try await context.ask(
                EchoListenQuestion(.tcp, address: target.address, ports: Array(49_152...49_215)), of: to.node)
            let sending = try await context.ask(
                EchoSendQuestion(.tcp, from: role.address, to: target.address, port: listener.port, count: 3), of: from.node)
            let tally = try await context.ask(EchoTallyQuestion(listener: listener.listener), of: to.node)
            return EchoEvidence(
                from: from.node, to: to.node, network: network, port: listener.port, sending: sending, received: tally.received)
        }
    }

    /// Every direction on every network that both nodes have an address on, one after the other.
    func both<Value: Sendable>(_ roles: [String], _ work: (Way) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for way in try ways(roles) { values.append(try await work(way)) }
        return values
    }

    func ways(_ roles: [String]) throws -> [Way] {
        guard nodes.count == 2, let one = context.inventory(of: nodes[0]), let other = context.inventory(of: nodes[1]) else { return [] }
        var ways: [Way] = []
        for role in roles {
            guard let first = one.network.roles.first(where: { $0.role == role }),
                let second = other.network.roles.first(where: { $0.role == role })
            else { continue }
            ways.append(Way(from: one, to: other, role: first, target: second, context: context))
            ways.append(Way(from: other, to: one, role: second, target: first, context: context))
        }
        guard !ways.isEmpty else { throw ProbeProblem("\(nodes[0]) and \(nodes[1]) have no network in common.") }
        return ways
    }

    private static let all = ["cluster", "cluster2", "migration"]

    /// The packets by which loss, latency and jitter are judged: sent once, judged three times.
    func burst() async throws -> [EchoEvidence] {
        try await context.shared.once("burst \(nodes)") { try await both(Self.all) { try await $0.datagrams(200) } }
    }

    /// Datagrams to the ports of Corosync: sent once, because only one listener can have them, judged as a way and as a port.
    func corosyncLinks() async throws -> [(way: Way, echo: EchoEvidence)] {
        try await context.shared.once("corosync \(nodes)") {
            try await both(["cluster", "cluster2"]) { way in
                (way, try await way.datagrams(20, ports: [way.corosyncPort, 0].compactMap(\.self)))
            }
        }
    }

    /// Packets as large as the sender's adapter claims to take.
    func largest() async throws -> [EchoJudges.PacketSizeEvidence] {
        try await both(Self.all) { way in
            guard let adapter = way.from.network.adapters.first(where: { $0.name == way.role.adapter }), let mtu = adapter.mtu else {
                throw ProbeProblem("\(way.from.node) does not tell the MTU of its adapter on the \(way.network).")
            }
            // IPv4 and UDP take 28 bytes, IPv6 and UDP 48; more than a datagram holds is not asked for.
            let headers = way.role.address.contains(":") ? 48 : 28
            let size = min(max(mtu, 576), 9_216)
            let receiver = way.target.adapter ?? "the adapter"
            return .init(
                try await way.datagrams(3, payloadBytes: size - headers, isWhole: true), mtu: size, receiver: receiver,
                receiverMTU: way.to.network.adapters.first { $0.name == receiver }?.mtu)
        }
    }
}
