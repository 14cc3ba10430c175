import ClusterModel
import Foundation

/// Why a Cluster Shared Volume could not be made, opened or changed.
public enum VolumeError: Error, Hashable, CustomStringConvertible {
    case disk(SharedDiskError)
    /// It carries something that initialising would destroy.
    case wouldDestroy(DiskID, content: String)
    case notAVolume(DiskID, content: String)
    case damaged(DiskID, String)
    case tooSmall(DiskID, byteCount: UInt64, needed: UInt64)
    case invalidLabel(String)
    case invalidClusterName(String)
    case invalidExtentName(String, reason: String)
    case duplicateExtent(String, volume: String)
    case unknownExtent(String, volume: String)
    case noRoom(volume: String, asked: UInt64, largestFreeRun: UInt64, free: UInt64)
    case tooManyExtents(volume: String)
    case wrongDisk(OwnershipSlot, volume: String)
    case noSuchSlot(OwnershipSlot)
    case noFreeSlot(volume: String)
    case alreadyOwned(UUID, OwnershipSlot)
    case notOwned(OwnershipSlot)
    /// Neither copy can be trusted; nobody may conclude that the machine is free.
    case recordUnreadable(OwnershipSlot, String)
    case writeFailed(OwnershipSlot, OwnershipWriteError)

    public var description: String {
        switch self {
        case .disk(let error): error.description
        case .wouldDestroy(let id, let content):
            "\(id) carries \(content). Nothing was written. If it can go, say so with --force: everything on the disk will be lost."
        case .notAVolume(let id, let content): "\(id) is no Cluster Shared Volume: it carries \(content)."
        case .damaged(let id, let what): "The metadata of \(id) cannot be trusted: \(what). Nothing was changed."
        case .tooSmall(let id, let count, let needed):
            "\(id) has \(size(count)); a Cluster Shared Volume needs at least \(size(needed))."
        case .invalidLabel(let text):
            "\"\(text)\" is no volume label: use 1 to 63 lower-case letters, digits and hyphens, "
                + "starting and ending with a letter or digit."
        case .invalidClusterName(let text): "\"\(text)\" is no cluster name: use 1 to 127 bytes without control characters."
        case .invalidExtentName(let name, let reason): "An extent cannot be called \"\(name)\": \(reason)."
        case .duplicateExtent(let name, let volume): "\(volume) has an extent \(name) already."
        case .unknownExtent(let name, let volume): "\(volume) has no extent \(name)."
        case .noRoom(let volume, let asked, let largest, let free):
            "\(volume) has no room for \(size(asked)): the largest free run is \(size(largest)), \(size(free)) are free in all."
        case .tooManyExtents(let volume): "\(volume) has as many extents as its table holds (\(PartitionTable.entryCount - 1))."
        case .wrongDisk(let slot, let volume): "Ownership slot \(slot.index) belongs to \(slot.disk), not to \(volume)."
        case .noSuchSlot(let slot): "\(slot.disk) has no ownership slot \(slot.index)."
        case .noFreeSlot(let volume): "\(volume) has no free ownership slot: all \(VolumeLayout.ownershipSlotCount) are taken."
        case .alreadyOwned(let vm, let slot): "Machine \(vm) has ownership slot \(slot.index) of \(slot.disk) already."
        case .notOwned(let slot): "Ownership slot \(slot.index) of \(slot.disk) names no owner."
        case .recordUnreadable(let slot, let why):
            "Ownership slot \(slot.index) of \(slot.disk) cannot be read: \(why). Its machine is not started anywhere until an "
                + "operator has made sure that it runs nowhere and clears the record."
        case .writeFailed(let slot, let error): "Ownership slot \(slot.index) of \(slot.disk): \(error)"
        }
    }

    private func size(_ bytes: UInt64) -> String {
        bytes >= 10 << 30 ? "\(bytes >> 30) GiB" : bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes) bytes"
    }
}

/// What became of a change of ownership that did not succeed. The difference decides whether a machine may go on running.
public enum OwnershipWriteError: Error, Hashable, CustomStringConvertible {
    /// The record on the disk is what it was.
    case notWritten(String)
    /// The record may be the old one or the new one, and the new one may still land. Only
    /// ``ClusterSharedVolume/resolveAmbiguousWrite(_:within:)`` tells which.
    case unknown(String)

    public var description: String {
        switch self {
        case .notWritten(let reason): "The change of ownership was not written: \(reason)"
        case .unknown(let reason): "Whether the change of ownership was written is not known: \(reason)"
        }
    }
}
