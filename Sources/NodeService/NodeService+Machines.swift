import ClusterAPI
import ClusterModel
import Foundation
import Logging
import Membership
import MigrationRules
import NodeClient
import QEMU
import QMP
import VMDefinitions

extension NodeService {
    // MARK: Looking

    public func ownMachines() async throws(APIError) -> [VMStatus] {
        var all: [VMStatus] = []
        for (name, entry) in machines where isHere(entry) { all.append(await status(of: name, entry)) }
        return all.sorted { $0.machine.name < $1.machine.name }
    }

    /// Whether this node answers for it: owns it, as far as was read last, or receives it.
    private func isHere(_ entry: LocalEntry) -> Bool {
        guard entry.stored.incoming == nil else { return true }
        return entry.record.map { $0.owner == node } ?? true
    }

    func status(of name: VMName, _ entry: LocalEntry) async -> VMStatus {
        var state = entry.resting
        var note = entry.note
        if let local = entry.local {
            state = await local.state
            note = await local.note ?? note
        }
        if entry.stored.incoming != nil { state = .incoming }
        if entry.record == nil, entry.stored.incoming == nil, entry.local == nil { state = .unknown }
        return VMStatus(
            machine: entry.stored.machine, state: state, owner: entry.record?.owner, epoch: entry.record?.epoch ?? 0,
            processID: entry.local?.process.processID, note: note)
    }

    public func machines() async throws(APIError) -> [VMStatus] {
        var byName: [VMName: VMStatus] = [:]
        for status in try await ownMachines() { byName[status.machine.name] = status }
        for (_, reply) in await peers.askAll({ (peer) async throws(APIError) in try await peer.ownMachines() }) {
            guard case .success(let theirs) = reply else { continue }
            // While a machine moves both ends know it; the owner's word counts.
            for status in theirs where byName[status.machine.name].map({ $0.state == .incoming }) ?? true {
                byName[status.machine.name] = status
            }
        }
        // The configuration knows them all, also those of nodes that are down.
        if let state = await forming?.engine.view?.state {
            for inLog in state.machines.values where byName[inLog.name] == nil {
                let owner = state.nodes[inLog.owner]
                let why = owner?.presence == .up ? "does not answer, or knows nothing of it" : "is down"
                byName[inLog.name] = VMStatus(
                    machine: inLog.machine, state: .unknown, owner: owner?.name, epoch: inLog.epoch,
                    note: "\(state.name(of: inLog.owner)) owns it and \(why).\(inLog.problem.map { " \($0)" } ?? "")")
            }
        }
        for (name, entry) in machines where byName[name] == nil {
            var status = await status(of: name, entry)
            status.state = .unknown
            status.note = "\(entry.record.map { "\($0.owner)" } ?? "Its owner") does not answer."
            byName[name] = status
        }
        return byName.values.sorted { $0.machine.name < $1.machine.name }
    }

    public func machine(_ name: VMName) async throws(APIError) -> VMStatus {
        if let entry = machines[name], isHere(entry), entry.stored.incoming == nil { return await status(of: name, entry) }
        if let found = try await machines().first(where: { $0.machine.name == name }) { return found }
        throw error(.notFound, "There is no virtual machine \(name). See: apus vm list")
    }

    /// The node an operation on a machine belongs to; nil when it is this one.
    func remoteOwner(of name: VMName) async throws(APIError) -> (any OperatorOperations & PeerOperations)? {
        if let entry = machines[name], isHere(entry), entry.stored.incoming == nil { return nil }
        let found = try await machine(name)
        guard let owner = found.owner else {
            throw error(.unreachable, "It is not known which node owns \(name): \(found.note ?? "the shared disk cannot be read.")")
        }
        if owner == node { return nil }
        guard let client = peers.client(of: owner) else {
            throw error(.refused, "\(owner) owns \(name), and is not among the nodes this one is configured with.")
        }
        guard found.state != .unknown else {
            throw error(.unreachable, "\(owner) owns \(name) and does not answer. Check the node and the cluster network.")
        }
        return client
    }

    // MARK: Making and removing

    public func createMachine(_ request: CreateMachineRequest) async throws(APIError) -> VMStatus {
        try requireQuorum(to: "create a machine")
        let definition = request.definition
        let name = definition.name
        do { try DefinitionRules.check(definition) } catch { throw self.error(.invalid, "\(error)") }
        if machines[name] != nil { throw error(.refused, "There is a virtual machine \(name) already. Choose another name.") }
        let others = try await machines().map(\.machine)
        if others.contains(where: { $0.name == name }) {
            throw error(.refused, "There is a virtual machine \(name) already. Choose another name.")
        }
        if let other = others.first(where: { $0.definition.id == definition.id }) {
            throw error(.refused, "The virtual machine \(other.name) has the uuid \(definition.id) already. Leave it out: a new one is made.")
        }
        if let image = request.image { try checkImage(image, for: definition) }
        let allocation = AllocationRequest(definition: definition, volume: request.volume, owner: node)
        let machine: VirtualMachine
        if peers.isCoordinator {
            machine = try await allocate(allocation)
        } else if let coordinator = peers.client(of: peers.coordinator) {
            machine = try await coordinator.allocate(allocation)
        } else {
            throw error(.unreachable, "The coordinator \(peers.coordinator) is not known.")
        }
        do {
            if let image = request.image, let first = definition.disks.first, let extent = machine.extents[first.name] {
                try await storage.writeImage(image, to: extent)
            }
            if let variables = machine.firmwareVariables {
                try await storage.writeImage(UEFIFirmware().variablesTemplatePath, to: variables)
            }
            let stored = StoredMachine(machine: machine, shouldRun: false)
            try store.save(stored)
            let record = try await storage.readOwnership(machine.ownershipSlot, of: definition.id)
            try await ownership.add(machine, record, requestedBy: requester)
            machines[name] = LocalEntry(stored: stored, record: record)
        } catch let error as APIError where error.code == .timeout {
            // The cluster may have it: what was allocated is not touched. It is in the list, or it can be created again.
            throw error
        } catch {
            let cause = translate(error, while: "Creating \(name)")
            do {
                try store.remove(name)
                try await giveBack(machine)
            } catch {
                throw self.error(.failed, "\(cause.message) What was allocated for it could not be given back either: \(error)")
            }
            throw cause
        }
        return try await self.machine(name)
    }

    private func checkImage(_ path: String, for definition: VMDefinition) throws(APIError) {
        guard let first = definition.disks.first else {
            throw error(.invalid, "\(definition.name) has no disk that the image could be written to; give it one in its definition.")
        }
        // As it will be opened, so a link counts as what it points to.
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let about = try? FileManager.default.attributesOfItem(atPath: target), let size = about[.size] as? UInt64 else {
            throw error(.invalid, "The image \(path) cannot be read on \(node). It must be a file there, with its full path.")
        }
        guard about[.type] as? FileAttributeType != .typeDirectory else {
            throw error(.invalid, "The image \(path) is a folder on \(node). Name a raw image, a file.")
        }
        if size > first.byteCount {
            throw error(
                .invalid,
                "The image \(path) has \(size >> 20) MiB, disk \(first.name) of \(definition.name) \(first.byteCount >> 20) MiB. Make the disk larger."
            )
        }
    }

    private func giveBack(_ machine: VirtualMachine) async throws(APIError) {
        if peers.isCoordinator {
            try await release(machine)
        } else if let coordinator = peers.client(of: peers.coordinator) {
            try await coordinator.release(machine)
        }
    }

    public func deleteMachine(_ name: VMName) async throws(APIError) {
        try requireQuorum(to: "delete a machine")
        if let owner = try await remoteOwner(of: name) { return try await owner.deleteMachine(name) }
        try await claim(name)
        defer { machines[name]?.isBusy = false }
        guard let entry = machines[name] else { throw error(.notFound, "There is no virtual machine \(name).") }
        guard entry.local == nil, !isMigrating(name) else {
            throw error(.refused, "\(name) is not stopped. Stop it first: apus vm stop \(name)")
        }
        let record = try await ownedRecord(of: name)
        do {
            try await ownership.remove(entry.stored.machine, record, requestedBy: requester)
            try await giveBack(entry.stored.machine)
            try forgetMachine(name)
        } catch { throw translate(error, while: "Deleting \(name)") }
    }

    // MARK: Starting and stopping

    public func startMachine(_ name: VMName) async throws(APIError) -> VMStatus {
        try requireQuorum(to: "start a machine")
        if let owner = try await remoteOwner(of: name) { return try await owner.startMachine(name) }
        guard let entry = machines[name] else { throw error(.notFound, "There is no virtual machine \(name).") }
        if let local = entry.local {
            guard await local.state == .paused else { throw error(.refused, "\(name) runs already.") }
            try await claim(name)
            defer { machines[name]?.isBusy = false }
            // What is being moved away is paused for another reason.
            guard !isMigrating(name), machines[name]?.stored.outgoing == nil else { throw error(.refused, "\(name) is being migrated.") }
            _ = try await ownedRecord(of: name)
            do { try await local.run() } catch { throw translate(error, while: "Resuming \(name)") }
            return try await machine(name)
        }
        try await claim(name)
        defer { machines[name]?.isBusy = false }
        _ = try await ownedRecord(of: name)
        let available = try memoryAvailable()
        guard available >= entry.stored.machine.definition.memoryMiB else {
            throw error(
                .refused, "\(node) has \(available) MiB of memory free, \(name) needs \(entry.stored.machine.definition.memoryMiB) MiB.")
        }
        do {
            try await ownership.want(.running, of: name, requestedBy: requester)
            try setShouldRun(name, true)
            machines[name]?.restarts = []
            machines[name]?.note = nil
            machines[name]?.local = try await launch(entry.stored.machine)
            machines[name]?.resting = .stopped
        } catch {
            // In a cluster the configuration follows this by itself.
            do { try setShouldRun(name, false) } catch let cause {
                logger.error("state not saved", metadata: ["vm": "\(name)", "error": "\(cause)"])
            }
            throw translate(error, while: "Starting \(name)")
        }
        return try await machine(name)
    }

    public func stopMachine(_ name: VMName, force: Bool) async throws(APIError) -> VMStatus {
        if let owner = try await remoteOwner(of: name) { return try await owner.stopMachine(name, force: force) }
        guard let entry = machines[name], let local = entry.local else {
            guard let entry = machines[name] else { throw error(.notFound, "There is no virtual machine \(name).") }
            guard entry.resting == .crashed || entry.stored.shouldRun else { throw error(.refused, "\(name) is stopped already.") }
            do { try setShouldRun(name, false) } catch { throw translate(error, while: "Stopping \(name)") }
            machines[name]?.resting = .stopped
            return try await machine(name)
        }
        if isMigrating(name) { throw error(.refused, "\(name) is being migrated. Cancel that first: apus vm migrate \(name) --cancel") }
        try await claim(name)
        defer { machines[name]?.isBusy = false }
        await tellDesired(.stopped, of: name)
        do {
            try setShouldRun(name, false)
            if !force {
                try await local.monitor.execute(.systemPowerdown)
                guard await local.waitForShutdown(within: .seconds(60)) else {
                    try setShouldRun(name, true)
                    await tellDesired(.running, of: name)
                    throw error(
                        .timeout,
                        "\(name) did not shut down within 60 s; its guest may ignore the power button. End it with: apus vm stop \(name) --force"
                    )
                }
            }
            await local.end()
            await removeAdapters(of: local.machine)
            machines[name]?.local = nil
            machines[name]?.resting = .stopped
            machines[name]?.note = nil
        } catch { throw translate(error, while: "Stopping \(name)") }
        return try await machine(name)
    }

    // MARK: Parts

    /// A machine may be stopped also without quorum; the configuration then learns of it when there is one again.
    private func tellDesired(_ desired: DesiredState, of name: VMName) async {
        guard mayRun else { return }
        do { try await ownership.want(desired, of: name, requestedBy: requester) } catch {
            logger.info("the configuration learns of it later", metadata: ["vm": "\(name)", "desired": "\(desired)", "reason": "\(error)"])
        }
    }

    /// One operation on a machine at a time. The supervisor's look at it takes milliseconds, so a short wait is better than an error.
    func claim(_ name: VMName) async throws(APIError) {
        let end = ContinuousClock.now + .seconds(2)
        while machines[name]?.isBusy == true, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { throw translate(error, while: "Waiting for \(name)") }
        }
        guard let entry = machines[name] else { throw error(.notFound, "There is no virtual machine \(name).") }
        guard !entry.isBusy else {
            throw error(.refused, "Another operation on \(name) is under way; try again in a moment.")
        }
        machines[name]?.isBusy = true
    }

    /// Reads who may run it; refuses unless that is this node.
    func ownedRecord(of name: VMName) async throws(APIError) -> OwnershipRecord {
        guard let machine = machines[name]?.stored.machine else { throw error(.notFound, "There is no virtual machine \(name).") }
        let record: OwnershipRecord
        do {
            record = try await ownership.read(machine)
        } catch let error as APIError {
            throw error
        } catch {
            throw self.error(
                .unreachable,
                "Who may run \(name) stands on shared disk \(machine.ownershipSlot.disk), and \(node) cannot read it: \(error)")
        }
        machines[name]?.record = record
        guard record.owner == node else {
            throw error(.refused, "\(record.owner) owns \(name); \(node) must not run it.")
        }
        return record
    }

    /// Boots a machine whose record names this node.
    func launch(_ machine: VirtualMachine) async throws -> LocalMachine {
        let local = try await build(machine, incoming: false)
        do {
            // Building it took a while.
            if forming != nil { try requireQuorum(to: "start a machine") }
            try await local.run()
        } catch {
            await local.end()
            await removeAdapters(of: machine)
            throw error
        }
        return local
    }

    /// Builds the machine: adapters, QEMU, monitor. It does not run yet.
    func build(_ machine: VirtualMachine, incoming: Bool) async throws -> LocalMachine {
        var disks: [String: DiskAttachment] = [:]
        for (name, extent) in machine.extents { disks[name] = try await storage.attachment(of: extent) }
        var variables: DiskAttachment?
        if let extent = machine.firmwareVariables { variables = try await storage.attachment(of: extent) }
        try await makeAdapters(of: machine, arePlugged: !incoming)
        do {
            let folder = machineFolder(machine.name)
            let commandLine = try QEMUCommandLine(
                machine,
                on: MachineHostSettings(
                    acceleration: host.acceleration, folder: folder, attachments: disks, firmwareVariables: variables,
                    taps: machine.definition.taps, isIncoming: incoming))
            let process = try await MachineProcess.start(commandLine, folder: folder, user: host.machineUser)
            do {
                return try await LocalMachine.attach(to: process, machine: machine, state: incoming ? .incoming : .starting, logger: logger)
            } catch {
                try await process.kill(within: .seconds(5))
                throw error
            }
        } catch {
            await removeAdapters(of: machine)
            throw error
        }
    }

    private func makeAdapters(of machine: VirtualMachine, arePlugged: Bool) async throws {
        for (index, interface) in machine.definition.interfaces.enumerated() {
            try await machine.definition.tap(index).create(
                bridge: interface.bridge, mac: interface.mac, user: host.machineUser, isPlugged: arePlugged)
        }
    }

    func removeAdapters(of machine: VirtualMachine) async {
        for index in machine.definition.interfaces.indices {
            do { try await machine.definition.tap(index).delete() } catch {
                logger.warning("an adapter could not be removed", metadata: ["vm": "\(machine.name)", "error": "\(error)"])
            }
        }
    }

    func machineFolder(_ name: VMName) -> MachineFolder { MachineFolder(path: configuration.directories.runtime + "/machines/\(name)") }

    func memoryAvailable() throws(APIError) -> Int {
        do { return try HostFacts.memoryMiB().available } catch { throw translate(error, while: "Reading the host's memory") }
    }

    func update(_ name: VMName, _ change: (inout StoredMachine) -> Void) throws {
        guard var stored = machines[name]?.stored else { return }
        change(&stored)
        try store.save(stored)
        machines[name]?.stored = stored
    }
    func setShouldRun(_ name: VMName, _ value: Bool) throws { try update(name) { $0.shouldRun = value } }

    /// A machine that was received, or is run again, belongs here without reservation.
    ///
    /// It runs, whether or not this can be noted: a full disk must not make a switchover fail that has happened.
    func becomeOwner(_ name: VMName) {
        machines[name]?.stored.incoming = nil
        machines[name]?.stored.shouldRun = true
        machines[name]?.note = nil
        machines[name]?.isUnsaved = true
        saveAgain(name)
    }

    /// Writes down what could not be written before.
    func saveAgain(_ name: VMName) {
        guard let entry = machines[name], entry.isUnsaved else { return }
        do {
            try store.save(entry.stored)
            machines[name]?.isUnsaved = false
        } catch {
            machines[name]?.note = "That it belongs to \(node) cannot be noted in \(configuration.directories.state): \(error)"
        }
    }

    func forgetMachine(_ name: VMName) throws {
        try store.remove(name)
        machines[name] = nil
    }
}
