import ClusterModel
import Foundation
import SCSI
import Testing

@testable import SharedDisks

/// The layout of the witness, on a disk in memory that can lose, tear and corrupt writes.
@Suite("The witness disk", .timeLimit(.minutes(3)))
struct WitnessVolumeTests {
    static let cluster = UUID()
    static func content(_ index: UInt64, byteCount: Int = 3_000) -> WitnessContent {
        WitnessContent(
            position: ReplicaPosition(promised: index + 1, adopted: index, lastIndex: index * 10, chain: index &* 77),
            committed: index * 9, payload: (0..<byteCount).map { UInt8(truncatingIfNeeded: UInt64($0) &+ index) })
    }
    static func make() async throws -> (MemoryTarget, WitnessVolume) {
        let target = MemoryTarget([1: MemoryTarget.disk(mebibytes: 32)])
        let disk = try await SharedDisk.attach(lunOne, of: target)
        return (target, try await WitnessVolume.initialize(disk, cluster: cluster, clusterName: "lab"))
    }

    @Test("Empty at first, then what was written last; opened again it is the same")
    func roundTrip() async throws {
        let (target, witness) = try await Self.make()
        let first = try await witness.readNewest()
        #expect(first.content == WitnessContent() && !first.mayBeStale && first.defects.isEmpty)
        for index in 1...5 as ClosedRange<UInt64> {
            try await witness.write(Self.content(index, byteCount: Int(index) * 1_111))
            #expect(try await witness.readNewest().content == Self.content(index, byteCount: Int(index) * 1_111))
        }
        let disk = try await SharedDisk.attach(lunOne, of: target)
        let again = try await WitnessVolume.open(disk, cluster: Self.cluster)
        #expect(try await again.readNewest().content == Self.content(5, byteCount: 5_555))
        #expect(again.payloadLimit >= 8 << 20)
        let large = await #expect(throws: WitnessError.self) {
            try await again.write(WitnessContent(payload: [UInt8](repeating: 1, count: Int(again.payloadLimit) + 1)))
        }
        #expect(large?.description.contains("room for") == true)
    }

    /// Without it a service that stood still while another node held the witness could bury acknowledged changes when it holds it again.
    @Test("A configuration is not overwritten with an older one")
    func neverBack() async throws {
        let (_, witness) = try await Self.make()
        try await witness.write(Self.content(3))
        var promiseForgotten = Self.content(3)
        promiseForgotten.position.promised -= 1
        for older in [Self.content(2), promiseForgotten] {
            let refused = await #expect(throws: WitnessError.self) { try await witness.write(older) }
            if case .wouldGoBack? = refused {} else { Issue.record("\(String(describing: refused))") }
        }
        try await witness.write(Self.content(3))
        #expect(try await witness.readNewest().content == Self.content(3))
    }

    @Test("Foreign content is refused and not touched; another cluster's witness too")
    func foreign() async throws {
        var unit = MemoryTarget.disk(mebibytes: 32)
        unit.bytes.replaceSubrange(0..<4, with: Array("XFSB".utf8))
        let target = MemoryTarget([1: unit])
        let disk = try await SharedDisk.attach(lunOne, of: target)
        let refused = await #expect(throws: WitnessError.self) {
            try await WitnessVolume.initialize(disk, cluster: Self.cluster, clusterName: "lab")
        }
        #expect(refused?.description.contains("XFS") == true)
        #expect(target.bytes() == unit.bytes)
        _ = try await WitnessVolume.initialize(disk, cluster: Self.cluster, clusterName: "lab", force: true)
        let other = await #expect(throws: WitnessError.self) { try await WitnessVolume.open(disk, cluster: UUID()) }
        #expect(other?.description.contains("the witness of the cluster lab") == true)
        let again = await #expect(throws: WitnessError.self) {
            try await WitnessVolume.initialize(disk, cluster: UUID(), clusterName: "two")
        }
        #expect(again?.description.contains("witness disk of the cluster lab") == true)
        await #expect(throws: VolumeError.self) { try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab") }
        let empty = try await SharedDisk.attach(lunOne, of: MemoryTarget([1: MemoryTarget.disk(mebibytes: 32)]))
        let none = await #expect(throws: WitnessError.self) { try await WitnessVolume.open(empty, cluster: Self.cluster) }
        if case .notAWitness? = none {} else { Issue.record("\(String(describing: none))") }
    }

    /// Goal: a write that is torn anywhere leaves the content before it or after it. Method: the node dies at each write in turn.
    @Test(arguments: 0..<4)
    func tornWrite(writes: Int) async throws {
        let (target, witness) = try await Self.make()
        try await witness.write(Self.content(1))
        try await witness.write(Self.content(2))
        target.inject(.crash(afterWrites: writes))
        let failed = await Task { try await witness.write(Self.content(3, byteCount: 9_000)) }.result
        target.inject(nil)
        let disk = try await SharedDisk.attach(lunOne, of: target)
        let reading = try await WitnessVolume.open(disk, cluster: Self.cluster).readNewest()
        if case .success = failed {
            #expect(reading.content == Self.content(3, byteCount: 9_000))
        } else {
            #expect(reading.content == Self.content(2) || reading.content == Self.content(3, byteCount: 9_000))
            #expect(!reading.mayBeStale, "a torn write is not the loss of a complete one")
        }
        let next = try await WitnessVolume.open(disk, cluster: Self.cluster)
        try await next.write(Self.content(4))
        let mended = try await next.readNewest()
        #expect(mended.content == Self.content(4) && mended.sequence > reading.sequence && !mended.mayBeStale)
    }

    @Test("A corrupt slot: the other one speaks, and says when it may be stale; both: an error, never empty", arguments: [0, 4_096])
    func corrupt(offset: Int) async throws {
        let (target, witness) = try await Self.make()
        let slot = { (index: Int) in Int(WitnessLayout.slotOffset + UInt64(index) * witness.slotByteCount) + offset + 40 }
        try await witness.write(Self.content(1))
        try await witness.write(Self.content(2))
        // After initialising slots have sequences 1 and 2; so 3 went to slot 0 and 4 to slot 1.
        target.edit { $0.bytes[slot(0)] ^= 0x10 }
        let older = try await witness.readNewest()
        #expect(older.content == Self.content(2))
        #expect(older.mayBeStale == (offset == 0) && older.defects.count == 1)
        target.edit {
            $0.bytes[slot(0)] ^= 0x10
            $0.bytes[slot(1)] ^= 0x10
        }
        let newer = try await witness.readNewest()
        #expect(newer.content == Self.content(1) && newer.mayBeStale && newer.defects.count == 1)
        target.edit { $0.bytes[slot(0)] ^= 0x10 }
        let both = await #expect(throws: WitnessError.self) { try await witness.readNewest() }
        if case .unreadable? = both {} else { Issue.record("\(String(describing: both))") }
        await #expect(throws: WitnessError.self) { try await witness.write(Self.content(3)) }
        try await witness.write(Self.content(3), evenIfDamaged: true)
        #expect(try await witness.readNewest().content == Self.content(3))
    }

    @Test("A write without an answer is followed by a barrier before the next one")
    func barrier() async throws {
        let (target, witness) = try await Self.make()
        target.inject(.lostAnswer(isDone: true))
        await #expect(throws: WitnessError.self) { try await witness.write(Self.content(1)) }
        #expect(target.resetCount == 0)
        try await witness.write(Self.content(2))
        #expect(target.resetCount == 1)
        #expect(try await witness.readNewest().content == Self.content(2))
    }

    @Test("Heartbeats: one sector a node, near ids in one read, garbage told from silence")
    func heartbeats() async throws {
        let (target, witness) = try await Self.make()
        let ids = [1, 2, 9, 700, 1_024].compactMap { NodeID(rawValue: $0) }
        let beat = WitnessHeartbeat(
            node: ids[1], incarnation: 5, counter: .max, claims: true, epoch: 3, time: Date(timeIntervalSince1970: 1_700_000_000))
        try await witness.writeHeartbeat(beat)
        let offset = Int(WitnessLayout.heartbeatOffset(node: 9))
        target.edit { $0.bytes.replaceSubrange(offset..<offset + 8, with: Array("APUSHBT1".utf8)) }
        let found = try await witness.heartbeats(of: ids)
        #expect(found[ids[0]] == .never && found[ids[3]] == .never && found[ids[4]] == .never)
        #expect(found[ids[1]] == .beat(beat))
        if case .unreadable? = found[ids[2]] {} else { Issue.record("\(String(describing: found[ids[2]]))") }
        let beyond = try #require(NodeID(rawValue: 1_025))
        await #expect(throws: WitnessError.noHeartbeatSector(beyond)) { try await witness.heartbeats(of: [beyond]) }
        #expect(WitnessVolume.runs([1, 2, 9, 700]) == [1...9, 700...700])
    }

    @Test("Hostile slot headers are refused without a trap", arguments: 0..<64)
    func hostile(seed: Int) throws {
        var bytes = WitnessSlotHeader(Self.content(1), cluster: Self.cluster, sequence: 3).encoded(slot: 0)
        bytes[seed * 7 % 508] ^= UInt8(truncatingIfNeeded: seed &* 37 | 1)
        #expect(throws: MalformedData.self) {
            try WitnessSlotHeader(parsing: bytes[...], slot: 0, cluster: Self.cluster, limit: 1 << 23)
        }
        var large = WitnessContent()
        large.payload = [1]
        var header = WitnessSlotHeader(large, cluster: Self.cluster, sequence: 1)
        header.payloadByteCount = .max - UInt64(seed)
        #expect(throws: MalformedData.self) {
            try WitnessSlotHeader(parsing: header.encoded(slot: 0)[...], slot: 0, cluster: Self.cluster, limit: 1 << 23)
        }
    }
}
