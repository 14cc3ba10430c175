import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP

/// Bringing what runs here into line with the ownership records: after a restart of the service, after a crash of a QEMU, and all the time.
extension NodeService {
    /// A machine that dies this often within ``restartWindow`` is left for the operator.
    private static let restartLimit = 3
    private static let restartWindow = Duration.seconds(120)

    func supervise() async {
        for name in machines.keys.sorted() {
            guard let entry = machines[name], !entry.isBusy, !isMigrating(name) else { continue }
            await look(after: name)
        }
    }

    func isMigrating(_ name: VMName) -> Bool { runners.values.contains { $0.order.vm == name } }

    private func look(after name: VMName) async {
        guard var entry = machines[name] else { return }
        machines[name]?.isBusy = true
        defer { machines[name]?.isBusy = false }

        if entry.local == nil { entry.local = await adopt(entry.stored) }
        machines[name]?.local = entry.local
        var condition: QEMUCondition?
        if let local = entry.local {
            shortenConsole(of: local)
            if local.process.hasEnded {
                machines[name]?.note = await ended(local)
                machines[name]?.local = nil
                entry.local = nil
            } else {
                // A monitor that does not answer says nothing about the machine: look again.
                let isArriving = entry.stored.incoming != nil
                guard let now = try? await isArriving ? local.arrivingCondition() : local.condition() else { return }
                condition = now
                if now == .received, isExpectedSoon(name) { return }
                if now == .running, entry.record != nil, entry.stored.incoming == nil {
                    await markRunning(local)
                    await watchPostCopy(name, local)
                    saveAgain(name)
                    await closeOutgoing(name)
                    return
                }
            }
        } else if entry.record != nil, !entry.stored.shouldRun, entry.stored.incoming == nil {
            return
        }

        let record: OwnershipRecord
        do {
            record = try await ownership.read(entry.stored.machine)
        } catch {
            machines[name]?.note = "It is not known who may run it: \(error)"
            return
        }
        machines[name]?.record = record
        let action = recovery(
            of: AdoptedMachine(
                record: record, node: node, qemu: condition, incoming: entry.stored.incoming != nil, shouldRun: entry.stored.shouldRun,
                crashPolicy: entry.stored.machine.definition.onCrash))
        await carryOut(action, on: name, record: record)
    }

    /// A machine that has just arrived is left to its source, which orders it to run and brings the frames it missed. Only when nothing is
    /// heard the record on the disk is asked.
    private func isExpectedSoon(_ name: VMName) -> Bool {
        let since = machines[name]?.arrivedSince ?? .now
        machines[name]?.arrivedSince = since
        return ContinuousClock.now - since < .seconds(2)
    }

    /// A machine that waits for memory from a source that does not come back cannot go on.
    private func watchPostCopy(_ name: VMName, _ local: LocalMachine) async {
        guard let waiting = try? await local.waitsForMemory() else { return }
        guard waiting else {
            machines[name]?.waitsForMemorySince = nil
            return
        }
        let since = machines[name]?.waitsForMemorySince ?? .now
        machines[name]?.waitsForMemorySince = since
        guard ContinuousClock.now - since > SourceMigration.Deadline.postCopyStalled * 2 else { return }
        do {
            try await loseMemory(of: name, local: local, reason: "Its source sent nothing for two minutes.")
        } catch { logger.error("state not saved", metadata: ["vm": "\(name)", "error": "\(error)"]) }
    }

    private func markRunning(_ local: LocalMachine) async {
        if await local.state != .running, await local.state != .ioError { await local.set(.running) }
    }

    /// A guest that writes without end to its console must not fill the node's runtime folder.
    private func shortenConsole(of local: LocalMachine) {
        do { _ = try local.process.folder.shortenSerialLog(beyond: 4 << 20, keeping: 1 << 20) } catch {
            logger.warning("the console's log cannot be shortened", metadata: ["vm": "\(local.machine.name)", "error": "\(error)"])
        }
    }

    /// Why a QEMU is gone, for the note and the log.
    private func ended(_ local: LocalMachine) async -> String {
        let note = "QEMU ended: \(local.process.lastWords())"
        logger.warning("QEMU ended", metadata: ["vm": "\(local.machine.name)", "words": "\(local.process.lastWords())"])
        await local.detach()
        await removeAdapters(of: local.machine)
        return note
    }

    func adopt(_ stored: StoredMachine) async -> LocalMachine? {
        guard let process = MachineProcess.adopt(folder: machineFolder(stored.machine.name), machine: stored.machine.definition.id) else {
            return nil
        }
        do {
            let local = try await LocalMachine.attach(to: process, machine: stored.machine, state: .unknown, logger: logger)
            logger.info("adopted", metadata: ["vm": "\(stored.machine.name)", "pid": "\(process.processID)"])
            return local
        } catch {
            logger.warning("a QEMU of ours cannot be reached", metadata: ["vm": "\(stored.machine.name)", "error": "\(error)"])
            return nil
        }
    }

    private func carryOut(_ action: RecoveryAction, on name: VMName, record: OwnershipRecord) async {
        guard let entry = machines[name] else { return }
        if action != .supervise, action != .leaveStopped, action != .awaitSource, action != .forget {
            logger.notice("recovery", metadata: ["vm": "\(name)", "action": "\(action)", "epoch": "\(record.epoch)"])
        }
        do {
            switch action {
            case .supervise:
                guard let local = entry.local else { return }
                try await settleState(local)
                // It runs and is ours, and whoever let it run did not get to noting that: the service died, or read the record itself.
                if record.owner == node, entry.stored.incoming != nil, try await local.condition() == .running { becomeOwner(name) }
            case .resume:
                try await entry.local?.run()
            case .cancelTransfer:
                guard let local = entry.local else { return }
                try await cancelOrphan(local, stored: entry.stored)
            case .finishOrRevert:
                guard let local = entry.local else { return }
                try await finishOrRevert(local, stored: entry.stored, record: record)
            case .runReceived:
                try await runReceived(name)
            case .endForeign:
                guard let local = entry.local else { return }
                try await endForeign(local, stored: entry.stored, record: record)
            case .awaitSource:
                try await awaitSource(name, record: record)
            case .forget:
                try forgetMachine(name)
            case .restart:
                try await restart(name)
            case .leaveCrashed:
                machines[name]?.resting = .crashed
            case .leaveStopped:
                if let local = entry.local {
                    await local.end()
                    await removeAdapters(of: local.machine)
                    machines[name]?.local = nil
                }
                if entry.stored.shouldRun { try setShouldRun(name, false) }
                machines[name]?.resting = .stopped
            }
        } catch {
            machines[name]?.note = "\(error)"
            logger.error("recovery failed", metadata: ["vm": "\(name)", "action": "\(action)", "error": "\(error)"])
        }
    }

    func settleState(_ local: LocalMachine) async throws {
        switch try await local.condition() {
        case .running: await local.set(.running)
        case .ioError: await local.set(.ioError, note: "A disk refused a request; the guest waits for it.")
        case .paused: await local.set(.paused)
        default: break
        }
    }

    /// The service died while QEMU sent memory: the guest goes on here, the copy is thrown away.
    private func cancelOrphan(_ local: LocalMachine, stored: StoredMachine) async throws {
        let transfer = QEMUTransfer(
            monitor: local.monitor, identityFolder: configuration.directories.identity, migration: stored.outgoing ?? UUID())
        try await transfer.cancel(isSwitchingOver: false)
        try await transfer.settle()
        if stored.shouldRun { try await local.run() }
        await closeOutgoing(local.machine.name)
    }

    /// A migration left its machine here, and the service that led it died or could not tell the destination: what was received there is
    /// thrown away, and the history says what became of it. Until the destination answers it is tried again at every look.
    private func closeOutgoing(_ name: VMName) async {
        guard let stored = machines[name]?.stored, let migration = stored.outgoing else { return }
        let runs = machines[name]?.local != nil
        remember(
            stored, .failed, owner: node, isRunning: runs,
            "The node service on \(node) ended during the migration. \(name) \(runs ? "runs on \(node) as before" : "belongs to \(node)").")
        if let destination = stored.destination, let peer = peers.client(of: destination, waiting: .seconds(1)) {
            do { try await peer.discardIncoming(migration, reason: "The source keeps the machine.") } catch { return }
        }
        do {
            try update(name) {
                $0.outgoing = nil
                $0.destination = nil
            }
        } catch { logger.error("state not saved", metadata: ["vm": "\(name)", "error": "\(error)"]) }
    }

    /// Adds a migration to the history whose runner could not do so.
    private func remember(_ stored: StoredMachine, _ outcome: MigrationOutcome, owner: NodeName, isRunning: Bool, _ message: String) {
        guard let migration = stored.outgoing, let order = stored.order, history.record(migration) == nil else { return }
        let began = stored.orderedAt ?? Date()
        let record = MigrationRecord(
            id: migration, order: order, source: node, outcome: outcome, owner: owner, isRunning: isRunning, startedAt: began,
            totalMilliseconds: max(Date().timeIntervalSince(began), 0) * 1_000, message: message)
        logger.notice("migration ended", metadata: ["vm": "\(stored.machine.name)", "outcome": "\(outcome)", "message": "\(message)"])
        do { try history.add(record) } catch { logger.error("the history cannot be written", metadata: ["error": "\(error)"]) }
    }

    /// Everything was sent, nothing is written. If the destination still has it, go forward; else a barrier, then back.
    private func finishOrRevert(_ local: LocalMachine, stored: StoredMachine, record: OwnershipRecord) async throws {
        let id = stored.machine.definition.id
        var state: IncomingState?
        if let migration = stored.outgoing, let destination = stored.destination, let peer = peers.client(of: destination) {
            state = try? await peer.incomingState(migration)
        }
        if try await local.condition() == .postCopySource, state?.phase != .received {
            // QEMU cannot go back from here (migration.json, postcopy-active): wait for the destination, or know that it has nothing.
            guard let state, state.phase == .failed || state.phase == .unknown else { return }
            let reason =
                "The node service on \(node) ended during post-copy, and \(stored.destination.map { "\($0)" } ?? "the destination") lost the machine."
            remember(
                stored, .lost, owner: node, isRunning: false,
                "The memory of \(local.machine.name) is lost: \(reason) Its disk is intact. Start it again with: apus vm start \(local.machine.name)"
            )
            return try await loseMemory(of: local.machine.name, local: local, reason: reason)
        }
        if let destination = stored.destination, state?.phase == .received {
            let successor = OwnershipRecord(vmID: id, owner: destination, epoch: record.epoch + 1)
            if case .written = await ownership.handOver(stored.machine, to: successor) {
                // The next look finds a record that names the destination.
                logger.notice("a migration whose service had died is finished", metadata: ["vm": "\(local.machine.name)"])
            }
            return
        }
        // Writes of the service that died must not land after this one: the barrier ends them, and the epoch outranks them.
        let now = try await ownership.resolve(stored.machine)
        guard now.owner == node else { return }
        machines[local.machine.name]?.record = try await ownership.outrank(
            now, with: OwnershipRecord(vmID: id, owner: node, epoch: now.epoch + 2), of: stored.machine)
        if stored.shouldRun { try await local.run() }
        await closeOutgoing(local.machine.name)
    }

    /// The record names another node. What is paused here is the only copy until that node says that it runs.
    private func endForeign(_ local: LocalMachine, stored: StoredMachine, record: OwnershipRecord) async throws {
        if try await local.condition() == .sent, let migration = stored.outgoing, let peer = peers.client(of: record.owner) {
            do {
                let reply = try await peer.resumeIncoming(ResumeRequest(migration: migration, epoch: record.epoch, frames: []))
                if reply.returnedEpoch != nil {
                    if stored.shouldRun { try await local.run() }
                    return
                }
            } catch let error as APIError where error.code == .refused {
                logger.info("the owner needs our copy no more", metadata: ["vm": "\(local.machine.name)", "reason": "\(error.message)"])
            } catch {
                machines[local.machine.name]?.note =
                    "\(record.owner) owns it and does not answer; what was sent to it is kept until it does."
                return
            }
            remember(
                stored, .completed, owner: record.owner, isRunning: true,
                "The node service on \(node) ended during the migration, which was finished when it was back. "
                    + "\(local.machine.name) runs on \(record.owner).")
        }
        await local.end()
        await removeAdapters(of: local.machine)
        machines[local.machine.name]?.local = nil
        try forgetMachine(local.machine.name)
    }

    private func runReceived(_ name: VMName) async throws {
        guard let entry = machines[name], let expected = entry.stored.incoming,
            let machine = incoming[expected.migration] ?? adoptedIncoming(expected.migration, entry)
        else { return }
        _ = try await machine.run(frames: [])
        becomeOwner(name)
        logger.notice("the record names this node: runs", metadata: ["vm": "\(name)"])
    }

    /// Drops what was received when the source says so, or when its record has moved on.
    private func awaitSource(_ name: VMName, record: OwnershipRecord) async throws {
        guard let entry = machines[name], let expected = entry.stored.incoming else { return }
        let supersededBySource = record.epoch > expected.epoch
        let abandoned = incoming[expected.migration] == nil && entry.local == nil
        guard supersededBySource || abandoned else { return }
        await dropIncoming(name)
    }

    private func restart(_ name: VMName) async throws {
        guard let entry = machines[name] else { return }
        // A source that still holds the memory asks for it within this time; booting from disk would throw that away.
        if let expected = entry.stored.incoming, let peer = peers.client(of: expected.source),
            let theirs = try? await peer.ownMigrations(), theirs.contains(where: { $0.id == expected.migration && $0.record == nil })
        {
            return
        }
        if let local = entry.local {
            await local.end()
            machines[name]?.local = nil
        }
        let now = ContinuousClock.now
        let recent = entry.restarts.filter { now - $0 < Self.restartWindow }
        guard recent.count < Self.restartLimit else {
            machines[name]?.resting = .crashed
            machines[name]?.note =
                "It crashed \(recent.count) times within \(Int(Self.restartWindow.seconds)) s and is left stopped. "
                + "See \(machineFolder(name).log), then: apus vm start \(name)"
            try setShouldRun(name, false)
            return
        }
        machines[name]?.restarts = recent + [now]
        becomeOwner(name)
        machines[name]?.local = try await launch(entry.stored.machine)
        machines[name]?.resting = .stopped
        tell(name, "\(name) was started again on \(node): it did not run, and is to.", .warning)
    }
}
