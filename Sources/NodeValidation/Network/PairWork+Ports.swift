import ClusterModel
import Validation

extension PairWork {
    /// One port each of Corosync's links, that of the API, and three of those that migrations take, in both directions.
    func ports() async throws -> [PortsEvidence] {
        let links = try await corosyncLinks()
        return try await withThrowingTaskGroup(of: (Int, PortsEvidence).self) { group in
            for (index, way) in try ways(["cluster", "cluster2", "migration"]).enumerated() {
                let link = links.first { $0.way.role == way.role && $0.way.target == way.target }
                group.addTask { (index, try await way.ports(link?.echo)) }
            }
            let all = try await group.reduce(into: [Int: PortsEvidence]()) { $0[$1.0] = $1.1 }
            return all.sorted { $0.key < $1.key }.map(\.value).filter { !$0.ports.isEmpty }
        }
    }

    /// What one TCP connection carries, one direction after the other.
    func streams() async throws -> [ThroughputEvidence] {
        try await both(["migration"]) { way in
            let ready = try await context.ask(StreamListenQuestion(address: way.target.address), of: way.to.node)
            let sent = try await context.ask(
                StreamSendQuestion(address: way.target.address, port: ready.port), of: way.from.node)
            return ThroughputEvidence(
                from: way.from.node, to: way.to.node, network: way.network, bitsPerSecond: sent.bitsPerSecond,
                linkBitsPerSecond: way.promise)
        }
    }
}

extension PairWork.Way {
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

    /// The kernel gives these to a QEMU that waits for a migration (ip-sysctl, ip_local_port_range: 32768 to 60999); one of each third.
    private static let samples = [33_000, 45_000, 57_000].map { Array($0..<$0 + 16) }

    fileprivate func ports(_ link: EchoEvidence?) async throws -> PortsEvidence {
        var ports: [PortsEvidence.Port] = []
        // Beside a Corosync that runs its ports are taken, and that the nodes are in one ring proves that they are open.
        if let link, link.port == corosyncPort {
            ports.append(
                .init(.udp, link.port, Self.fate(link.sending, received: link.received ?? 0), problem: link.sending.problem))
        }
        switch role.role {
        case "cluster":
            let sending = try await connect(to: 7_060)
            ports.append(.init(.tcp, 7_060, Self.fate(sending, received: 0), problem: sending.problem))
        case "migration":
            ports += try await withThrowingTaskGroup(of: (Int, PortsEvidence.Port?).self) { group in
                for (index, candidates) in Self.samples.enumerated() { group.addTask { (index, try await sample(candidates)) } }
                let all = try await group.reduce(into: [Int: PortsEvidence.Port]()) { $0[$1.0] = $1.1 }
                return all.sorted { $0.key < $1.key }.map(\.value)
            }
        default: break
        }
        return PortsEvidence(
            from: from.node, to: to.node, fromAddress: role.address, toAddress: target.address, network: network, ports: ports)
    }

    private static func fate(_ sending: EchoSendQuestion.Evidence, received: Int) -> PortsEvidence.Fate {
        received > 0 || !sending.answers.isEmpty ? .arrived : .lost
    }

    /// - Returns: nil when all of them are taken by something else, so that nothing can be said of them.
    private func sample(_ candidates: [Int]) async throws -> PortsEvidence.Port? {
        let listener = try await context.ask(
            EchoListenQuestion(.tcp, address: target.address, ports: candidates + [0]), of: to.node)
        let sending = try await connect(to: listener.port)
        let tally = try await context.ask(EchoTallyQuestion(listener: listener.listener), of: to.node)
        guard candidates.contains(listener.port) else { return nil }
        return .init(.tcp, listener.port, Self.fate(sending, received: tally.received), isSample: true, problem: sending.problem)
    }

    private func connect(to port: Int) async throws -> EchoSendQuestion.Evidence {
        try await context.ask(
            EchoSendQuestion(.tcp, from: role.address, to: target.address, port: port, count: 1), of: from.node)
    }
}
