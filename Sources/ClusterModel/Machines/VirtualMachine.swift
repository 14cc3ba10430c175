import Foundation

/// A machine as the cluster keeps it: its definition, and where its disks and its ownership record lie.
public struct VirtualMachine: Hashable, Sendable, Codable {
    public var definition: VMDefinition
    /// The extent of each disk, by ``VMDisk/name``.
    public var extents: [String: Extent]
    /// UEFI variables; only with ``Firmware/uefi``.
    public var firmwareVariables: Extent?
    /// Where on the shared disks it is written which node may run this machine.
    public var ownershipSlot: OwnershipSlot

    public init(
        definition: VMDefinition, extents: [String: Extent], firmwareVariables: Extent?, ownershipSlot: OwnershipSlot
    ) {
        self.definition = definition
        self.extents = extents
        self.firmwareVariables = firmwareVariables
        self.ownershipSlot = ownershipSlot
    }
    public var name: VMName { definition.name }
}

/// What a machine is doing, as its owner sees it.
public enum VMRunState: String, Hashable, Sendable, Codable, CaseIterable {
    case stopped
    case starting
    case running
    case paused
    /// A disk refused a write or read; QEMU holds the request and the guest waits (`werror=stop`).
    case ioError = "io-error"
    /// Being moved away; runs here until ownership is committed.
    case migrating
    /// Being received; does not run here yet.
    case incoming
    /// Its QEMU ended unexpectedly and the crash policy says to leave it.
    case crashed
    /// Its memory was lost on the way (post-copy); the disk is intact.
    case lost
    /// The owner does not answer, or the shared disk cannot be read.
    case unknown
}

/// A line of `apus vm list`.
public struct VMStatus: Hashable, Sendable, Codable {
    public var machine: VirtualMachine
    public var state: VMRunState
    /// The node that may run it, from the ownership record.
    public var owner: NodeName?
    /// Counts changes of ownership.
    public var epoch: UInt64
    public var processID: Int32?
    /// Why the state is what it is, when that is not obvious; a sentence.
    public var note: String?

    public init(
        machine: VirtualMachine, state: VMRunState, owner: NodeName?, epoch: UInt64, processID: Int32? = nil, note: String? = nil
    ) {
        self.machine = machine
        self.state = state
        self.owner = owner
        self.epoch = epoch
        self.processID = processID
        self.note = note
    }
}
