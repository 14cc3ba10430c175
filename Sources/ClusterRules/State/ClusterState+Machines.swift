import ClusterModel

extension ClusterState {
    func machine(_ name: VMName) throws(CommandRejection) -> ClusterMachine {
        guard let machine = machines[name] else { throw .unknownMachine(name) }
        return machine
    }

    private func checkDisks(of machine: VirtualMachine) throws(CommandRejection) {
        for disk in machine.disks where disks[disk] == nil { throw .unknownDisk(disk) }
    }

    mutating func add(
        _ machine: VirtualMachine, owner: NodeID, epoch: UInt64, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        let node = try member(owner)
        guard machines[machine.name] == nil, !machines.values.contains(where: { $0.machine.definition.id == machine.definition.id }) else {
            throw .machineNameUsed(machine.name)
        }
        try checkDisks(of: machine)
        machines[machine.name] = ClusterMachine(machine: machine, owner: owner, epoch: epoch, desired: .stopped)
        tell(.machineAdded, .information, owner, "\(machine.name) was created on \(node.name).", at: place)
        return [.writeOwnership(machine: machine.name, owner: owner, epoch: epoch, on: owner)]
    }

    mutating func change(_ new: VirtualMachine, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let old = try machine(new.name)
        guard old.machine.definition.id == new.definition.id, old.machine.ownershipSlot == new.ownershipSlot else {
            throw .machineChangesIdentity(new.name)
        }
        try checkDisks(of: new)
        machines[new.name]?.machine = new
        tell(.machineChanged, .information, old.owner, "\(new.name) was changed.", at: place)
        return []
    }

    mutating func removeMachine(_ name: VMName, epoch: UInt64, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let machine = try machine(name)
        guard machine.epoch == epoch else { throw .staleEpoch(name, proposed: epoch, current: machine.epoch) }
        guard machine.desired == .stopped else { throw .machineNotStopped(name) }
        machines[name] = nil
        tell(.machineRemoved, .information, machine.owner, "\(name) was deleted.", at: place)
        // Any node may have a definition of it from an earlier ownership.
        return [.stopMachine(machine: name, on: machine.owner)] + upNodes.map { .forgetMachine(machine: name, on: $0) }
    }

    mutating func startMachine(_ name: VMName, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let machine = try machine(name)
        // Wanting twice what is wanted already is no mistake; the effect is safe to repeat.
        if machine.desired != .running {
            machines[name]?.desired = .running
            tell(.machineStarted, .information, machine.owner, "\(name) is to run on \(self.name(of: machine.owner)).", at: place)
        }
        return [.runMachine(machine: name, epoch: machine.epoch, on: machine.owner)]
    }

    mutating func stopMachine(_ name: VMName, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let machine = try machine(name)
        if machine.desired != .stopped {
            machines[name]?.desired = .stopped
            tell(.machineStopped, .information, machine.owner, "\(name) is to be stopped.", at: place)
        }
        return [.stopMachine(machine: name, on: machine.owner)]
    }

    mutating func changeOwner(_ change: OwnerChange, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let machine = try machine(change.machine)
        let destination = try member(change.to)
        guard machine.owner == change.from else {
            throw .notOwner(
                change.machine, claimed: NodeName(unchecked: name(of: change.from)), owner: NodeName(unchecked: name(of: machine.owner)))
        }
        guard machine.epoch < .max, change.epoch == machine.epoch + 1 else {
            throw .staleEpoch(change.machine, proposed: change.epoch, current: machine.epoch)
        }
        guard destination.presence == .up else { throw .nodeIsDown(destination.name, destination.presence) }
        if change.cause == .failover, let source = nodes[change.from] {
            guard source.presence.isHarmless else { throw .nodeMayStillWrite(source.name) }
        }
        machines[change.machine]?.owner = change.to
        machines[change.machine]?.epoch = change.epoch
        machines[change.machine]?.problem = nil
        let route = "from \(name(of: change.from)) to \(destination.name)"
        switch change.cause {
        case .migration:
            tell(.machineMoved, .information, change.to, "\(change.machine) moved \(route).", at: place)
            // Both ends of a migration wait for exactly this entry; they need no order.
            return []
        case .failover:
            tell(.machineMoved, .warning, change.to, "\(change.machine) failed over \(route).", at: place)
        case .reconciliation where change.from == change.to:
            tell(.machineReconciled, .information, change.to, "\(destination.name) renewed its claim to \(change.machine).", at: place)
        case .reconciliation:
            tell(.machineMoved, .warning, change.to, "\(change.machine) was found to belong to \(destination.name).", at: place)
        }
        let written = ClusterEffect.writeOwnership(machine: change.machine, owner: change.to, epoch: change.epoch, on: change.to)
        guard machine.desired == .running else { return [written] }
        return [written, .runMachine(machine: change.machine, epoch: change.epoch, on: change.to)]
    }

    mutating func reconciled(
        _ id: NodeID, _ findings: [ReconciliationFinding], at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        _ = try member(id)
        for finding in findings {
            // A machine deleted or moved while the node looked is no mistake of the node; only the owner's word counts.
            if machines[finding.machine]?.owner == id { machines[finding.machine]?.problem = finding.problem }
            guard let sentence = finding.sentence else { continue }
            let severity = finding.severity ?? (finding.problem == nil ? .information : .warning)
            tell(.machineReconciled, severity, id, sentence, cause: finding.problem, at: place)
        }
        return []
    }
}
