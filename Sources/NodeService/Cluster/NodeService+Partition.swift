import ClusterAPI
import ClusterModel
import ClusterRules
import Foundation
import Logging
import Membership
import QEMU

/// The machines of this node within quorum: paused when it is lost, stopped when it stays lost, resumed when it returns.
extension NodeService {
    /// Until cancelled. Nothing to do while the list of nodes is fixed: then there is no quorum to lose.
    func keepWithinQuorum() async {
        guard let forming else { return }
        var partition = PartitionGuard(now: .zero)
        let start = ContinuousClock.now
        var phase = partition.phase
        while !Task.isCancelled {
            if let view = await forming.engine.view {
                let actions = partition.step(
                    PartitionFacts(
                        isVotequorumQuorate: view.standing.isQuorate, isRingDecided: view.standing.isRingCertain,
                        isEpochOpen: view.standing.log.isOpen),
                    now: ContinuousClock.now - start, machines: await localFacts(), owned: ownedEpochs(),
                    secondsUntilStop: view.state.quorum.secondsUntilStop)
                mayStart = partition.mayStart
                if partition.phase != phase { logger.notice("machines here", metadata: ["are": "\(partition.phase)"]) }
                phase = partition.phase
                for action in actions { await carryOut(action) }
            } else {
                // The engine is being started or stopped; it stops only when no machine runs.
                mayStart = member == nil
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func localFacts() async -> [LocalMachineFact] {
        var facts: [LocalMachineFact] = []
        for (name, entry) in machines {
            guard let local = entry.local, !local.process.hasEnded else { continue }
            let execution: LocalMachineFact.Execution
            if entry.stored.incoming != nil {
                execution = .incoming
            } else {
                switch await local.state {
                case .paused: execution = .paused
                case .ioError: execution = .ioError
                default: execution = .running
                }
            }
            facts.append(LocalMachineFact(name: name, execution: execution, epoch: entry.record?.epoch ?? 0))
        }
        return facts
    }

    /// What this node owns by the record that was read last. While it is without quorum nobody takes a machine from it that it has not
    /// let go of, so this cannot be stale in the wrong direction.
    private func ownedEpochs() -> [VMName: UInt64] {
        machines.compactMapValues { entry in entry.record.flatMap { $0.owner == node ? $0.epoch : nil } }
    }

    private func carryOut(_ action: PartitionAction) async {
        do {
            switch action {
            case .pause(let name):
                guard let local = machines[name]?.local else { return }
                try await local.pause()
                machines[name]?.note = "Paused: this node has no quorum. See: apus cluster status"
                logger.warning("machine paused for want of quorum", metadata: ["vm": "\(name)"])
            case .resume(let name):
                guard let local = machines[name]?.local else { return }
                try await local.run()
                machines[name]?.note = nil
                logger.notice("quorum is back: machine runs on", metadata: ["vm": "\(name)"])
            case .stop(let name, let reason):
                guard let local = machines[name]?.local else { return }
                logger.warning("machine stopped", metadata: ["vm": "\(name)", "reason": "\(reason)"])
                await local.end()
                await removeAdapters(of: local.machine)
                machines[name]?.local = nil
                machines[name]?.note = reason
            }
        } catch { logger.error("a machine does not follow quorum", metadata: ["action": "\(action)", "reason": "\(error)"]) }
    }

    /// For everything that starts, moves or changes something.
    func requireQuorum(to doing: String) throws(APIError) {
        try requireCluster()
        guard forming != nil, !mayStart else { return }
        throw error(
            .refused,
            "\(node) cannot \(doing): its partition of the cluster has no quorum, or has not decided yet. See: apus cluster status")
    }
}
