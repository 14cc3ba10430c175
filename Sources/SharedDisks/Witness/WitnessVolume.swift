import ClusterModel
import Foundation
import SCSI

/// The witness disk of a cluster.
///
/// Bound to one transport, like ``ClusterSharedVolume``: after that is lost, open the witness again through its successor.
public actor WitnessVolume: WitnessStore {
    public nonisolated let disk: SharedDisk
    public nonisolated let cluster: UUID
    public nonisolated let clusterName: String
    /// ``VoteTable/witnessID``: drawn when it was initialised, so a disk initialised anew is another witness.
    public nonisolated let number: UInt64
    nonisolated let slotByteCount: UInt64
    private let gate = SerialGate()
    /// A write whose outcome is unknown may still land, over the next one. A barrier comes first.
    private var needsBarrier = false

    init(disk: SharedDisk, header: WitnessHeader) {
        self.disk = disk
        cluster = header.cluster
        clusterName = header.clusterName
        number = header.number
        slotByteCount = header.slotByteCount
    }

    public nonisolated var name: String { disk.id.description }
    public nonisolated var payloadLimit: UInt64 { slotByteCount - WitnessLayout.stride }

    // MARK: The configuration

    public func readNewest() async throws(WitnessError) -> WitnessReading {
        try await gate.run { () throws(WitnessError) in
            let slots = try await self.slots()
            guard let reading = slots.newest() else { throw .unreadable(self.name, slots.defects.joined(separator: "; ")) }
            return reading
        }
    }

    public func write(_ content: WitnessContent, evenIfDamaged: Bool = false) async throws(WitnessError) {
        guard UInt64(content.payload.count) <= payloadLimit else {
            throw .tooLarge(name, byteCount: content.payload.count, limit: payloadLimit)
        }
        try await gate.run { () throws(WitnessError) in
            try await self.settle()
            let slots = try await self.slots()
            guard slots.newest() != nil || evenIfDamaged else {
                throw .unreadable(self.name, slots.defects.joined(separator: "; "))
            }
            try slots.check(content.position, on: self.name)
            let sequence = slots.highestSequence
            guard sequence < .max else { throw .damaged(self.name, "its sequence numbers are used up") }
            try await self.put(
                content, header: WitnessSlotHeader(content, cluster: self.cluster, sequence: sequence + 1), in: slots.older)
        }
    }

    /// Payload, then everything to the medium, then the header.
    private func put(_ content: WitnessContent, header: WitnessSlotHeader, in slot: Int) async throws(WitnessError) {
        let offset = slotOffset(slot)
        do throws(SharedDiskError) {
            if !content.payload.isEmpty {
                let padding = -content.payload.count & (disk.blockByteCount - 1)
                let blocks = padding == 0 ? content.payload : content.payload + [UInt8](repeating: 0, count: padding)
                try await disk.write(byteOffset: offset + WitnessLayout.stride, bytes: blocks, durable: false)
                try await disk.synchronize()
            }
            try await disk.write(structure: header.encoded(slot: slot), byteOffset: offset)
        } catch {
            if error.outcome == .unknown { needsBarrier = true }
            throw .disk(error)
        }
    }

    private func settle() async throws(WitnessError) {
        guard needsBarrier else { return }
        do throws(SharedDiskError) { try await disk.resetBarrier() } catch { throw .disk(error) }
        needsBarrier = false
    }

    private func slots() async throws(WitnessError) -> WitnessSlots {
        var found: [WitnessSlots.Slot] = []
        do throws(SharedDiskError) {
            for slot in 0..<2 { found.append(try await read(slot)) }
        } catch { throw .disk(error) }
        return WitnessSlots(slots: found)
    }

    private func read(_ slot: Int) async throws(SharedDiskError) -> WitnessSlots.Slot {
        let bytes: [UInt8]
        do throws(SharedDiskError) {
            bytes = try await disk.read(byteOffset: slotOffset(slot), count: Int(WitnessLayout.stride))
        } catch .refused(_, _, _, let sense?) where sense.key == .mediumError {
            return .unreadable("the disk cannot read it (\(sense))")
        }
        let header: WitnessSlotHeader
        do throws(MalformedData) {
            header = try WitnessSlotHeader(parsing: bytes[...], slot: slot, cluster: cluster, limit: payloadLimit)
        } catch { return .unreadable(error.problem) }
        guard header.payloadByteCount > 0 else {
            return header.payloadChecksum == CRC32.checksum([]) ? .whole(header, payload: []) : .torn(header)
        }
        let count = Int(header.payloadByteCount)
        let whole = (count + disk.blockByteCount - 1) / disk.blockByteCount * disk.blockByteCount
        do throws(SharedDiskError) {
            let payload = [UInt8](try await disk.read(byteOffset: slotOffset(slot) + WitnessLayout.stride, count: whole).prefix(count))
            let checksum = payload.withUnsafeBytes { CRC32.checksum($0) }
            return checksum == header.payloadChecksum ? .whole(header, payload: payload) : .torn(header)
        } catch .refused(_, _, _, let sense?) where sense.key == .mediumError {
            return .torn(header)
        }
    }

    private nonisolated func slotOffset(_ slot: Int) -> UInt64 { WitnessLayout.slotOffset + UInt64(slot) * slotByteCount }

    // MARK: Heartbeats

    public func heartbeats(of nodes: [NodeID]) async throws(WitnessError) -> [NodeID: WitnessHeartbeatReading] {
        var found: [NodeID: WitnessHeartbeatReading] = [:]
        let stride = Int(WitnessLayout.stride)
        for run in Self.runs(nodes.map(\.rawValue).sorted()) {
            guard run.upperBound <= WitnessLayout.heartbeatCount else {
                throw .noHeartbeatSector(nodes.first { $0.rawValue == run.upperBound } ?? nodes[0])
            }
            let bytes: [UInt8]
            do throws(SharedDiskError) {
                bytes = try await disk.read(
                    byteOffset: WitnessLayout.heartbeatOffset(node: run.lowerBound), count: run.count * stride)
            } catch { throw .disk(error) }
            for node in nodes where run.contains(node.rawValue) {
                let start = Int(node.rawValue - run.lowerBound) * stride
                do throws(MalformedData) {
                    found[node] =
                        try WitnessHeartbeat(parsing: bytes[start..<start + stride], node: node, cluster: cluster).map { .beat($0) }
                        ?? .never
                } catch { found[node] = .unreadable(error.problem) }
            }
        }
        return found
    }

    public func writeHeartbeat(_ heartbeat: WitnessHeartbeat) async throws(WitnessError) {
        guard heartbeat.node.rawValue <= WitnessLayout.heartbeatCount else { throw .noHeartbeatSector(heartbeat.node) }
        do throws(SharedDiskError) {
            try await disk.write(
                structure: heartbeat.encoded(cluster: cluster), byteOffset: WitnessLayout.heartbeatOffset(node: heartbeat.node.rawValue))
        } catch { throw .disk(error) }
    }

    /// Ids that lie near to each other are read at once: 32 sectors are one command of 128 KiB.
    static func runs(_ sorted: [UInt16]) -> [ClosedRange<UInt16>] {
        var runs: [ClosedRange<UInt16>] = []
        for id in sorted {
            if let last = runs.last, id - last.lowerBound < 32 { runs[runs.count - 1] = last.lowerBound...id } else { runs.append(id...id) }
        }
        return runs
    }
}
