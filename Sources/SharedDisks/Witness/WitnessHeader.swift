import Foundation
import SCSI

/// What a witness says about itself. Two slots; the valid one with the higher sequence counts.
struct WitnessHeader: Hashable, Sendable {
    enum State: UInt32, Hashable, Sendable {
        /// Being initialised: there is no witness yet.
        case preparing = 1
        case complete = 2
    }
    static let version: UInt32 = 1
    private static let magic = Array("APUSWIT1".utf8)

    var state: State
    /// Rises with every write.
    var sequence: UInt64
    var cluster: UUID
    var clusterName: String
    /// Of one configuration slot, its header included.
    var slotByteCount: UInt64
    /// Drawn at random when the witness was initialised: ``VoteTable/witnessID``.
    var number: UInt64

    init(state: State, sequence: UInt64, cluster: UUID, clusterName: String, slotByteCount: UInt64, number: UInt64) {
        self.state = state
        self.sequence = sequence
        self.cluster = cluster
        self.clusterName = clusterName
        self.slotByteCount = slotByteCount
        self.number = number
    }

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: state.rawValue)
        bytes.append(bigEndian: sequence)
        bytes += cluster.bytes
        bytes.append(bigEndian: slotByteCount)
        bytes.append(bigEndian: number)
        bytes.append(text: clusterName, limit: VolumeHeader.clusterLimit)
        return bytes.sealed()
    }

    init(parsing slot: ArraySlice<UInt8>, diskByteCount: UInt64) throws(MalformedData) {
        let reader = ByteReader(slot.prefix(VolumeLayout.structureByteCount), subject: "The witness header")
        try reader.checkStructure(magic: Self.magic, version: Self.version)
        let stateNumber: UInt32 = try reader.integer(at: 12)
        guard let state = State(rawValue: stateNumber) else { throw reader.malformed("state \(stateNumber)") }
        self.state = state
        sequence = try reader.integer(at: 16)
        cluster = UUID(bytes: try reader.slice(at: 24, count: 16))
        slotByteCount = try reader.integer(at: 40)
        number = try reader.integer(at: 48)
        clusterName = try reader.text(at: 56, limit: VolumeHeader.clusterLimit)
        guard (WitnessLayout.smallestSlot...WitnessLayout.largestSlot).contains(slotByteCount),
            slotByteCount % WitnessLayout.mebibyte == 0, WitnessLayout.slotOffset + 2 * slotByteCount <= diskByteCount
        else { throw reader.malformed("slots of \(slotByteCount) bytes") }
    }
}

/// Both header slots as they were found.
struct WitnessHeaderSlots: Sendable {
    var slots: [Result<WitnessHeader, MalformedData>]

    init(parsing bytes: [UInt8], diskByteCount: UInt64) {
        let stride = Int(WitnessLayout.stride)
        slots = [bytes.prefix(stride), bytes.dropFirst(stride)].map { slot in
            Result { () throws(MalformedData) in try WitnessHeader(parsing: slot, diskByteCount: diskByteCount) }
        }
    }

    var header: WitnessHeader? { slots.compactMap { try? $0.get() }.max { $0.sequence < $1.sequence } }

    /// Why there is none.
    var problem: String {
        for slot in slots { if case .failure(let error) = slot { return error.problem } }
        return "it is missing"
    }
}
