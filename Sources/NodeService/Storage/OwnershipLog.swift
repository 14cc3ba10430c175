import ClusterModel

/// Where it stands which node may run a machine, and how that changes.
///
/// A node with a fixed list of nodes has the records on the shared disks alone (``DiskOwnership``); a member of a cluster has the
/// replicated configuration before them (``ReplicatedOwnership``). Docs/decisions/0002.
package protocol OwnershipLog: Sendable {
    /// Who may run it. A node that runs a machine has read its own name here.
    func read(_ machine: VirtualMachine) async throws -> OwnershipRecord
    /// The same, for a destination that its source ordered to run a machine under this epoch.
    func read(_ machine: VirtualMachine, orderedUnder epoch: UInt64) async throws -> OwnershipRecord
    /// Names the next owner; the caller owns the machine and has let go of it. Returns when the outcome is certain, or when it is certain
    /// that only forward is possible, which is what ``OwnershipWrite/unknown(_:)`` means.
    func handOver(_ machine: VirtualMachine, to successor: OwnershipRecord) async -> OwnershipWrite
    /// Names an owner so that no change that was ordered before can count any more.
    ///
    /// - Parameter record: Its epoch is the least that the new record gets.
    /// - Returns: What stands now.
    func outrank(_ current: OwnershipRecord, with record: OwnershipRecord, of machine: VirtualMachine) async throws -> OwnershipRecord
    /// What stands, after everything that an earlier process of this node may still be changing has ended.
    func resolve(_ machine: VirtualMachine) async throws -> OwnershipRecord

    /// A machine came into being; its first record, for `record`'s owner, is on the disk.
    func add(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws
    /// It is to be deleted; its record and its extents are released afterwards.
    func remove(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws
    /// What the operator wants it to be.
    func want(_ desired: DesiredState, of machine: VMName, requestedBy: String?) async throws
}

/// What is certain about a change of ownership.
package enum OwnershipWrite: Hashable, Sendable {
    case written
    /// The owner is who it was.
    case notWritten(String)
    /// It may have been written, or may yet be.
    case unknown(String)
}

/// The records on the shared disks, and nothing else.
struct DiskOwnership: OwnershipLog {
    let storage: StorageAccess

    func read(_ machine: VirtualMachine) async throws -> OwnershipRecord {
        try await storage.readOwnership(machine.ownershipSlot, of: machine.definition.id)
    }
    func read(_ machine: VirtualMachine, orderedUnder epoch: UInt64) async throws -> OwnershipRecord { try await read(machine) }
    func handOver(_ machine: VirtualMachine, to successor: OwnershipRecord) async -> OwnershipWrite {
        await storage.writeOwnership(successor, in: machine.ownershipSlot)
    }
    func outrank(_ current: OwnershipRecord, with record: OwnershipRecord, of machine: VirtualMachine) async throws -> OwnershipRecord {
        try await storage.outrank(current, with: record, in: machine.ownershipSlot)
        return record
    }
    func resolve(_ machine: VirtualMachine) async throws -> OwnershipRecord {
        try await storage.resolveOwnership(machine.ownershipSlot, of: machine.definition.id)
    }

    // The record and the node's own store say all there is.
    func add(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {}
    func remove(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {}
    func want(_ desired: DesiredState, of machine: VMName, requestedBy: String?) async throws {}
}
