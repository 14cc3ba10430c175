import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Logging
import Membership
import MigrationRules
import QEMU

/// The machines of this node within quorum: paused when it is lost, stopped when it stays lost, resumed when it returns.
extension NodeService {
    /// Until cancelled. Nothing to do while the list of nodes is fixed: then there is no quorum to lose.
    func keepWithinQuorum() async {
        guard let forming else { return }
        var partition = PartitionGuard(now: .zero)
        let start = ContinuousClock.now
        var phase = partition.phase
        var secondsUntilStop = QuorumSettings(model: .nodeMajority).secondsUntilStop
        while !Task.isCancelled {
            if member != nil {
                let view = await forming.engine.view
                // Without an engine nothing is known of quorum, which is not for long the same as having it.
                let facts = PartitionFacts(
                    isVotequorumQuorate: view?.standing.isQuorate ?? false, isRingDecided: view?.standing.isRingCertain ?? false,
                    isEpochOpen: view?.standing.isCurrent ?? false)
                // Before anything is compared, its settings say nothing.
                if let view, view.state.identity != nil { secondsUntilStop = view.state.quorum.secondsUntilStop }
                let actions = partition.step(
                    facts, now: ContinuousClock.now - start, machines: await localFacts(), owned: owned(in: view?.state),
                    secondsUntilStop: secondsUntilStop)
                openEpoch = partition.mayStart ? view?.standing.currentEpoch : nil
                mayStart = openEpoch != nil && openEpoch == reconciledEpoch
                if partition.phase != phase { logger.notice("machines here", metadata: ["are": "\(partition.phase)"]) }
                phase = partition.phase
                await carryOut(actions)
            } else {
                openEpoch = nil
                mayStart = true
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// What runs here has to be known also without quorum: a service that was started again finds guests that are to be paused.
    func adoptAll() async {
        for (name, entry) in machines where entry.local == nil && !entry.isBusy {
            machines[name]?.isBusy = true
            if let local = await adopt(entry.stored) {
                machines[name]?.local = local
                // What QEMU does not say now it says the next time; until then it counts as running.
                try? await settleState(local)
            }
            machines[name]?.isBusy = false
        }
    }

    private func localFacts() async -> [LocalMachineFact] {
        var facts: [LocalMachineFact] = []
        for (name, entry) in machines {
            guard let local = entry.local, !local.process.hasEnded else { continue }
            facts.append(
                LocalMachineFact(
                    name: name, execution: await execution(of: local, entry), epoch: entry.record?.epoch ?? 0,
                    isLeaving: isMigrating(name) || entry.stored.outgoing != nil))
        }
        return facts
    }

    func execution(of local: LocalMachine, _ entry: LocalEntry) async -> LocalMachineFact.Execution {
        if entry.stored.incoming != nil { return .incoming }
        switch await local.state {
        case .paused: return .paused
        case .ioError: return .ioError
        default: return await local.isHalted ? .paused : .running
        }
    }

    /// What this node owns by the log, with the epochs. Of an old log it is only looked at when that is open again.
    private func owned(in state: ClusterState?) -> [VMName: UInt64] {
        guard let state, let id = member?.nodeID else { return [:] }
        return state.machines.compactMapValues { $0.owner == id ? $0.epoch : nil }
    }

    /// All at the same time: a QEMU that does not answer must not hold up that the others stop.
    private func carryOut(_ actions: [PartitionAction]) async {
        guard !actions.isEmpty else { return }
        await withTaskGroup(of: Void.self) { group in
            for action in actions { group.addTask { await self.carryOut(action) } }
        }
    }

    private func carryOut(_ action: PartitionAction) async {
        do {
            switch action {
            case .pause(let name):
                guard let local = machines[name]?.local else { return }
                // A migration cannot end well without quorum; one that has gone too far to be cancelled waits for it.
                runners.values.first { $0.order.vm == name }?.tell(.cancelAsked)
                try await local.pause()
                machines[name]?.note = "Paused: this node has no quorum. See: apus cluster status"
                tell(name, "\(name) was paused on \(node) at \(Self.clock), for want of quorum.", .warning)
                logger.warning("machine paused for want of quorum", metadata: ["vm": "\(name)"])
            case .resume(let name):
                guard let local = machines[name]?.local else { return }
                try await local.run()
                machines[name]?.note = nil
                tell(name, "\(name) runs on: \(node) has quorum again.", .information)
                logger.notice("quorum is back: machine runs on", metadata: ["vm": "\(name)"])
            case .stop(let name, let reason):
                guard let local = machines[name]?.local else { return }
                logger.warning("machine stopped", metadata: ["vm": "\(name)", "reason": "\(reason)"])
                await local.end()
                await removeAdapters(of: local.machine)
                machines[name]?.local = nil
                machines[name]?.note = reason
                tell(name, "\(name) was stopped on \(node) at \(Self.clock). \(reason)", .error)
            }
        } catch { logger.error("a machine does not follow quorum", metadata: ["action": "\(action)", "reason": "\(error)"]) }
    }

    /// By this node's clock, for what the others learn later.
    private static var clock: String { Date().formatted(.iso8601.time(includingFractionalSeconds: false)) + "Z" }

    /// Notes something for the cluster's history, which can be told only with quorum.
    func tell(_ machine: VMName, _ sentence: String, problem: String? = nil, _ severity: ClusterEvent.Severity? = nil) {
        guard forming != nil else { return }
        // Whoever is without quorum for a week has not more to tell than the history holds.
        guard untold.count < ClusterState.historyLimit else { return }
        untold.append(ReconciliationFinding(machine: machine, problem: problem, sentence: sentence, severity: severity))
    }

    /// Whether machines may run on this node at all now. Always, with a fixed list of nodes.
    var mayRun: Bool { forming == nil || mayStart }

    /// For everything that starts, moves or changes something.
    func requireQuorum(to doing: String) throws(APIError) {
        try requireCluster()
        guard forming != nil, !mayStart else { return }
        throw error(
            .refused,
            "\(node) cannot \(doing): its partition of the cluster has no quorum, or has not decided yet. See: apus cluster status")
    }
}
