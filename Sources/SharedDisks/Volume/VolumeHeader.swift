import Foundation
import SCSI

/// What a Cluster Shared Volume says about itself. Two slots; the valid one with the higher sequence counts.
struct VolumeHeader: Hashable, Sendable {
    enum State: UInt32, Hashable, Sendable {
        /// Being initialised. Without a partition table the disk is as good as empty.
        case preparing = 1
        case complete = 2
    }
    static let version: UInt32 = 1
    static let labelLimit = 63
    static let clusterLimit = 127
    private static let magic = Array("APUSVOL1".utf8)

    var state: State
    /// Rises with every write.
    var sequence: UInt64
    var id: UUID
    /// Of the cluster that owns the volume; rises when it takes the volume over from another.
    var epoch: UInt64
    var label: String
    var cluster: String

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: state.rawValue)
        bytes.append(bigEndian: sequence)
        bytes += id.bytes
        bytes.append(bigEndian: epoch)
        bytes.append(text: label, limit: Self.labelLimit)
        bytes.append(text: cluster, limit: Self.clusterLimit)
        return bytes.sealed()
    }

    /// Nil when all is zero.
    init?(parsing slot: ArraySlice<UInt8>) throws(MalformedData) {
        let reader = ByteReader(slot, subject: "The volume header")
        let bytes = try reader.slice(at: 0, count: VolumeLayout.structureByteCount)
        guard bytes.contains(where: { $0 != 0 }) else { return nil }
        try reader.checkStructure(magic: Self.magic, version: Self.version)
        let stateNumber: UInt32 = try reader.integer(at: 12)
        guard let state = State(rawValue: stateNumber) else { throw reader.malformed("state \(stateNumber)") }
        self.state = state
        sequence = try reader.integer(at: 16)
        id = UUID(bytes: try reader.slice(at: 24, count: 16))
        epoch = try reader.integer(at: 40)
        label = try reader.text(at: 48, limit: Self.labelLimit)
        cluster = try reader.text(at: 48 + 4 + Self.labelLimit, limit: Self.clusterLimit)
    }

    init(state: State, sequence: UInt64, id: UUID, epoch: UInt64, label: String, cluster: String) {
        self.state = state
        self.sequence = sequence
        self.id = id
        self.epoch = epoch
        self.label = label
        self.cluster = cluster
    }
}

/// Both header slots as they were found.
struct VolumeHeaderSlots: Sendable {
    var slots: [Result<VolumeHeader?, MalformedData>]

    init(parsing bytes: [UInt8]) {
        slots = [0, Int(VolumeLayout.stride)].map { start in
            Result { () throws(MalformedData) in
                try VolumeHeader(
                    parsing: try ByteReader(bytes, subject: "The volume header").slice(
                        at: start, count: VolumeLayout.structureByteCount))
            }
        }
    }

    var header: VolumeHeader? { slots.compactMap { try? $0.get() }.max { $0.sequence < $1.sequence } }

    /// Why there is none.
    var problem: String {
        for slot in slots { if case .failure(let error) = slot { return error.problem } }
        return "it is missing"
    }

    var defects: [String] {
        guard let header else { return [] }
        return slots.enumerated().compactMap { index, slot in
            switch slot {
            case .success(let found) where found == header: nil
            case .success(nil): "header slot \(index) is blank"
            case .success: "header slot \(index) is out of date"
            case .failure(let error): "header slot \(index) is damaged: \(error.problem)"
            }
        }
    }
}
