import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP

/// Migrations that come to this node: what the source asks of it.
extension NodeService {
    public func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady {
        try requireQuorum(to: "receive a machine")
        let name = offer.machine.name
        guard !discardedEarly.contains(offer.migration) else {
            throw error(.refused, "\(offer.source) has given this migration of \(name) up already.")
        }
        let address = configuration.ownAddress.migration
        if let already = incoming[offer.migration] {
            do { return try await already.listen(on: address, identityFolder: configuration.directories.identity) } catch {
                throw translate(error, while: "Preparing \(name)")
            }
        }
        // Those that have arrived stay in the list for a moment, for late frames.
        let receiving = machines.values.count { $0.stored.incoming != nil }
        guard receiving < configuration.incomingMigrations else {
            throw error(.busy, "\(node) receives \(receiving) machines already, as many as it may at a time; try again when one is done.")
        }
        try await makeRoom(for: name)
        let record: OwnershipRecord
        do {
            record = try await ownership.read(offer.machine)
        } catch {
            throw self.error(.unreachable, "\(node) cannot read shared disk \(offer.machine.ownershipSlot.disk): \(error)")
        }
        guard record.owner == offer.source, record.epoch == offer.epoch else {
            throw error(
                .refused,
                "The shared disk says that \(record.owner) owns \(name) under epoch \(record.epoch), not \(offer.source) under \(offer.epoch)."
            )
        }
        // The owner begins anew, so what it sent before is worth nothing; that it did not say so was the network's fault.
        if let stale = machines[name]?.stored.incoming, stale.source == offer.source, stale.migration != offer.migration {
            logger.notice("incoming machine gives way to a new migration", metadata: ["vm": "\(name)"])
            await waitUntilBuilt(name)
            await dropIncoming(name)
        }
        if machines[name] != nil { throw error(.refused, "\(node) holds a machine called \(name) already.") }
        let available = try memoryAvailable()
        guard available >= offer.machine.definition.memoryMiB else {
            throw error(.refused, "\(node) has \(available) MiB of memory free, \(name) needs \(offer.machine.definition.memoryMiB) MiB.")
        }
        do {
            let stored = StoredMachine(
                machine: offer.machine, shouldRun: true,
                incoming: .init(migration: offer.migration, source: offer.source, epoch: offer.epoch))
            try store.save(stored)
            machines[name] = LocalEntry(stored: stored, record: record, isBusy: true)
            defer { machines[name]?.isBusy = false }
            // What could not be ended before, and nothing is noted of any more. The machine is its source's, so this must not run it.
            let stray = MachineProcess.adopt(folder: machineFolder(name), machine: offer.machine.definition.id)
            try await stray?.kill()
            let local = try await build(offer.machine, incoming: true)
            machines[name]?.local = local
            let machine = IncomingMachine(offer: offer, local: local, logger: logger)
            incoming[offer.migration] = machine
            return try await machine.listen(on: address, identityFolder: configuration.directories.identity)
        } catch {
            await dropIncoming(name)
            throw translate(error, while: "Preparing \(name)")
        }
    }

    /// A machine that left a moment ago may still be forwarding frames; it is gone within a second.
    private func makeRoom(for name: VMName) async throws(APIError) {
        let end = ContinuousClock.now + .seconds(3)
        while machines[name] != nil, isMigrating(name), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw translate(error, while: "Preparing \(name)") }
        }
    }

    /// Returns when no QEMU is being started for it: one that appears after its machine was forgotten would be nobody's.
    private func waitUntilBuilt(_ name: VMName) async {
        // In a task of its own, because a request that is cancelled must wait as well.
        await Task {
            let end = ContinuousClock.now + .seconds(30)
            while machines[name]?.isBusy == true, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(10)) }
        }.value
    }

    public func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply {
        guard let (name, found, source) = arrival(request.migration) else {
            throw error(.refused, "\(node) knows nothing of migration \(request.migration).")
        }
        let machine = found.stored.machine
        let id = machine.definition.id
        if forming != nil, !mayStart {
            // Not a refusal: it stays this node's, and the source asks again.
            throw error(.unreachable, "\(node) has no quorum now, so it runs \(name) later.")
        }
        do {
            let entry = try await attached(name) ?? found
            // The source is done when the last byte was acknowledged; QEMU here may need a moment more to say so.
            let copy = try await arrived(entry.local)
            let record = try await ownership.read(machine, orderedUnder: request.epoch)
            machines[name]?.record = record
            let decision = decideResume(record: record, node: node, source: source, epoch: request.epoch, copy: copy)
            switch decision {
            case .run, .writeThenRun:
                if case .writeThenRun(let ours) = decision { try await mustWrite(ours, machine) }
                guard let machine = incoming[request.migration] ?? adoptedIncoming(request.migration, entry) else {
                    throw error(.failed, "\(name) was received and its QEMU is gone.")
                }
                let took = try await machine.run(frames: request.frames)
                machines[name]?.record = OwnershipRecord(vmID: id, owner: node, epoch: request.epoch)
                becomeOwner(name)
                await machine.local.set(.running)
                return ResumeReply(resumeMilliseconds: took.milliseconds)
            case .alreadyRuns:
                becomeOwner(name)
                return ResumeReply(resumeMilliseconds: 0)
            case .handBack(let theirs):
                let returned = try await ownership.outrank(record, with: theirs, of: machine)
                await dropIncoming(name)
                return ResumeReply(resumeMilliseconds: 0, returnedEpoch: returned.epoch)
            case .refuse(let reason):
                throw error(.refused, reason)
            }
        } catch { throw translate(error, while: "Resuming \(name)") }
    }

    /// The machine a migration brings, or brought: after a restart of this service only the store knows.
    private func arrival(_ migration: UUID) -> (VMName, LocalEntry, NodeName)? {
        if let offer = incoming[migration]?.offer, let entry = machines[offer.machine.name] {
            return (offer.machine.name, entry, offer.source)
        }
        for (name, entry) in machines {
            if let expected = entry.stored.incoming, expected.migration == migration { return (name, entry, expected.source) }
        }
        return nil
    }

    /// What is known of a machine, with its QEMU found again if this service has just started.
    ///
    /// - Throws: When the QEMU is there and does not answer: that is not the same as having none.
    private func attached(_ name: VMName) async throws -> LocalEntry? {
        guard let entry = machines[name], entry.local == nil else { return machines[name] }
        guard let process = MachineProcess.adopt(folder: machineFolder(name), machine: entry.stored.machine.definition.id) else {
            return entry
        }
        let local = await adopt(entry.stored)
        if machines[name]?.local != nil {
            // The supervisor was quicker.
            await local?.detach()
        } else if let local {
            machines[name]?.local = local
        } else if !process.hasEnded {
            throw error(.unreachable, "The QEMU of \(name) on \(node) does not answer.")
        }
        return machines[name]
    }

    func adoptedIncoming(_ migration: UUID, _ entry: LocalEntry) -> IncomingMachine? {
        guard let local = entry.local, let expected = entry.stored.incoming else { return nil }
        let machine = IncomingMachine(
            offer: IncomingOffer(
                migration: migration, machine: entry.stored.machine, source: expected.source, epoch: expected.epoch,
                acceleration: host.acceleration, qemuVersion: host.qemuVersion, postCopy: false),
            local: local, logger: logger)
        incoming[migration] = machine
        return machine
    }

    private func arrived(_ local: LocalMachine?) async throws -> ReceivedCopy {
        guard let local else { return .none }
        let end = ContinuousClock.now + .seconds(5)
        while true {
            if local.process.hasEnded { return .none }
            let copy = try await local.arrival()
            guard copy == .receiving, ContinuousClock.now < end else { return copy }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    private func mustWrite(_ record: OwnershipRecord, _ machine: VirtualMachine) async throws {
        switch await ownership.handOver(machine, to: record) {
        case .written: return
        case .notWritten(let reason), .unknown(let reason):
            throw error(.unreachable, "\(node) cannot write who owns \(machine.name): \(reason)")
        }
    }

    public func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply {
        guard let machine = incoming[request.migration] else {
            throw error(.notFound, "\(node) knows nothing of migration \(request.migration).")
        }
        await machine.deliver(request.frames)
        return FrameReply(firstFrameMilliseconds: await machine.firstFrameMilliseconds)
    }

    public func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState {
        do {
            if let machine = incoming[migration] { return try await machine.state }
            if let (name, found, _) = arrival(migration) {
                let entry = try await attached(name) ?? found
                if let machine = adoptedIncoming(migration, entry) { return try await machine.state }
            }
        } catch { throw translate(error, while: "Looking for what migration \(migration) brought") }
        return IncomingState(phase: .unknown, note: "\(node) knows nothing of it.")
    }

    public func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady {
        guard let machine = incoming[migration] else { throw error(.notFound, "\(node) knows nothing of migration \(migration).") }
        do { return try await machine.listenAgain(on: configuration.ownAddress.migration) } catch {
            throw translate(error, while: "Going on with post-copy")
        }
    }

    public func discardIncoming(_ migration: UUID, reason: String) async throws(APIError) {
        guard let (known, _, _) = arrival(migration) else {
            // It may have overtaken the offer, which would leave a machine here that nobody comes back for.
            discardedEarly = discardedEarly.suffix(63) + [migration]
            return
        }
        await waitUntilBuilt(known)
        guard let (name, entry, _) = arrival(migration) else { return }
        let machine = entry.stored.machine
        let record: OwnershipRecord
        do {
            record = try await ownership.read(machine)
        } catch { throw translate(error, while: "Discarding \(name)") }
        if record.owner == node {
            try await discardOwned(name, entry, record: record, reason: reason)
            return
        }
        logger.notice("incoming machine discarded", metadata: ["vm": "\(name)", "reason": "\(reason)"])
        await dropIncoming(name)
    }

    /// A machine of ours is thrown away only when post-copy left it without part of its memory, so that it cannot go on.
    private func discardOwned(_ name: VMName, _ entry: LocalEntry, record: OwnershipRecord, reason: String) async throws(APIError) {
        do {
            guard let local = entry.local, try await local.lacksMemory() else {
                throw error(.refused, "\(node) owns \(name); it is not discarded.")
            }
            try await loseMemory(of: name, local: local, reason: reason)
        } catch { throw translate(error, while: "Discarding \(name)") }
    }

    /// Post-copy lost its source. What is here cannot go on; the machine stays ours, and its disk is whole.
    func loseMemory(of name: VMName, local: LocalMachine, reason: String) async throws {
        logger.error("the memory of a machine is lost", metadata: ["vm": "\(name)", "reason": "\(reason)"])
        try update(name) {
            $0.incoming = nil
            $0.shouldRun = false
        }
        await local.end()
        await removeAdapters(of: local.machine)
        machines[name]?.local = nil
        machines[name]?.resting = .lost
        machines[name]?.note = "Its memory was lost during post-copy: \(reason) Its disk is intact; start it with: apus vm start \(name)"
    }

    /// Ends a half-received machine and forgets it; never one that this node owns.
    func dropIncoming(_ name: VMName) async {
        guard let entry = machines[name], let expected = entry.stored.incoming else { return }
        await incoming[expected.migration]?.close()
        incoming[expected.migration] = nil
        if let local = entry.local {
            await local.end()
        } else if let process = MachineProcess.adopt(folder: machineFolder(name), machine: entry.stored.machine.definition.id) {
            // Of a service before this one; it never ran the machine.
            do { try await process.kill(within: .seconds(5)) } catch {
                logger.error("QEMU does not end", metadata: ["vm": "\(name)", "error": "\(error)"])
            }
        }
        await removeAdapters(of: entry.stored.machine)
        do { try forgetMachine(name) } catch { logger.error("state not removed", metadata: ["vm": "\(name)", "error": "\(error)"]) }
    }

    /// Keeps the frame sockets of machines that arrived until late frames have stopped coming.
    func retireArrivals() async {
        for (id, machine) in incoming {
            let name = machine.offer.machine.name
            guard machines[name]?.stored.incoming?.migration != id, await machine.isQuiet else { continue }
            // Post-copy may have to be taken up again until the last page is here.
            if !machine.local.process.hasEnded, (try? await machine.local.lacksMemory()) ?? true { continue }
            await machine.close()
            incoming[id] = nil
        }
    }

    public func openLinkTest() async throws(APIError) -> LinkTestReady {
        do { return try await LinkTest.receive(on: configuration.ownAddress.migration) } catch {
            throw translate(error, while: "Opening a link test")
        }
    }

    public func facts() async throws(APIError) -> NodeFacts {
        do {
            let memory = try HostFacts.memoryMiB()
            let disks = await storage.visibleDisks()
            return NodeFacts(
                node: node, apusVersion: ApusVersion.current, qemuVersion: host.qemuVersion, acceleration: host.acceleration,
                accelerationEvidence: host.evidence, machineTypes: host.machineTypes, cpuModels: host.cpuModels,
                memoryTotalMiB: memory.total,
                memoryAvailableMiB: memory.available, bridges: HostFacts.bridges(), disks: disks,
                machinesRunning: machines.values.count { $0.local != nil },
                acceptsPostCopy: HostFacts.acceptsPostCopy())
        } catch { throw translate(error, while: "Reading the facts of \(node)") }
    }
}
