import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Membership

/// Members that are stopped and started, and nodes that leave.
extension NodeService: MemberOperations {
    public func obey(_ order: MemberOrder) async throws(APIError) {
        guard let forming else { throw fixedList }
        guard let member, member.clusterID == order.clusterID else {
            // Repeating an order whose answer was lost does no harm.
            if order.action == .leave, member == nil { return }
            throw error(.refused, "\(node) is no member of that cluster.")
        }
        switch order.action {
        case .start:
            do { try forming.folder.setStopped(false) } catch { throw translate(error, while: "Starting the member") }
            try await forming.engine.start(member)
            engineRuns = true
        case .stop:
            try await endMachines(force: order.force, to: "stop")
            // Before it stops: a crash in between must not let it come back by itself.
            do { try forming.folder.setStopped(true) } catch { throw translate(error, while: "Stopping the member") }
            engineRuns = false
            try await forming.engine.stop()
        case .leave:
            try await endMachines(force: order.force, to: "leave its cluster")
            try await leave()
        }
    }

    /// Makes this node a free one. It runs no machines.
    func leave() async throws(APIError) {
        guard let forming else { throw fixedList }
        try await becomeFree()
        do { try forming.folder.remove() } catch { throw translate(error, while: "Removing the cluster folder") }
    }

    private func endMachines(force: Bool, to doing: String) async throws(APIError) {
        let running = machines.filter { $0.value.local != nil }.keys.sorted()
        guard force else {
            guard running.isEmpty else {
                let names = running.map(\.rawValue).joined(separator: ", ")
                throw error(.refused, "\(node) cannot \(doing) while it runs machines: \(names). Migrate or stop them first.")
            }
            return
        }
        for machine in running { _ = try await stopMachine(machine, force: true) }
    }
}

extension NodeService {
    public func stopNode(_ target: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        try await order(.stop, .stopNode, target, force: request.force, "\(target) is stopped; it stays a member.")
    }

    public func startNode(_ target: NodeName) async throws(APIError) -> ClusterChange {
        try await order(.start, .startNode, target, force: false, "\(target) is started.")
    }

    private func order(
        _ action: MemberOrder.Action, _ kind: ClusterChange.Kind, _ target: NodeName, force: Bool, _ done: String
    ) async throws(APIError) -> ClusterChange {
        let member = try requireMember()
        let operations = try operations(of: target)
        return try await begin(kind, of: target.rawValue) { _ in
            try await operations.obey(MemberOrder(action: action, clusterID: member.clusterID, force: force))
            return done
        }
    }

    func requireMember() throws(APIError) -> MemberRecord {
        guard forming != nil else { throw fixedList }
        guard let member else {
            throw error(.refused, "\(node) belongs to no cluster. Form one with `apus cluster create`.")
        }
        return member
    }

    /// This node itself, or the way to another.
    func operations(of target: NodeName) throws(APIError) -> any NodeOperations {
        if target == node { return self }
        guard let client = peers.client(of: target, waiting: .seconds(120)) else {
            let known = peers.nodes.map(\.name.rawValue).joined(separator: ", ")
            throw error(.notFound, "There is no node \(target) in the cluster; there is: \(known).")
        }
        return client
    }

    /// The same, for a question that must not wait for a node that is off.
    private func askBriefly(_ target: NodeName) throws(APIError) -> any NodeOperations {
        if target == node { return self }
        if let client = peers.client(of: target, waiting: .seconds(5)) { return client }
        return try operations(of: target)
    }

    // MARK: The end of the cluster

    public func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange {
        let member = try requireMember()
        if let name = request.name, name != member.cluster {
            throw error(.refused, "\(node) is a member of cluster \(member.cluster), not of \(name). Nothing was changed.")
        }
        return request.localOnly ? try await destroyHere(member, force: request.force) : try await destroyAll(member, request)
    }

    private func destroyHere(_ member: MemberRecord, force: Bool) async throws(APIError) -> ClusterChange {
        guard force || forming?.folder.eviction() != nil else {
            throw error(
                .refused,
                "\(node) is a member of cluster \(member.cluster), which would wait for it. Remove it at another node: apus node evict "
                    + "\(node). If that cluster is gone, or never began, use --force.")
        }
        return try await begin(.destroyCluster, of: member.cluster.rawValue) { _ in
            try await self.obey(MemberOrder(action: .leave, clusterID: member.clusterID, force: false))
            return "\(member.node) is a free node."
        }
    }

    private func destroyAll(_ member: MemberRecord, _ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange {
        guard request.name != nil else {
            throw error(.invalid, "To destroy the whole cluster, give its name: apus cluster destroy \(member.cluster)")
        }
        guard let forming, let state = await forming.engine.configuration() else {
            throw error(
                .refused,
                "\(node) does not know the configuration of cluster \(member.cluster) now. Ask another node, or make each a free one with --local."
            )
        }
        let others = state.nodes.values.map(\.name).filter { $0 != node }.sorted()
        let (engine, storage, by) = (forming.engine, self.storage, requester)
        return try await begin(.destroyCluster, of: member.cluster.rawValue) { report in
            var silent: [NodeName] = []
            for name in [member.node] + others {
                let machines: [VMStatus]
                do throws(APIError) {
                    machines = try await self.askBriefly(name).ownMachines().filter { $0.processID != nil }
                } catch {
                    guard [.unreachable, .timeout].contains(error.code) else { throw error }
                    guard request.force else {
                        throw APIError(
                            .refused,
                            "\(error.message) Start \(name) first. If it will not come back, make sure that it is off, then use --force. Nothing "
                                + "was changed.")
                    }
                    silent.append(name)
                    continue
                }
                guard machines.isEmpty else {
                    let names = machines.map(\.machine.name.rawValue).sorted().joined(separator: ", ")
                    throw APIError(.refused, "\(name) runs machines: \(names). Stop them first. Nothing was changed.")
                }
            }
            try await engine.propose(.destroyCluster(reason: "Ordered by \(by)."), requestedBy: by)
            await report("the configuration says that the cluster is destroyed")
            var left: [String] = []
            let order = MemberOrder(action: .leave, clusterID: member.clusterID, force: false)
            left += silent.map {
                "\($0) did not answer: when it is back, it finds no cluster. Run `apus cluster destroy --local --force` on it then."
            }
            for name in others where !silent.contains(name) {
                do throws(APIError) {
                    try await self.operations(of: name).obey(order)
                    await report("\(name): belongs to no cluster")
                } catch { left.append("\(name) was not told (\(error.message)): run `apus cluster destroy --local --force` on it.") }
            }
            try await self.obey(order)
            await report("\(member.node): belongs to no cluster")
            let witness = state.witness.witness
            if witness != .none {
                do throws(APIError) {
                    try await storage.clear(witness, cluster: member.clusterID)
                    await report("the \(witness) is empty")
                } catch { left.append("The \(witness) was not cleared: \(error.message)") }
            }
            return (["Cluster \(member.cluster) is no more."] + left).joined(separator: "\n")
        }
    }

    /// Who asked, for the history.
    package nonisolated var requester: String { "an administrator at \(configuration.node)" }
}
