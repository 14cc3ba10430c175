import ClusterModel
import Foundation
import SCSI

extension ClusterSharedVolume {
    /// Reads who owns the machine of a slot, from the disk.
    ///
    /// - Returns: Nil when the slot is free.
    /// - Throws: ``VolumeError/recordUnreadable(_:_:)`` when neither copy can be trusted: that is never the same as free.
    public func readOwnership(_ slot: OwnershipSlot) async throws(VolumeError) -> OwnershipRecord? {
        switch try await copies(slot).meaning {
        case .owned(let record): return record
        case .free: return nil
        case .unreadable(let why): throw .recordUnreadable(slot, why)
        }
    }

    /// Coordinator only: takes a free slot for a machine, with a first record that names its owner.
    public func claimSlot(vmID: UUID, owner: NodeName, within limit: Duration = .seconds(5)) async throws(VolumeError) -> OwnershipSlot {
        try await gate.run { () throws(VolumeError) in
            let slots = try await self.allCopies()
            for (index, copies) in slots.enumerated() {
                if case .owned(let record) = copies.meaning, record.vmID == vmID {
                    throw .alreadyOwned(vmID, OwnershipSlot(disk: self.disk.id, index: index))
                }
            }
            for (index, copies) in slots.enumerated() {
                guard case .free(let epoch) = copies.meaning, await !self.isUnresolved(index) else { continue }
                let slot = OwnershipSlot(disk: self.disk.id, index: index)
                try await self.put(
                    .owned(OwnershipRecord(vmID: vmID, owner: owner, epoch: epoch + 1)), copies: copies, in: slot, within: limit)
                return slot
            }
            throw .noFreeSlot(volume: self.label)
        }
    }

    /// Coordinator only: gives a slot back. Its epoch goes on rising, so that a late write of the old owner can be told.
    ///
    /// - Parameter evenIfUnreadable: The operator has made sure that the machine runs nowhere.
    public func clearSlot(
        _ slot: OwnershipSlot, evenIfUnreadable: Bool = false, within limit: Duration = .seconds(5)
    ) async throws(VolumeError) {
        try await gate.run { () throws(VolumeError) in
            let copies = try await self.copies(slot)
            switch copies.meaning {
            case .free: return
            case .owned(let record): try await self.put(.released(epoch: record.epoch + 1), copies: copies, in: slot, within: limit)
            case .unreadable(let why):
                guard evenIfUnreadable else { throw .recordUnreadable(slot, why) }
                let epoch = (copies.copies.compactMap(\.epoch).max() ?? 0) + 1
                for _ in 0..<2 {
                    // Both copies: contradicting ones would contradict on.
                    try await self.put(.released(epoch: epoch), copies: try await self.copies(slot), in: slot, within: limit)
                }
            }
        }
    }

    /// Changes the record of a machine; the caller is its owner.
    ///
    /// Refused unless the slot belongs to the same machine and the epoch is higher than the one on the disk.
    /// - Throws: ``OwnershipWriteError/notWritten(_:)`` when the old record certainly stands; ``OwnershipWriteError/unknown(_:)`` when
    ///   only ``resolveAmbiguousWrite(_:within:)`` can tell. Nothing more is written to the slot before that.
    public func writeOwnership(
        _ slot: OwnershipSlot, _ record: OwnershipRecord, within limit: Duration = .seconds(5)
    ) async throws(OwnershipWriteError) {
        guard !unresolved.contains(slot.index) else { throw .notWritten(Self.stillUnknown) }
        let deadline = ContinuousClock.now.advanced(by: limit)
        let copies: OwnershipCopies
        do throws(VolumeError) { copies = try await self.copies(slot, within: limit) } catch { throw .notWritten(error.description) }
        guard case .owned(let current) = copies.meaning else {
            throw .notWritten(VolumeError.notOwned(slot).description)
        }
        guard current.vmID == record.vmID else { throw .notWritten("the slot belongs to machine \(current.vmID).") }
        guard record.epoch > current.epoch else {
            throw .notWritten("the disk has epoch \(current.epoch) of \(current.owner) already, not lower than \(record.epoch).")
        }
        try await write(.owned(record), copies: copies, in: slot, within: deadline - .now)
    }

    /// Finds out what became of a write with an unknown outcome.
    ///
    /// LOGICAL UNIT RESET, answer awaited: no write sent before can land after it. Then the record is read. If the transport is lost,
    /// open the volume through its successor and call this there; ``ISCSISession/reopen(within:)`` makes one that also ends whatever
    /// the target still has of the lost session.
    /// - Returns: The record that stands now.
    public func resolveAmbiguousWrite(
        _ slot: OwnershipSlot, within limit: Duration = .seconds(10)
    ) async throws(VolumeError) -> OwnershipRecord? {
        do throws(SharedDiskError) { try await disk.resetBarrier(within: limit) } catch { throw .disk(error) }
        let record = try await readOwnership(slot)
        unresolved.remove(slot.index)
        return record
    }

    // MARK: Slots

    private static let stillUnknown = "the outcome of an earlier write is still unknown; it has to be resolved first."

    private func isUnresolved(_ index: Int) -> Bool { unresolved.contains(index) }

    private func put(
        _ copy: OwnershipCopy, copies: OwnershipCopies, in slot: OwnershipSlot, within limit: Duration
    ) async throws(VolumeError) {
        do throws(OwnershipWriteError) {
            try await write(copy, copies: copies, in: slot, within: limit)
        } catch { throw .writeFailed(slot, error) }
    }

    /// One block, once.
    private func write(
        _ copy: OwnershipCopy, copies: OwnershipCopies, in slot: OwnershipSlot, within limit: Duration
    ) async throws(OwnershipWriteError) {
        guard !unresolved.contains(slot.index) else { throw .notWritten(Self.stillUnknown) }
        guard slotsBeingWritten.insert(slot.index).inserted else { throw .notWritten("another write of this record is under way.") }
        defer { slotsBeingWritten.remove(slot.index) }
        let offset = VolumeLayout.ownershipOffset(slot: slot.index, copy: copies.next)
        do throws(SharedDiskError) {
            try await disk.writeOnce(
                byteOffset: offset, block: disk.block(copy.encoded(volume: id, slot: slot.index)), within: limit)
        } catch {
            guard error.outcome == .unknown else { throw .notWritten(error.description) }
            unresolved.insert(slot.index)
            throw .unknown(error.description)
        }
    }

    private func copies(_ slot: OwnershipSlot, within limit: Duration? = nil) async throws(VolumeError) -> OwnershipCopies {
        guard slot.disk == disk.id else { throw .wrongDisk(slot, volume: label) }
        guard (0..<VolumeLayout.ownershipSlotCount).contains(slot.index) else { throw .noSuchSlot(slot) }
        var disk = disk
        disk.commandLimit = limit ?? disk.commandLimit
        do throws(SharedDiskError) {
            let bytes = try await disk.read(
                byteOffset: VolumeLayout.ownershipOffset(slot: slot.index, copy: 0), count: Int(VolumeLayout.stride) * 2)
            return OwnershipCopies(parsing: bytes[...], volume: id, slot: slot.index)
        } catch { throw .disk(error) }
    }

    private func allCopies() async throws(VolumeError) -> [OwnershipCopies] {
        let size = Int(VolumeLayout.stride) * 2
        do throws(SharedDiskError) {
            let bytes = try await disk.read(byteOffset: VolumeLayout.ownershipOffset, count: Int(VolumeLayout.ownershipByteCount))
            return (0..<VolumeLayout.ownershipSlotCount).map {
                OwnershipCopies(parsing: bytes[$0 * size..<($0 + 1) * size], volume: id, slot: $0)
            }
        } catch { throw .disk(error) }
    }
}

extension OwnershipCopies {
    /// Needs two strides of bytes.
    init(parsing bytes: ArraySlice<UInt8>, volume: UUID, slot: Int) {
        let stride = Int(VolumeLayout.stride)
        copies = [bytes.prefix(stride), bytes.dropFirst(stride)].map { OwnershipCopy(parsing: $0, volume: volume, slot: slot) }
    }
}
