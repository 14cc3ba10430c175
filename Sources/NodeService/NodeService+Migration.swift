import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import NodeClient
import QEMU
import QMP

/// Migrations that leave this node.
extension NodeService {
    public func startMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationStatus {
        try requireQuorum(to: "move a machine")
        if let owner = try await remoteOwner(of: order.vm) { return try await owner.startMigration(order) }
        guard (1...600_000).contains(order.maxBlackoutMilliseconds) else {
            throw error(.invalid, "An allowed blackout of \(order.maxBlackoutMilliseconds) ms makes no sense; use 1ms to 10min.")
        }
        if let cap = order.bandwidthBitsPerSecond, cap < 1_000_000 {
            throw error(.invalid, "A bandwidth of \(cap) bit/s is too little to move a machine; use 1Mbit or more.")
        }
        // So that a second order at the same moment waits until this one is a migration under way, and is refused for that.
        try await claim(order.vm)
        defer { machines[order.vm]?.isBusy = false }
        let reasons = try await refusals(of: order)
        guard reasons.isEmpty else { throw error(.refused, reasons.joined(separator: "\n")) }
        guard let local = machines[order.vm]?.local, let peer = peers.client(of: order.destination) else {
            throw error(.refused, "\(order.vm) does not run on \(node) any more.")
        }
        let record = try await ownedRecord(of: order.vm)
        let id = UUID()
        do {
            try update(order.vm) {
                $0.outgoing = id
                $0.destination = order.destination
                $0.order = order
                $0.orderedAt = Date()
            }
        } catch { throw translate(error, while: "Migrating \(order.vm)") }
        let runner = SourceRunner(
            id: id, order: order, epoch: record.epoch, local: local,
            tools: SourceTools(
                node: node, peer: peer, hastyPeer: peers.client(of: order.destination, waiting: .seconds(2)) ?? peer, ownership: ownership,
                mayRun: { [weak self] in await self?.mayRun ?? false }, hold: hold, identityFolder: configuration.directories.identity,
                acceleration: host.acceleration, qemuVersion: host.qemuVersion, logger: logger))
        runners[id] = runner
        queue.add(id)
        runnerTasks[id] = Task { await self.attend(runner) }
        admit()
        return await runner.status
    }

    private func admit() { for id in queue.admit() { runners[id]?.tell(.admitted) } }

    /// From the order to the last forwarded frame.
    private func attend(_ runner: SourceRunner) async {
        let ending = await runner.run()
        let vm = runner.order.vm
        if let record = await runner.record {
            logger.notice("migration ended", metadata: ["vm": "\(vm)", "outcome": "\(record.outcome)", "message": "\(record.message)"])
            do { try history.add(record) } catch { logger.error("the history cannot be written", metadata: ["error": "\(error)"]) }
        }
        queue.remove(runner.id)
        admit()
        switch ending {
        case .moved:
            machines[vm]?.record?.owner = runner.order.destination
            machines[vm]?.record?.epoch += 1
            await runner.forwardLateFrames()
            await dropMoved(vm, local: runner.local)
        case .destinationRestarts, .lost:
            await runner.forwardLateFrames()
            // The record on the disk says whether anything is left for us to do with it.
            machines[vm]?.record = nil
            if case .lost = ending { await settleLost(vm, local: runner.local) }
        case .kept, .sourceDied:
            // The claim may have been renewed under a higher epoch.
            if forming != nil { machines[vm]?.record = try? await ownership.read(runner.local.machine) }
            await runner.forwardLateFrames()
        // It stays noted as outgoing until the destination has certainly thrown away what it received; the supervisor sees to that.
        }
        runners[runner.id] = nil
        runnerTasks[runner.id] = nil
    }

    private func dropMoved(_ vm: VMName, local: LocalMachine) async {
        await local.end()
        await removeAdapters(of: local.machine)
        do { try forgetMachine(vm) } catch { logger.error("state not removed", metadata: ["vm": "\(vm)", "error": "\(error)"]) }
    }

    /// The memory is gone. What remains of QEMU here never runs again; the owner may start the machine from its disk.
    private func settleLost(_ vm: VMName, local: LocalMachine) async {
        await local.end()
        await removeAdapters(of: local.machine)
        machines[vm]?.local = nil
        machines[vm]?.resting = .lost
        do { try setShouldRun(vm, false) } catch { logger.error("state not saved", metadata: ["vm": "\(vm)", "error": "\(error)"]) }
    }

    private func refusals(of order: MigrationOrder) async throws(APIError) -> [String] {
        guard let entry = machines[order.vm] else { throw error(.notFound, "There is no virtual machine \(order.vm).") }
        if order.destination == node { return ["\(order.vm) is on \(node) already; name another node with --to."] }
        guard peers.address(of: order.destination) != nil, let peer = peers.client(of: order.destination) else {
            let known = peers.nodes.map(\.name.rawValue).joined(separator: ", ")
            throw error(.notFound, "There is no node \(order.destination); the cluster has \(known).")
        }
        async let ours = facts()
        let theirs: NodeFacts
        let there: [VMStatus]
        do {
            async let answer = peer.facts()
            async let list = peer.ownMachines()
            (theirs, there) = try await (answer, list)
        } catch let cause as APIError {
            throw error(.unreachable, "\(order.destination) does not answer, so \(order.vm) stays where it is: \(cause.message)")
        } catch { throw translate(error, while: "Asking \(order.destination)") }
        let state = await status(of: order.vm, entry).state
        let source: NodeFacts
        do { source = try await ours } catch { throw translate(error, while: "Reading the facts of \(node)") }
        return MigrationRules.refusals(
            of: order,
            given: PreflightFacts(
                machine: entry.stored.machine, state: state, owner: entry.record?.owner, source: source, destination: theirs,
                // What a migration before this one left there gives way to it.
                machinesOnDestination: there.filter { $0.state != .incoming }.map(\.machine.name), isMigrating: isMigrating(order.vm)))
    }

    public func planMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationPlan {
        try requireCluster()
        if let owner = try await remoteOwner(of: order.vm) { return try await owner.planMigration(order) }
        let reasons = try await refusals(of: order)
        guard reasons.isEmpty, let local = machines[order.vm]?.local, let peer = peers.client(of: order.destination) else {
            return MigrationPlan(
                order: order, source: node, refusals: reasons, memoryBytes: 0, dirtyBytesPerSecond: 0, linkBytesPerSecond: 0,
                predictedTotalMilliseconds: nil, predictedBlackoutMilliseconds: nil, predictedPasses: nil, willConverge: false,
                summary: reasons.joined(separator: "\n"))
        }
        do {
            // Both need about a second of looking; the link test takes cycles from the guest, so one after the other.
            let dirty = try await local.dirtyBytesPerSecond()
            var link = try await LinkTest.send(to: peer.openLinkTest())
            if let cap = order.bandwidthBitsPerSecond { link = min(link, cap / 8) }
            // What the guest never touched is not in memory, and is not sent.
            let size = UInt64(local.machine.definition.memoryMiB) << 20
            let memory = HostFacts.residentBytes(of: local.process.processID).map { min($0, size) } ?? size
            let prediction = predictMigration(memoryBytes: memory, dirtyBytesPerSecond: dirty, linkBytesPerSecond: link, order: order)
            return MigrationPlan(
                order: order, source: node, refusals: [], memoryBytes: memory, dirtyBytesPerSecond: dirty, linkBytesPerSecond: link,
                predictedTotalMilliseconds: prediction.total.milliseconds,
                predictedBlackoutMilliseconds: prediction.blackout.milliseconds, predictedPasses: prediction.passes,
                willConverge: prediction.willConverge, summary: prediction.explanation)
        } catch { throw translate(error, while: "Planning the migration of \(order.vm)") }
    }

    public func followMigration(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<MigrationStatus, any Error> {
        if let runner = runners[id] { return await runner.follow() }
        if let record = history.record(id) {
            return AsyncThrowingStream { continuation in
                continuation.yield(record.asStatus)
                continuation.finish()
            }
        }
        for (peer, reply) in await peers.askAll({ (peer) async throws(APIError) in try await peer.ownMigrations() }) {
            if case .success(let theirs) = reply, theirs.contains(where: { $0.id == id }), let client = peers.client(of: peer) {
                return try await client.followMigration(id)
            }
        }
        throw error(.notFound, "No node knows of a migration \(id). See: apus migration list")
    }

    public func cancelMigration(of vm: VMName) async throws(APIError) -> MigrationStatus {
        if let owner = try await remoteOwner(of: vm) { return try await owner.cancelMigration(of: vm) }
        guard let runner = runners.values.first(where: { $0.order.vm == vm }) else {
            throw error(.refused, "\(vm) is not being migrated.")
        }
        guard await runner.canBeCancelled else {
            throw error(.refused, "The switchover of \(vm) has begun; it cannot be cancelled any more. It ends within seconds.")
        }
        runner.tell(.cancelAsked)
        return await runner.status
    }

    public func ownMigrations() async throws(APIError) -> [MigrationStatus] {
        var all: [MigrationStatus] = []
        for runner in runners.values {
            let status = await runner.status
            if status.record == nil { all.append(status) }
        }
        return all + history.records().map(\.asStatus)
    }

    public func migrations() async throws(APIError) -> [MigrationStatus] {
        var all = try await ownMigrations()
        for (_, reply) in await peers.askAll({ (peer) async throws(APIError) in try await peer.ownMigrations() }) {
            if case .success(let theirs) = reply { all += theirs }
        }
        return all.sorted { ($0.record?.startedAt ?? .distantFuture) > ($1.record?.startedAt ?? .distantFuture) }
    }
}
