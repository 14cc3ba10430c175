import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// What can happen to a witness disk: nobody reaches it, a copy on it rots, its target forgets who holds it.
@Suite(.serialized, .cluster, .enabled(if: geteuid() == 0, "The lab needs root."))
struct WitnessFaultTests {
    @Test("Lost and back: both are events, and the votes follow")
    func lostAndBack() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let known = try await stage.lastEvent(at: ClusterStage.n1)
        try await PartitionWatch.during(stage) {
            for node in ClusterStage.nodes { try await stage.node(node).cut(.storage) }
            _ = try await stage.event(at: ClusterStage.n1, after: known, "the loss") { $0.kind == .witnessLost }
            // One of the two nodes has the vote now: it goes on alone, where two of three would have stopped.
            let lost = try await stage.wait(ClusterStage.n1, until: "without the witness's vote") {
                $0.isOpen && $0.votesTotal == 1 && $0.witness?.condition == .lost
            }
            let voter = try #require(lost.nodes.first { $0.votes == 1 }).name
            try await stage.node(other(voter)).powerOff()
            _ = try await stage.wait(voter, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
            try await stage.node(other(voter)).powerOn()
            for node in ClusterStage.nodes { try await stage.node(node).restore(.storage) }
            _ = try await stage.event(at: voter, after: known, "the return") { $0.kind == .witnessReturned }
            try await stage.settle()
        }
    }

    @Test("One copy on the disk rots: the other one is used")
    func oneSlotRots() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        try await PartitionWatch.during(stage) {
            let survivor = other(try await stage.holder())
            let seconds = try await stage.changeSecondsUntilStop(at: survivor)
            // When nothing happens both copies become the same.
            try await Task.sleep(for: .seconds(4))
            let slots = try WitnessSlots(stage.lab.backingFile(lun: 1))
            try await stage.node(other(survivor)).powerOff()
            try slots.damage(slots.newest)
            let alone = try await stage.wait(survivor, until: "open alone") { $0.isOpen && $0.witness?.holder == survivor }
            #expect(alone.secondsUntilStop == seconds)
            try await stage.node(other(survivor)).powerOn()
            try await stage.settle()
        }
    }

    /// The header of a copy says how new it was; without it the other copy may be too old to speak for anything.
    @Test("The header of one copy rots while both nodes are off: they write the witness again, and one of them can go on with it")
    func headerRots() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        try await PartitionWatch.during(stage) {
            for node in ClusterStage.nodes { try await stage.node(node).powerOff() }
            let file = try stage.lab.backingFile(lun: 1)
            let slots = try WitnessSlots(file)
            try slots.damageHeader(slots.newest)
            for node in ClusterStage.nodes { try await stage.node(node).powerOn() }
            try await stage.settle()
            // Whether a node says so in its log depends on which copies were written last: they may have been the same.
            let survivor = other(try await stage.holder())
            let seconds = try await stage.changeSecondsUntilStop(at: survivor)
            try await stage.node(other(survivor)).powerOff()
            let alone = try await stage.wait(survivor, until: "open alone") { $0.isOpen && $0.witness?.holder == survivor }
            #expect(alone.secondsUntilStop == seconds)
            try await stage.node(other(survivor)).powerOn()
            try await stage.settle()
            // Both copies are whole again.
            _ = try WitnessSlots(file)
        }
    }

    @Test("Both copies rot: the nodes go on without it, say so, and another witness mends it")
    func bothSlotsRot() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let known = try await stage.lastEvent(at: ClusterStage.n1)
        let slots = try WitnessSlots(stage.lab.backingFile(lun: 1))
        for slot in 0..<2 { try slots.damage(slot) }
        // The next write finds it.
        _ = try await stage.changeSecondsUntilStop(at: ClusterStage.n1)
        let loss = try await stage.event(at: ClusterStage.n1, after: known, "the loss") { $0.kind == .witnessLost }
        #expect(loss.severity == .error)
        _ = try await stage.wait(ClusterStage.n1, until: "open without it") { $0.isOpen && $0.votesTotal == 1 }
        let id = DiskID("t10.\(LabDisk.serial(lun: 2))-\(LabDisk.serial(lun: 2))")
        let first = DiskID("t10.\(LabDisk.serial(lun: 1))-\(LabDisk.serial(lun: 1))")
        try await stage.setWitness(.disk(id), at: ClusterStage.n1)
        try await stage.settle()
        try await stage.setWitness(.disk(first), force: true, at: ClusterStage.n1)
        try await stage.settle()
    }

    @Test("The target is started anew and knows no reservation: the holder takes it again before anybody else can")
    func targetRestarts() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let holder = try await stage.holder()
        try await PartitionWatch.during(stage) {
            try await stage.lab.restartSAN()
            try await Task.sleep(for: .seconds(3))
            try await stage.settle()
            #expect(try await stage.holder() == holder)
            // And it is worth something: the other node dies, and the holder goes on with it.
            try await stage.node(other(holder)).powerOff()
            _ = try await stage.wait(holder, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
            try await stage.node(other(holder)).powerOn()
            try await stage.settle()
        }
    }
}

/// The two copies of the configuration on a witness disk, as its format lays them out: 5 MiB into the partition, which begins at 1 MiB.
private struct WitnessSlots {
    private let file: String
    private let offsets: [UInt64]
    let newest: Int

    init(_ file: String) throws {
        self.file = file
        let handle = try #require(FileHandle(forReadingAtPath: file))
        defer { try? handle.close() }
        let mebibyte: UInt64 = 1 << 20
        let first = 6 * mebibyte
        let size = try handle.seekToEnd()
        let slot = min(max((size - first - mebibyte) / 2 / mebibyte * mebibyte, 9 * mebibyte), 64 * mebibyte)
        offsets = [first, first + slot]
        var sequences: [UInt64] = []
        for offset in offsets {
            try handle.seek(toOffset: offset)
            let header = try #require(try handle.read(upToCount: 512))
            try #require(header.prefix(8) == Data("APUSWSL1".utf8))
            sequences.append(header[32..<40].reduce(0) { $0 << 8 | UInt64($1) })
        }
        newest = sequences[0] > sequences[1] ? 0 : 1
    }

    /// A few bytes of the payload go bad.
    func damage(_ slot: Int) throws { try damage(at: offsets[slot] + 4_096 + 100) }
    /// A few bytes of the header go bad, beginning with those by which it is known.
    func damageHeader(_ slot: Int) throws { try damage(at: offsets[slot]) }

    private func damage(at offset: UInt64) throws {
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data([0xde, 0xad, 0xbe, 0xef]))
        try handle.close()
    }
}
