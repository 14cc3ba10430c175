import ClusterModel
import ClusterRules
import Foundation
import SharedDisks
import Testing
import Witness

/// The same arbitration as on a disk, over a folder: who holds it, who keeps it, who gets it when the holder is silent.
@Suite("Nodes at one share", .serialized, .timeLimit(.minutes(2)))
struct ShareArbitrationTests {
    private struct Node {
        var witness: WitnessDisk
        var task: Task<Void, Never>
        func stop() async {
            task.cancel()
            await task.value
        }
    }
    private let cluster = UUID()
    private func id(_ number: UInt16) throws -> NodeID { try #require(NodeID(rawValue: number)) }

    private func node(_ number: UInt16, _ path: String, epoch: UInt16 = 1) throws -> Node {
        let votes = VoteTable(nodes: [try id(1): 1, try id(2): 1], witness: 1)
        let cluster = cluster
        let witness = WitnessDisk(node: try id(number), cluster: cluster, epoch: epoch, votes: votes, label: path) {
            try await ShareMedium.open(path, cluster: cluster)
        }
        return Node(witness: witness, task: Task { await witness.run() })
    }

    private func ring(_ sequence: UInt64, _ members: UInt16...) -> ArbitrationRing {
        ArbitrationRing(
            representative: UInt32(members[0]), sequence: sequence, members: Set(members.compactMap(NodeID.init(rawValue:))))
    }

    private func counts(_ node: Node, _ ring: ArbitrationRing) -> Bool {
        guard let vote = node.witness.currentVote else { return false }
        return vote.isYes && vote.ringSequence == ring.sequence && vote.validUntil > .now
    }

    private func wait(_ what: String, _ condition: () async -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while await !condition() {
            try #require(ContinuousClock.now < end, "not within 20 s: \(what)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test("Held, kept after a cut, taken over from a silent holder with what it wrote, and by force from one that lives")
    func story() async throws {
        let path = NSTemporaryDirectory() + "share-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try await FileShareWitness.initialize(path, cluster: cluster, clusterName: "lab", number: 77)
        let (one, two) = (try node(1, path), try node(2, path))
        let together = ring(1, 1, 2)
        for node in [one, two] { await node.witness.ringChanged(together) }
        try await wait("both vote") { counts(one, together) && counts(two, together) }
        let (holder, other) = await one.witness.isHolder ? (one, two) : (two, one)
        #expect(await holder.witness.held?.number == 77)
        let content = WitnessContent(
            position: ReplicaPosition(promised: 3, adopted: 3, lastIndex: 9, chain: 5), committed: 9, payload: [1, 2, 3])
        try await holder.witness.writeConfiguration(content)
        await #expect(throws: WitnessDiskError.self) { try await other.witness.writeConfiguration(content) }

        // The cluster network is cut: who holds it and lives keeps it.
        let (ringOfHolder, ringOfOther) = (ring(2, holder.witness.node.rawValue), ring(3, other.witness.node.rawValue))
        await holder.witness.ringChanged(ringOfHolder)
        await other.witness.ringChanged(ringOfOther)
        try await wait("the holder votes") { counts(holder, ringOfHolder) }
        try await Task.sleep(for: .seconds(6))
        #expect(counts(holder, ringOfHolder) && !counts(other, ringOfOther))

        await other.witness.forceTakeover()
        try await wait("it is taken by force") { counts(other, ringOfOther) }
        #expect(await !holder.witness.isHolder)
        #expect(try await other.witness.readConfiguration().content == content)
        await #expect(throws: WitnessDiskError.self) { try await holder.witness.writeConfiguration(WitnessContent()) }

        // The new holder dies; the old one takes it back by the rules.
        await other.stop()
        try await wait("it is taken from the silent one") { counts(holder, ringOfHolder) }
        #expect(try await holder.witness.readConfiguration().content == content)
        await holder.stop()
    }
}
