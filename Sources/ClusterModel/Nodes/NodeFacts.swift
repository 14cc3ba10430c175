/// How guests are executed on a node. Found by starting one: that `/dev/kvm` opens proves nothing.
public enum Acceleration: String, Hashable, Sendable, Codable, CaseIterable {
    case kvm
    /// QEMU's translator: works everywhere, many times slower.
    case tcg
}

/// What a node can offer to a machine that comes to it.
public struct NodeFacts: Hashable, Sendable, Codable {
    public var node: NodeName
    public var apusVersion: String
    public var qemuVersion: String
    public var acceleration: Acceleration
    /// Why this acceleration is used: a sentence.
    public var accelerationEvidence: String
    /// Versioned machine types of its QEMU.
    public var machineTypes: [String]
    /// CPU models its QEMU can run with this acceleration.
    public var cpuModels: [String]
    public var memoryTotalMiB: Int
    /// What a new machine could take now (`MemAvailable`, proc(5)).
    public var memoryAvailableMiB: Int
    public var bridges: [String]
    /// Shared disks it has a session to.
    public var disks: [DiskID]
    public var machinesRunning: Int
    /// Whether its kernel lets QEMU receive by post-copy (`vm.unprivileged_userfaultfd`).
    public var acceptsPostCopy: Bool

    public init(
        node: NodeName, apusVersion: String, qemuVersion: String, acceleration: Acceleration, accelerationEvidence: String,
        machineTypes: [String],
        cpuModels: [String], memoryTotalMiB: Int, memoryAvailableMiB: Int, bridges: [String], disks: [DiskID], machinesRunning: Int,
        acceptsPostCopy: Bool
    ) {
        self.node = node
        self.apusVersion = apusVersion
        self.qemuVersion = qemuVersion
        self.acceleration = acceleration
        self.accelerationEvidence = accelerationEvidence
        self.machineTypes = machineTypes
        self.cpuModels = cpuModels
        self.memoryTotalMiB = memoryTotalMiB
        self.memoryAvailableMiB = memoryAvailableMiB
        self.bridges = bridges
        self.disks = disks
        self.machinesRunning = machinesRunning
        self.acceptsPostCopy = acceptsPostCopy
    }
}

/// A line of `apus node list`.
public struct NodeStatus: Hashable, Sendable, Codable {
    public var name: NodeName
    public var address: String
    /// nil when the node did not answer in time.
    public var facts: NodeFacts?
    /// Why it did not answer.
    public var problem: String?
    /// The node that writes volume metadata.
    public var isCoordinator: Bool
    public init(name: NodeName, address: String, facts: NodeFacts?, problem: String?, isCoordinator: Bool) {
        self.name = name
        self.address = address
        self.facts = facts
        self.problem = problem
        self.isCoordinator = isCoordinator
    }
}
