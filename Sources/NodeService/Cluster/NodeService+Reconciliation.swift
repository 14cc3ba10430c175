import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Logging
import Membership
import MigrationRules
import QEMU

/// What runs here and what the cluster's configuration says are brought together: whenever an epoch opens, and after a restart of the
/// service. Until that is done this node starts nothing.
extension NodeService {
    /// Until cancelled.
    func keepReconciled() async {
        guard let forming else { return }
        var nextLook = ContinuousClock.now
        while !Task.isCancelled {
            if let epoch = openEpoch, let state = await forming.engine.view?.state, let id = member?.nodeID {
                if epoch != reconciledEpoch {
                    await reconcile(Set(machines.keys).union(state.machines(ownedBy: id).map(\.name)), id)
                    // Quorum may have been lost in the meantime; then the next epoch is compared anew.
                    reconciledEpoch = epoch
                    mayStart = openEpoch == epoch
                    nextLook = .now
                } else if ContinuousClock.now >= nextLook {
                    nextLook = .now + .seconds(1)
                    await reconcile(unsettled, id)
                    await report(id)
                }
            } else if member != nil, ContinuousClock.now >= nextLook {
                nextLook = .now + .seconds(1)
                await adoptAll()
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func reconcile(_ names: Set<VMName>, _ id: NodeID) async {
        for name in names.sorted() where openEpoch != nil { await reconcile(name, id) }
    }

    private func reconcile(_ name: VMName, _ id: NodeID) async {
        guard let state = await forming?.engine.view?.state else { return }
        takeUp(state.machines[name], id)
        // A machine that is on its way has rules of its own, which read the log.
        guard let entry = machines[name], !isMigrating(name), entry.stored.incoming == nil, entry.stored.outgoing == nil else {
            unsettled.remove(name)
            return
        }
        // Another look at it, from the epoch before, may be waiting for a disk.
        guard !entry.isBusy else {
            unsettled.insert(name)
            return
        }
        machines[name]?.isBusy = true
        defer { machines[name]?.isBusy = false }
        var local = entry.local
        if local == nil { local = await adopt(entry.stored) }
        if let running = local, running.process.hasEnded { local = nil }
        if let local {
            machines[name]?.local = local
            try? await settleState(local)
        }

        var execution: LocalMachineFact.Execution?
        if let local { execution = await self.execution(of: local, entry) }
        let record = await recorded(entry.stored.machine, in: state)
        var inLog = state.machines[name].flatMap { $0.machine.definition.id == entry.stored.machine.definition.id ? $0 : nil }
        // Its owner was told last; the log learns of it as soon as this is done.
        if inLog?.owner == id, entry.stored.shouldRun { inLog?.desired = .running }
        let decision = ClusterRules.reconcile(
            MachineFindings(
                inLog: inLog, execution: execution, record: record,
                isRecordedOwnerHarmless: record.owner.flatMap { state.nodes[$0]?.presence.isHarmless } ?? false), on: id)
        do { try await carryOut(decision, on: name, state, id) } catch {
            unsettled.insert(name)
            machines[name]?.note = "\(error)"
            logger.error("reconciliation failed", metadata: ["vm": "\(name)", "action": "\(decision.action)", "reason": "\(error)"])
        }
    }

    /// A machine that the log gives to this node and of which the node knows nothing: its store was lost.
    private func takeUp(_ inLog: ClusterMachine?, _ id: NodeID) {
        guard let inLog, inLog.owner == id, machines[inLog.name] == nil else { return }
        let stored = StoredMachine(machine: inLog.machine, shouldRun: inLog.desired == .running)
        do {
            try store.save(stored)
            machines[inLog.name] = LocalEntry(stored: stored)
            logger.notice("taken over from the configuration", metadata: ["vm": "\(inLog.name)"])
        } catch { logger.error("state not saved", metadata: ["vm": "\(inLog.name)", "error": "\(error)"]) }
    }

    private func recorded(_ machine: VirtualMachine, in state: ClusterState) async -> MachineFindings.Record {
        do {
            let record = try await storage.readOwnership(machine.ownershipSlot, of: machine.definition.id)
            return state.node(named: record.owner).map { .names($0.id, epoch: record.epoch) } ?? .unreadable
        } catch let error as APIError where error.code == .refused {
            return .empty
        } catch { return .unreadable }
    }

    private func carryOut(_ decision: Reconciliation, on name: VMName, _ state: ClusterState, _ id: NodeID) async throws {
        guard let entry = machines[name] else { return }
        let machine = entry.stored.machine
        if let what = decision.contradiction, entry.note != what {
            logger.warning("reconciliation", metadata: ["vm": "\(name)", "action": "\(decision.action)", "because": "\(what)"])
            machines[name]?.note = what
        }
        switch decision.action {
        case .leave where decision.contradiction == nil && state.machines[name]?.owner != id:
            // Another's, or nobody's any more; there is nothing of it here.
            try forgetMachine(name)
        case .leave where decision.contradiction != nil:
            tellOnce(name, decision.contradiction)
            unsettled.insert(name)
            return
        case .leave, .adopt, .resume, .start, .finishMigration:
            // It is this node's: reading writes the record forward where that is behind, and the supervisor does the rest.
            machines[name]?.record = try await ownership.read(machine)
        case .pause:
            tellOnce(name, decision.contradiction)
            try await entry.local?.pause()
            unsettled.insert(name)
            return
        case .stop:
            try await stop(name, entry, because: decision.contradiction, isOwner: state.machines[name]?.owner == id)
        case .claim, .raiseEpoch:
            tellOnce(name, decision.contradiction)
            unsettled.insert(name)
            guard let inLog = state.machines[name], inLog.epoch < .max else { return }
            let change = OwnerChange(machine: name, from: inLog.owner, to: id, epoch: inLog.epoch + 1, cause: .reconciliation)
            if case .rejected(let reason)? = await forming?.engine.order(.changeOwner(change: change), requestedBy: nil) {
                throw error(.refused, reason)
            }
            return
        }
        unsettled.remove(name)
        if machines[name]?.note == decision.contradiction { machines[name]?.note = nil }
    }

    /// Ends a QEMU that must not be here; without asking the guest, because the machine may run elsewhere already.
    private func stop(_ name: VMName, _ entry: LocalEntry, because what: String?, isOwner: Bool) async throws {
        if let local = entry.local {
            await local.end()
            await removeAdapters(of: local.machine)
            machines[name]?.local = nil
        }
        let reason = what ?? "It is to be stopped, by the configuration."
        tell(name, "\(name) was ended on \(node). \(reason)", .warning)
        logger.warning("machine ended", metadata: ["vm": "\(name)", "reason": "\(reason)"])
        if isOwner {
            try setShouldRun(name, false)
            machines[name]?.resting = .stopped
            machines[name]?.record = try await ownership.read(entry.stored.machine)
        } else {
            try forgetMachine(name)
        }
    }

    private func tellOnce(_ name: VMName, _ what: String?) {
        guard let what, !unsettled.contains(name) else { return }
        tell(name, "What is known of \(name) does not agree. \(what)", problem: what)
    }

    // MARK: What the cluster is told

    /// Every second: what became of the machines that this node owns, where the configuration says otherwise, and what happened meanwhile.
    private func report(_ id: NodeID) async {
        guard let engine = forming?.engine, let state = await engine.view?.state else { return }
        var findings = untold
        let told = findings.count
        for inLog in state.machines(ownedBy: id) {
            guard let entry = machines[inLog.name], !entry.isBusy, entry.stored.incoming == nil, !isMigrating(inLog.name) else { continue }
            if entry.record?.owner == node, entry.stored.shouldRun != (inLog.desired == .running) {
                // Shut down by its guest, given up after too many crashes, or stopped by an operator while there was no quorum. What does not
                // become an entry now is tried again.
                _ = await engine.order(
                    entry.stored.shouldRun ? .startMachine(machine: inLog.name) : .stopMachine(machine: inLog.name), requestedBy: nil)
            }
            let problem = await problem(of: inLog, entry)
            // What lasts for a moment only, as between the end of a QEMU and its start again, is not worth a line.
            let isLasting = problem == nil || problem == suspicions[inLog.name]
            suspicions[inLog.name] = problem
            if isLasting, problem != inLog.problem, !findings.contains(where: { $0.machine == inLog.name }) {
                findings.append(
                    ReconciliationFinding(
                        machine: inLog.name, problem: problem,
                        sentence: problem == nil ? "\(inLog.name) is as it should be again." : "\(inLog.name) is not as it should be."))
            }
        }
        guard !findings.isEmpty else { return }
        if case .applied = await engine.order(.recordReconciliation(node: id, findings: findings), requestedBy: nil) {
            untold.removeFirst(told)
        }
    }

    /// What keeps a machine from being as the operator wants it.
    private func problem(of inLog: ClusterMachine, _ entry: LocalEntry) async -> String? {
        if unsettled.contains(inLog.name) { return entry.note ?? inLog.problem }
        if let local = entry.local {
            return await local.state == .ioError ? await local.note ?? "A disk refused a request." : nil
        }
        switch entry.resting {
        case .crashed, .lost: return entry.note ?? "It ended unexpectedly on \(node)."
        default: return inLog.desired == .running && entry.stored.shouldRun ? "It does not run on \(node). \(entry.note ?? "")" : nil
        }
    }
}

extension MachineFindings.Record {
    var owner: NodeID? {
        if case .names(let node, _) = self { node } else { nil }
    }
}
