import ClusterModel

/// What pre-flight looks at. All of it is read before anything is touched.
public struct PreflightFacts: Hashable, Sendable {
    public var machine: VirtualMachine
    public var state: VMRunState
    public var owner: NodeName?
    public var source: NodeFacts
    public var destination: NodeFacts
    /// Names of machines the destination already owns or receives.
    public var machinesOnDestination: [VMName]
    /// Whether another migration of this machine is under way.
    public var isMigrating: Bool

    public init(
        machine: VirtualMachine, state: VMRunState, owner: NodeName?, source: NodeFacts, destination: NodeFacts,
        machinesOnDestination: [VMName], isMigrating: Bool
    ) {
        self.machine = machine
        self.state = state
        self.owner = owner
        self.source = source
        self.destination = destination
        self.machinesOnDestination = machinesOnDestination
        self.isMigrating = isMigrating
    }
}

/// Memory a node keeps for itself: QEMU needs more than the guest's memory, and the host must not swap.
let memoryReserveMiB = 128

/// Why a machine cannot go where it was ordered to; each a sentence. Empty when it may.
public func refusals(of order: MigrationOrder, given facts: PreflightFacts) -> [String] {
    var reasons: [String] = []
    let vm = order.vm
    let destination = order.destination
    if facts.source.node == destination {
        reasons.append("\(vm) is on \(destination) already; name another node with --to.")
        return reasons
    }
    if facts.isMigrating {
        reasons.append("\(vm) is being migrated already; wait for it or cancel it with: apus vm migrate \(vm) --cancel")
    }
    switch facts.state {
    case .running, .paused, .migrating: break
    case .ioError: reasons.append("\(vm) waits for its disk (I/O error); repair the path to the SAN first.")
    default: reasons.append("\(vm) is not running (\(facts.state.rawValue)); start it with: apus vm start \(vm)")
    }
    let definition = facts.machine.definition
    if !facts.destination.machineTypes.contains(definition.machineType) {
        reasons.append(
            "\(destination) cannot build a \(definition.machineType) machine: its QEMU \(facts.destination.qemuVersion) does not know that type. "
                + "Install the same or a newer QEMU there.")
    }
    if !facts.destination.cpuModels.contains(definition.cpuModel) {
        reasons.append(
            "\(destination) cannot run CPU model \(definition.cpuModel) with \(facts.destination.acceleration.rawValue). "
                + "Choose a model that every node offers.")
    }
    if facts.source.acceleration != facts.destination.acceleration {
        reasons.append(
            "\(facts.source.node) runs guests with \(facts.source.acceleration.rawValue), \(destination) with "
                + "\(facts.destination.acceleration.rawValue); a running guest cannot change between them. Stop it and start it there.")
    }
    if order.postCopy {
        for node in [facts.source, facts.destination] where !node.acceptsPostCopy {
            reasons.append(
                "\(node.node) does not allow post-copy. Allow it there with: sysctl vm.unprivileged_userfaultfd=1, or migrate without --post-copy."
            )
        }
    }
    let needed = definition.memoryMiB + memoryReserveMiB
    if facts.destination.memoryAvailableMiB < needed {
        reasons.append(
            "\(destination) has \(facts.destination.memoryAvailableMiB) MiB of memory free, \(vm) needs \(definition.memoryMiB) MiB and "
                + "\(memoryReserveMiB) MiB stay reserved for the host.")
    }
    for bridge in Set(definition.interfaces.map(\.bridge)).sorted() where !facts.destination.bridges.contains(bridge) {
        reasons.append("\(destination) has no bridge \(bridge); create it there, plugged into the same network.")
    }
    for disk in disks(of: facts.machine) where !facts.destination.disks.contains(disk) {
        reasons.append("\(destination) does not see shared disk \(disk); check its path to the SAN with: apus disk list")
    }
    if facts.machinesOnDestination.contains(vm) {
        reasons.append("\(destination) holds a machine called \(vm) already.")
    }
    return reasons
}

/// Every shared disk a machine depends on, sorted.
public func disks(of machine: VirtualMachine) -> [DiskID] {
    var disks = Set(machine.extents.values.map(\.disk))
    if let variables = machine.firmwareVariables { disks.insert(variables.disk) }
    disks.insert(machine.ownershipSlot.disk)
    return disks.sorted()
}
