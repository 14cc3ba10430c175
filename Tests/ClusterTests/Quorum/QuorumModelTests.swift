import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// The ways of counting votes, changed while the cluster runs, each with the failure that it is there for.
@Suite(.serialized, .cluster, .enabled(if: geteuid() == 0, "The lab needs root."))
struct QuorumModelTests {
    private static func disk(_ lun: Int) -> DiskID {
        let serial = LabDisk.serial(lun: lun)
        return DiskID("t10.\(serial)-\(serial)")
    }
    private func set(_ request: SetQuorumRequest, at node: NodeName) async throws -> ClusterStatusReport {
        try await ClusterStage.get().client(of: node).waiting(.seconds(40)).setQuorum(request)
    }

    @Test("The witness moves to another disk and back; the cluster is open all the time")
    func replaceDisk() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        try await PartitionWatch.during(stage) {
            let (old, new) = (Self.disk(1), Self.disk(2))
            let again = await #expect(throws: APIError.self) { try await stage.setWitness(.disk(old), at: ClusterStage.n1) }
            #expect(again?.message.contains("is the witness already") == true)
            try await stage.setWitness(.disk(new), at: ClusterStage.n1)
            try await stage.settle()
            #expect(await stage.status(ClusterStage.n2)?.witness?.description == "witness disk \(new)")
            let disks = try await stage.client(of: ClusterStage.n2).waiting(.seconds(10)).disks()
            #expect(disks.first { $0.id == old }?.content == .empty)
            // The new copy is worth as much as the old one was: it is all that the other node finds.
            try await holderDies(stage)
            try await stage.setWitness(.disk(old), at: ClusterStage.n2)
            try await stage.settle()
        }
    }

    /// Its holder changes something alone and dies; the other one goes on with the change from the witness.
    private func holderDies(_ stage: ClusterStage) async throws {
        let holder = try await stage.holder()
        try await stage.node(other(holder)).powerOff()
        _ = try await stage.wait(holder, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
        let seconds = try await stage.changeSecondsUntilStop(at: holder)
        try await stage.node(holder).powerOff()
        try await stage.node(other(holder)).powerOn()
        let alone = try await stage.wait(other(holder), until: "open alone") { $0.isOpen }
        #expect(alone.secondsUntilStop == seconds)
        try await stage.node(holder).powerOn()
        try await stage.settle()
    }

    @Test("No witness, then a folder on a share: it holds a copy like a disk, and changes hands like one")
    func fileShare() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        // Every node sees the host's folder at the same place, as it would see a share.
        let share = NSTemporaryDirectory() + "apus-share-\(UUID())"
        try FileManager.default.createDirectory(atPath: share, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: share) }
        try await PartitionWatch.during(stage) {
            try await stage.setWitness(.none, at: ClusterStage.n1)
            let without = try await stage.wait(ClusterStage.n1, until: "without a witness") { $0.isOpen && $0.witness == nil }
            #expect(without.votesTotal == 1)
            #expect(without.warnings.contains { $0.contains("without a witness") })
            try await stage.setWitness(.share(share), at: ClusterStage.n1)
            try await stage.settle()
            #expect(await stage.status(ClusterStage.n2)?.model == .nodeAndFileShareMajority)
            try await holderDies(stage)
            let refused = await #expect(throws: APIError.self) {
                _ = try await self.set(SetQuorumRequest(model: .diskOnly), at: ClusterStage.n1)
            }
            #expect(refused?.message.contains("does not fit witness file share") == true)
            try await stage.setWitness(.disk(Self.disk(1)), at: ClusterStage.n1)
            try await stage.settle()
            #expect(try FileManager.default.contentsOfDirectory(atPath: share) == [])
        }
    }

    @Test("A disk with something on it is not taken, and the present witness stays")
    func foreignDisk() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let file = try stage.lab.backingFile(lun: 3)
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seek(toOffset: 1_080)
        try handle.write(contentsOf: Data([0x53, 0xef]))  // The magic number of ext2, ext3 and ext4.
        let refused = await #expect(throws: APIError.self) { try await stage.setWitness(.disk(Self.disk(3)), at: ClusterStage.n1) }
        #expect(refused?.message.contains("--force") == true)
        try handle.seek(toOffset: 1_080)
        try handle.write(contentsOf: Data([0, 0]))
        try handle.close()
        try await stage.settle()
        #expect(await stage.status(ClusterStage.n1)?.witness?.description == "witness disk \(Self.disk(1))")
    }

    @Test("In maintenance the disk may go: no vote, no alarm")
    func maintenance() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let known = try await stage.lastEvent(at: ClusterStage.n1)
        let out = try await set(SetQuorumRequest(isWitnessInMaintenance: true), at: ClusterStage.n2)
        #expect(out.isOpen && out.witness?.votes == 0 && out.witness?.holder == nil)
        for node in ClusterStage.nodes { try await stage.node(node).cut(.storage) }
        // Longer than a witness may be away before that is an event.
        try await Task.sleep(for: .seconds(13))
        let quiet = try #require(await stage.status(ClusterStage.n1))
        #expect(quiet.isOpen && quiet.witness?.condition == .maintenance && quiet.witness?.problem == nil)
        #expect(!(try await stage.client(of: ClusterStage.n1).events(after: known)).contains { $0.kind == .witnessLost })
        for node in ClusterStage.nodes { try await stage.node(node).restore(.storage) }
        _ = try await set(SetQuorumRequest(isWitnessInMaintenance: false), at: ClusterStage.n2)
        try await stage.settle()
    }

    @Test("With one node up the witness goes into maintenance too: the node has the only vote then")
    func maintenanceWithOneNode() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let holder = try await stage.holder()
        try await stage.node(other(holder)).powerOff()
        _ = try await stage.wait(holder, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
        _ = try await set(SetQuorumRequest(isWitnessInMaintenance: true), at: holder)
        _ = try await stage.wait(holder, until: "the only vote") { $0.isOpen && $0.votesTotal == 1 && $0.witness?.votes == 0 }
        _ = try await set(SetQuorumRequest(isWitnessInMaintenance: false), at: holder)
        try await stage.node(other(holder)).powerOn()
        try await stage.settle()
    }

    @Test("Disk Only: either node is enough, as long as the witness answers")
    func diskOnly() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        try await PartitionWatch.during(stage) {
            _ = try await set(SetQuorumRequest(model: .diskOnly), at: ClusterStage.n1)
            for node in ClusterStage.nodes { _ = try await stage.wait(node, until: "Disk Only") { $0.isOpen && $0.votesTotal == 1 } }
            let refused = await #expect(throws: APIError.self) { try await stage.setWitness(.none, at: ClusterStage.n1) }
            #expect(refused?.message.contains("does not go with no witness") == true)
            // The holder dies, then the other one; each goes on alone.
            let holder = try await stage.holder()
            try await stage.node(holder).powerOff()
            _ = try await stage.wait(other(holder), until: "open with the witness") { $0.isOpen && $0.witness?.holder == other(holder) }
            let seconds = try await stage.changeSecondsUntilStop(at: other(holder))
            try await stage.node(holder).powerOn()
            _ = try await stage.wait(holder, until: "back") { $0.isOpen && $0.secondsUntilStop == seconds }
            // Without the witness both nodes together are nothing.
            for node in ClusterStage.nodes { try await stage.node(node).cut(.storage) }
            for node in ClusterStage.nodes { _ = try await stage.wait(node, until: "closed") { !$0.isOpen && $0.votesPresent == 0 } }
            for node in ClusterStage.nodes { try await stage.node(node).restore(.storage) }
            for node in ClusterStage.nodes { _ = try await stage.wait(node, until: "open again") { $0.isOpen } }
            _ = try await set(SetQuorumRequest(isModelAutomatic: true), at: ClusterStage.n2)
            try await stage.settle()
        }
    }
}
