import ClusterModel
import Foundation
import SCSI

/// One of the two copies in an ownership slot.
enum OwnershipCopy: Hashable, Sendable {
    /// Zeros: never written.
    case blank
    case owned(OwnershipRecord)
    /// Given back; the epoch goes on from there.
    case released(epoch: UInt64)
    case unreadable(String)

    private static let magic = Array("APUSOWN1".utf8)
    private static let version: UInt32 = 1
    private static let nameLimit = 63

    /// Volume and slot are part of the record, so that one written to a wrong place is not believed.
    func encoded(volume: UUID, slot: Int) -> [UInt8] {
        let (state, vm, epoch, owner): (UInt32, UUID, UInt64, String)
        switch self {
        case .blank, .unreadable: return [UInt8](repeating: 0, count: VolumeLayout.structureByteCount)
        case .owned(let record): (state, vm, epoch, owner) = (1, record.vmID, record.epoch, record.owner.rawValue)
        case .released(let last): (state, vm, epoch, owner) = (2, noMachine, last, "")
        }
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: state)
        bytes += volume.bytes
        bytes.append(bigEndian: UInt32(slot))
        bytes.append(bigEndian: 0 as UInt32)
        bytes += vm.bytes
        bytes.append(bigEndian: epoch)
        bytes.append(text: owner, limit: Self.nameLimit)
        return bytes.sealed()
    }

    init(parsing bytes: ArraySlice<UInt8>, volume: UUID, slot: Int) {
        do throws(MalformedData) { self = try Self.parse(bytes, volume: volume, slot: slot) } catch { self = .unreadable(error.problem) }
    }

    private static func parse(_ copy: ArraySlice<UInt8>, volume: UUID, slot: Int) throws(MalformedData) -> OwnershipCopy {
        let reader = ByteReader(copy, subject: "The ownership record")
        let bytes = try reader.slice(at: 0, count: VolumeLayout.structureByteCount)
        guard bytes.contains(where: { $0 != 0 }) else { return .blank }
        try reader.checkStructure(magic: magic, version: version)
        guard UUID(bytes: try reader.slice(at: 16, count: 16)) == volume else { throw reader.malformed("it belongs to another volume") }
        let foundSlot: UInt32 = try reader.integer(at: 32)
        guard foundSlot == UInt32(clamping: slot) else { throw reader.malformed("it belongs to slot \(foundSlot)") }
        let epoch: UInt64 = try reader.integer(at: 56)
        let state: UInt32 = try reader.integer(at: 12)
        switch state {
        case 1:
            let name = try reader.text(at: 64, limit: nameLimit)
            guard let owner = try? NodeName(name) else { throw reader.malformed("\"\(name)\" is no node name") }
            return .owned(OwnershipRecord(vmID: UUID(bytes: try reader.slice(at: 40, count: 16)), owner: owner, epoch: epoch))
        case 2: return .released(epoch: epoch)
        default: throw reader.malformed("state \(state)")
        }
    }

    /// Nil for copies that say nothing.
    var epoch: UInt64? {
        switch self {
        case .blank, .unreadable: nil
        case .owned(let record): record.epoch
        case .released(let epoch): epoch
        }
    }
}

private let noMachine = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))

/// Both copies of one slot, and what they mean together.
///
/// A write goes to the copy that does not count now. If it is torn, its checksum is wrong and the other copy still counts; once it is
/// whole, its higher epoch makes it count. So the slot goes from one state to the next at one block, with no state in between.
struct OwnershipCopies: Hashable, Sendable {
    var copies: [OwnershipCopy]

    enum Meaning: Hashable, Sendable {
        case free(lastEpoch: UInt64)
        case owned(OwnershipRecord)
        /// Never taken for free: somebody may own it.
        case unreadable(String)
    }

    /// The index of the copy that counts; nil when none can be read.
    private var current: Int? {
        let epochs = copies.map(\.epoch)
        switch (epochs[0], epochs[1]) {
        case (nil, nil): return nil
        case (_, nil): return 0
        case (nil, _): return 1
        case (let a?, let b?): return a >= b ? 0 : 1
        }
    }

    var meaning: Meaning {
        guard let current else {
            for copy in copies { if case .unreadable(let reason) = copy { return .unreadable(reason) } }
            return .free(lastEpoch: 0)
        }
        if copies[0].epoch == copies[1].epoch, copies[0] != copies[1] {
            return .unreadable("its copies contradict each other at epoch \(copies[0].epoch ?? 0)")
        }
        switch copies[current] {
        case .owned(let record): return .owned(record)
        case .released(let epoch): return .free(lastEpoch: epoch)
        case .blank, .unreadable: return .unreadable("no copy counts")
        }
    }

    /// Where the next write goes.
    var next: Int { current == 0 ? 1 : 0 }

    /// A copy cannot be read although the other can: a write was torn, or a block went bad.
    var isImpaired: Bool { copies.contains { if case .unreadable = $0 { true } else { false } } }
}
