import ClusterModel
import Foundation

/// All that a node answers, whoever asks, but for validations: ``ValidationOperations``.
public typealias NodeOperations = OperatorOperations & PeerOperations & FormingOperations & JoinOperations & MemberOperations
    & ClusterStatusOperations

/// Everything an operator can ask of a cluster, at any of its nodes: a node that is not the owner passes the request on.
///
/// `apusd` carries it out, `NodeServer` offers it over HTTP, `NodeClient` is the same protocol from the other side.
public protocol OperatorOperations: Sendable {
    /// Every configured node; one that does not answer within two seconds is listed with the reason.
    func nodes() async throws(APIError) -> [NodeStatus]

    /// Every machine of the cluster, sorted by name.
    func machines() async throws(APIError) -> [VMStatus]
    func machine(_ name: VMName) async throws(APIError) -> VMStatus
    /// Allocates extents and an ownership record, writes the image, if any, into the first disk. The machine is left stopped.
    func createMachine(_ request: CreateMachineRequest) async throws(APIError) -> VMStatus
    /// Gives back its extents. Refused unless it is stopped.
    func deleteMachine(_ name: VMName) async throws(APIError)
    func startMachine(_ name: VMName) async throws(APIError) -> VMStatus
    /// Asks the guest to shut down (ACPI) and waits; with `force` ends it at once.
    func stopMachine(_ name: VMName, force: Bool) async throws(APIError) -> VMStatus

    func planMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationPlan
    /// Accepts the order and returns at once; pre-flight refusals come back as ``APIError`` with ``APIError/Code/refused``.
    func startMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationStatus
    /// The same migration again and again while it changes, ending with one that has a record. Ends after `id` ended.
    func followMigration(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<MigrationStatus, any Error>
    /// Refused once switchover has begun.
    func cancelMigration(of vm: VMName) async throws(APIError) -> MigrationStatus
    /// Newest first; those under way and the last hundred that ended, over all nodes.
    func migrations() async throws(APIError) -> [MigrationStatus]

    func disks() async throws(APIError) -> [SharedDiskStatus]
    /// Makes an empty disk a Cluster Shared Volume. A disk with foreign content is refused unless `force` is set.
    func initializeDisk(_ request: InitializeDiskRequest) async throws(APIError) -> SharedDiskStatus
}

/// What nodes ask of each other; offered only over mutual TLS to holders of a node certificate.
public protocol PeerOperations: Sendable {
    /// Facts of this node alone.
    func facts() async throws(APIError) -> NodeFacts
    /// Machines that this node owns or receives.
    func ownMachines() async throws(APIError) -> [VMStatus]
    /// Migrations that this node sends or has sent.
    func ownMigrations() async throws(APIError) -> [MigrationStatus]

    /// Coordinator only: gives room on a Cluster Shared Volume and an ownership record that names `owner`.
    func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine
    /// Coordinator only: takes back what ``allocate(_:)`` gave.
    func release(_ machine: VirtualMachine) async throws(APIError)

    /// Builds the machine ready to receive memory. Idempotent for the same migration.
    func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady
    /// Told after ownership was committed: run it, and hand it the frames. Idempotent.
    func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply
    /// Frames that still reached the source after the machine resumed.
    func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply
    /// Post-copy whose link broke: opens a new port to go on through.
    func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady
    /// The source keeps the machine: throw the half-received one away. Idempotent; refused if this node owns the machine.
    func discardIncoming(_ migration: UUID, reason: String) async throws(APIError)
    func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState
    /// Opens a TCP port on the migration address that swallows what comes, for up to two seconds.
    func openLinkTest() async throws(APIError) -> LinkTestReady
}

public struct CreateMachineRequest: Hashable, Sendable, Codable {
    public var definition: VMDefinition
    /// A Cluster Shared Volume by its label; nil picks the one with the most room.
    public var volume: String?
    /// A raw image on the node that is asked, to be written into the first disk.
    public var image: String?
    public init(definition: VMDefinition, volume: String? = nil, image: String? = nil) {
        self.definition = definition
        self.volume = volume
        self.image = image
    }
}

public struct InitializeDiskRequest: Hashable, Sendable, Codable {
    public var disk: DiskID
    /// How operators will call the volume.
    public var label: String
    /// Destroy foreign content.
    public var force: Bool
    public init(disk: DiskID, label: String, force: Bool = false) {
        self.disk = disk
        self.label = label
        self.force = force
    }
}

public struct AllocationRequest: Hashable, Sendable, Codable {
    public var definition: VMDefinition
    public var volume: String?
    public var owner: NodeName
    public init(definition: VMDefinition, volume: String?, owner: NodeName) {
        self.definition = definition
        self.volume = volume
        self.owner = owner
    }
}

/// The source's question to the destination.
public struct IncomingOffer: Hashable, Sendable, Codable {
    public var migration: UUID
    public var machine: VirtualMachine
    public var source: NodeName
    /// The ownership epoch while the source owns it; the destination runs the machine only under a higher one that names it.
    public var epoch: UInt64
    public var acceleration: Acceleration
    public var qemuVersion: String
    public var postCopy: Bool
    public init(
        migration: UUID, machine: VirtualMachine, source: NodeName, epoch: UInt64, acceleration: Acceleration, qemuVersion: String,
        postCopy: Bool
    ) {
        self.migration = migration
        self.machine = machine
        self.source = source
        self.epoch = epoch
        self.acceleration = acceleration
        self.qemuVersion = qemuVersion
        self.postCopy = postCopy
    }
}

public struct IncomingReady: Hashable, Sendable, Codable {
    /// `ADDRESS` on the migration network.
    public var address: String
    public var port: Int
    public init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}

public struct ResumeRequest: Hashable, Sendable, Codable {
    public var migration: UUID
    /// The epoch that was committed for the destination.
    public var epoch: UInt64
    public var frames: [CapturedFrame]
    public init(migration: UUID, epoch: UInt64, frames: [CapturedFrame]) {
        self.migration = migration
        self.epoch = epoch
        self.frames = frames
    }
}

/// A frame on its way to the guest, as the packet socket of its adapter delivered it.
public struct CapturedFrame: Hashable, Sendable, Codable {
    /// ``VMInterface/name``.
    public var interface: String
    /// `virtio_net_hdr` (10 bytes, linux/virtio_net.h) followed by the Ethernet frame.
    public var bytes: Data
    public init(interface: String, bytes: Data) {
        self.interface = interface
        self.bytes = bytes
    }
}

public struct ResumeReply: Hashable, Sendable, Codable {
    /// From asking QEMU to run the machine to its RESUME event.
    public var resumeMilliseconds: Double
    /// Set when the destination could not run it, because its copy is gone: it handed ownership back under this epoch.
    public var returnedEpoch: UInt64?
    public init(resumeMilliseconds: Double, returnedEpoch: UInt64? = nil) {
        self.resumeMilliseconds = resumeMilliseconds
        self.returnedEpoch = returnedEpoch
    }
}

public struct FrameDelivery: Hashable, Sendable, Codable {
    public var migration: UUID
    public var frames: [CapturedFrame]
    public init(migration: UUID, frames: [CapturedFrame]) {
        self.migration = migration
        self.frames = frames
    }
}

public struct FrameReply: Hashable, Sendable, Codable {
    /// From the machine's resumption here to the first frame the guest sent here; nil while it sent none.
    public var firstFrameMilliseconds: Double?
    public init(firstFrameMilliseconds: Double?) { self.firstFrameMilliseconds = firstFrameMilliseconds }
}

public struct IncomingState: Hashable, Sendable, Codable {
    public enum Phase: String, Hashable, Sendable, Codable {
        case waiting
        case receiving
        /// All of the machine is here; it waits for ownership.
        case received
        case running
        case failed
        case unknown
    }
    public var phase: Phase
    public var note: String?
    public init(phase: Phase, note: String? = nil) {
        self.phase = phase
        self.note = note
    }
}

public struct LinkTestReady: Hashable, Sendable, Codable {
    public var address: String
    public var port: Int
    public init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}
