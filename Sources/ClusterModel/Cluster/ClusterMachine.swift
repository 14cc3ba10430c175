import Foundation

/// A virtual machine in the care of the cluster.
public struct ClusterMachine: Hashable, Sendable, Codable {
    public var machine: VirtualMachine
    /// The node that may run it.
    public var owner: NodeID
    /// Counts changes of ownership, as ``OwnershipRecord/epoch`` on the shared disk does.
    public var epoch: UInt64
    public var desired: DesiredState
    /// What the owner last reported that keeps it from being as desired; a sentence.
    public var problem: String?

    public init(machine: VirtualMachine, owner: NodeID, epoch: UInt64, desired: DesiredState, problem: String? = nil) {
        self.machine = machine
        self.owner = owner
        self.epoch = epoch
        self.desired = desired
        self.problem = problem
    }
    public var name: VMName { machine.name }
}

/// What the operator wants a machine to be.
public enum DesiredState: String, Hashable, Sendable, Codable, CaseIterable {
    case running, stopped
}

/// Why a machine gets another owner.
public enum OwnerChangeCause: String, Hashable, Sendable, Codable, CaseIterable {
    /// Moved by its owner, which has let go of it.
    case migration
    /// Its owner is gone and cannot write any more.
    case failover
    /// The shared disk named another owner when nodes returned, and the log follows it.
    case reconciliation
}

/// A shared disk that the cluster has taken into use.
public struct ClusterDisk: Hashable, Sendable, Codable {
    public enum Use: Hashable, Sendable, Codable {
        case witness
        case clusterSharedVolume(id: UUID, label: String)
    }
    public var id: DiskID
    public var use: Use
    public var addedAt: WallTime
    public init(id: DiskID, use: Use, addedAt: WallTime) {
        self.id = id
        self.use = use
        self.addedAt = addedAt
    }
}

/// Something that takes several steps on several nodes and must be finished or undone after a crash.
public struct PendingOperation: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case addNode = "add-node"
        case evictNode = "evict-node"
        case replaceWitness = "replace-witness"
        case drainNode = "drain-node"
        case destroyCluster = "destroy-cluster"
    }
    public var id: UUID
    public var kind: Kind
    /// The node it is about.
    public var subject: NodeID?
    /// The node that drives it.
    public var driver: NodeID
    public var beganAt: WallTime
    /// How far it is; a few words chosen by the driver.
    public var step: String
    /// The step of an operation whose driver has begun anew and knows nothing of it any more.
    public static let abandoned = "abandoned"
    public init(id: UUID, kind: Kind, subject: NodeID?, driver: NodeID, beganAt: WallTime, step: String) {
        self.id = id
        self.kind = kind
        self.subject = subject
        self.driver = driver
        self.beganAt = beganAt
        self.step = step
    }
}
