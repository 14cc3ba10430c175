import ClusterModel
import Validation

extension PairWork {
    /// One port each of Corosync's links, that of the API, and three of those that migrations take, in both directions.
    func ports() async throws -> [PortsEvidence] {
        try await withThrowingTaskGroup(of: (Int, PortsEvidence).self) { group in
            for (index, way) in try ways(["cluster", "cluster2", "migration"]).enumerated() {
                group.addTask { (index, try await way.ports()) }
            }
            let all = try await group.reduce(into: [Int: PortsEvidence]()) { $0[$1.0] = $1.1 }
            return all.sorted { $0.key < $1.key }.map(\.value).filter { !$0.ports.isEmpty }
        }
    }

    /// What one TCP connection carries, one direction after the other.
    func streams() async throws -> [ThroughputEvidence] {
        try await both(["migration"]) { way in
            let ready = try await context.ask(StreamListenQuestion(address: way.target.address), of: way.to.node, within: .seconds(4))
            let sent = try await context.ask(
                StreamSendQuestion(address: way.target.address, port: ready.port), of: way.from.node, within: .seconds(6))
            return ThroughputEvidence(
                from: way.from.node, to: way.to.node, network: way.network, bitsPerSecond: sent.bitsPerSecond,
                linkBitsPerSecond: way.promise)
        }
    }
}

extension PairWork.Way {
    private struct Wanted: Sendable {
        var transport: EchoTransport
        /// Of these the first that is free; that of the API is open already.
        var candidates: [Int]
        var isSample = false
    }

    /// What both adapters claim, where that means something: what is made of software claims anything.
    fileprivate var promise: Double? {
        let speeds = [(from, role), (to, target)].map { node, role -> Int? in
            let adapter = node.network.adapters.first { $0.name == role.adapter }
            guard let adapter, adapter.kind == "physical", adapter.driver?.hasPrefix("virtio") == false else { return nil }
            return adapter.speedMbitPerSecond
        }
        guard let one = speeds[0], let other = speeds[1], one > 0, other > 0 else { return nil }
        return Double(min(one, other)) * 1e6
    }

    private var wanted: [Wanted] {
        // ip-sysctl, ip_local_port_range: the kernel gives these to a QEMU that waits for a migration. The default is 32768 to 60999.
        let samples = [33_000, 45_000, 57_000].map { first in
            Wanted(transport: .tcp, candidates: Array(first..<first + 16), isSample: true)
        }
        // Beside a Corosync that runs its ports are taken, and that the nodes are in one ring proves that they are open.
        let isFree = context.subject.cluster == nil
        switch role.role {
        case "cluster": return (isFree ? [Wanted(transport: .udp, candidates: [5_405])] : []) + [Wanted(transport: .tcp, candidates: [])]
        case "cluster2": return isFree ? [Wanted(transport: .udp, candidates: [5_406])] : []
        default: return samples
        }
    }

    fileprivate func ports() async throws -> PortsEvidence {
        let ports = try await withThrowingTaskGroup(of: (Int, PortsEvidence.Port?).self) { group in
            for (index, wanted) in wanted.enumerated() { group.addTask { (index, try await port(wanted)) } }
            return try await group.reduce(into: [Int: PortsEvidence.Port]()) { $0[$1.0] = $1.1 }
        }
        return PortsEvidence(
            from: from.node, to: to.node, fromAddress: role.address, toAddress: target.address, network: network,
            ports: ports.sorted { $0.key < $1.key }.map(\.value))
    }

    /// - Returns: nil when the port is taken by something else, so that nothing can be said of it; `system/ports` says what.
    private func port(_ wanted: Wanted) async throws -> PortsEvidence.Port? {
        guard !wanted.candidates.isEmpty else {
            let sending = try await send(.tcp, to: 7_060)
            return .init(.tcp, 7_060, sending.answers.isEmpty ? .lost : .arrived, problem: sending.problem)
        }
        // When all are taken the system chooses another, which tells nothing of those that are wanted.
        let listener = try await context.ask(
            EchoListenQuestion(wanted.transport, address: target.address, ports: wanted.candidates + [0]), of: to.node, within: .seconds(4))
        guard wanted.candidates.contains(listener.port) else {
            _ = try await context.ask(EchoTallyQuestion(listener: listener.listener), of: to.node, within: .seconds(4))
            return nil
        }
        let sending = try await send(wanted.transport, to: listener.port)
        let tally = try await context.ask(EchoTallyQuestion(listener: listener.listener), of: to.node, within: .seconds(4))
        let hasArrived = tally.received > 0 || !sending.answers.isEmpty
        return .init(
            wanted.transport, listener.port, hasArrived ? .arrived : .lost, isSample: wanted.isSample, problem: sending.problem)
    }

    private func send(_ transport: EchoTransport, to port: Int) async throws -> EchoSendQuestion.Evidence {
        try await context.ask(
            EchoSendQuestion(transport, from: role.address, to: target.address, port: port, count: transport == .udp ? 3 : 1),
            of: from.node, within: .seconds(5))
    }
}
