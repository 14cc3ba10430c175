import ClusterModel
import Foundation
import SCSI

/// The witness's copy of the configuration: how far it is, and the bytes. What they mean is for the log to know.
public struct WitnessContent: Hashable, Sendable {
    public var position: ReplicaPosition
    /// The highest index known to be committed.
    public var committed: UInt64
    public var payload: [UInt8]
    public init(position: ReplicaPosition = ReplicaPosition(), committed: UInt64 = 0, payload: [UInt8] = []) {
        self.position = position
        self.committed = committed
        self.payload = payload
    }
}

/// What reading the witness gave.
public struct WitnessReading: Hashable, Sendable {
    public var content: WitnessContent
    /// Rises by one with every write.
    public var sequence: UInt64
    /// The other slot may have held something newer, which is lost: bytes of a write that was complete went bad.
    ///
    /// A torn write does not do this. It leaves the header of the write before in its slot, which is older than the other slot.
    /// Where this is true the witness must not be the only replica that speaks for an acknowledged entry.
    public var mayBeStale: Bool
    /// What is wrong with the slots, each a sentence; the next writes mend it.
    public var defects: [String]
    public init(content: WitnessContent, sequence: UInt64, mayBeStale: Bool, defects: [String]) {
        self.content = content
        self.sequence = sequence
        self.mayBeStale = mayBeStale
        self.defects = defects
    }
}

/// The header of one configuration slot. Written last, so a slot whose payload fits it was written whole.
struct WitnessSlotHeader: Hashable, Sendable {
    static let version: UInt32 = 1
    private static let magic = Array("APUSWSL1".utf8)

    var cluster: UUID
    var sequence: UInt64
    var position: ReplicaPosition
    var committed: UInt64
    var payloadByteCount: UInt64
    var payloadChecksum: UInt32

    init(_ content: WitnessContent, cluster: UUID, sequence: UInt64) {
        self.cluster = cluster
        self.sequence = sequence
        position = content.position
        committed = content.committed
        payloadByteCount = UInt64(content.payload.count)
        payloadChecksum = content.payload.withUnsafeBytes { CRC32.checksum($0) }
    }

    /// Whether both were written with the same configuration.
    func hasContent(of other: WitnessSlotHeader) -> Bool {
        position == other.position && committed == other.committed && payloadByteCount == other.payloadByteCount
            && payloadChecksum == other.payloadChecksum
    }

    /// - Parameter slot: Its index is part of the header, so that one written to a wrong place is not believed.
    func encoded(slot: Int) -> [UInt8] {
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: UInt32(slot))
        bytes += cluster.bytes
        for number in [
            sequence, position.promised, position.adopted, position.lastIndex, position.chain, committed, payloadByteCount,
        ] { bytes.append(bigEndian: number) }
        bytes.append(bigEndian: payloadChecksum)
        return bytes.sealed()
    }

    /// - Parameter limit: What a slot has room for, in bytes of payload.
    init(parsing bytes: ArraySlice<UInt8>, slot: Int, cluster: UUID, limit: UInt64) throws(MalformedData) {
        let reader = ByteReader(bytes.prefix(VolumeLayout.structureByteCount), subject: "The configuration slot")
        try reader.checkStructure(magic: Self.magic, version: Self.version)
        let found: UInt32 = try reader.integer(at: 12)
        guard found == UInt32(slot) else { throw reader.malformed("it belongs to slot \(found)") }
        self.cluster = UUID(bytes: try reader.slice(at: 16, count: 16))
        guard self.cluster == cluster else { throw reader.malformed("it belongs to another cluster") }
        sequence = try reader.integer(at: 32)
        position = ReplicaPosition(
            promised: try reader.integer(at: 40), adopted: try reader.integer(at: 48), lastIndex: try reader.integer(at: 56),
            chain: try reader.integer(at: 64))
        committed = try reader.integer(at: 72)
        payloadByteCount = try reader.integer(at: 80)
        payloadChecksum = try reader.integer(at: 88)
        guard payloadByteCount <= limit else { throw reader.malformed("it claims \(payloadByteCount) bytes of payload") }
    }
}

/// Both slots, and what they mean together.
///
/// A write goes to the slot that does not count: payload first, then, when that is durable, the header. Torn before the header, the slot
/// has the header of two writes ago with a payload that does not fit, and the other one counts, as it should. The header is one block.
struct WitnessSlots: Sendable {
    enum Slot: Sendable {
        case whole(WitnessSlotHeader, payload: [UInt8])
        /// The header can be read and the payload is not what it says.
        case torn(WitnessSlotHeader)
        case unreadable(String)

        var header: WitnessSlotHeader? {
            switch self {
            case .whole(let header, _), .torn(let header): header
            case .unreadable: nil
            }
        }
    }
    var slots: [Slot]

    /// Nil when no slot can be trusted: never the same as an empty configuration, which is a slot with an empty payload.
    func newest() -> WitnessReading? {
        let whole = slots.compactMap { slot in if case .whole(let header, let payload) = slot { (header, payload) } else { nil } }
        guard let (header, payload) = whole.max(by: { $0.0.sequence < $1.0.sequence }) else { return nil }
        let doubtful = slots.contains { slot in
            switch slot {
            case .whole: false
            // When nothing happens both slots get the same content: then nothing newer is lost with one of them.
            case .torn(let other): other.sequence > header.sequence && !other.hasContent(of: header)
            case .unreadable: true
            }
        }
        return WitnessReading(
            content: WitnessContent(position: header.position, committed: header.committed, payload: payload), sequence: header.sequence,
            mayBeStale: doubtful, defects: defects)
    }

    /// Whether a configuration may be written over what is there. A node whose service stood still while another one held the witness, and
    /// which holds it again, may not have heard yet that it has to read it first.
    func check(_ new: ReplicaPosition, on name: String) throws(WitnessError) {
        guard let has = newest()?.content.position, has.isAhead(of: new) || has.promised > new.promised else { return }
        throw .wouldGoBack(name, has: has, new: new)
    }

    /// Where the next write goes: never over the only slot that counts.
    var older: Int {
        var sequences = slots.map { slot -> UInt64? in if case .whole(let header, _) = slot { header.sequence } else { nil } }
        if sequences.count < 2 { sequences += [nil, nil] }
        switch (sequences[0], sequences[1]) {
        case (nil, _): return 0
        case (_, nil): return 1
        case (let a?, let b?): return a <= b ? 0 : 1
        }
    }
    var highestSequence: UInt64 { slots.compactMap { $0.header?.sequence }.max() ?? 0 }

    var defects: [String] {
        slots.enumerated().compactMap { index, slot in
            switch slot {
            case .whole: nil
            case .torn(let header): "configuration slot \(index): its payload does not fit its header (sequence \(header.sequence))"
            case .unreadable(let why): "configuration slot \(index): \(why)"
            }
        }
    }
}
