import ClusterModel
import ClusterRules
import Foundation
import ISCSI
import SCSI
import SharedDisks
import Testing
import Witness

/// Real tgt, several nodes as sessions of one process: who gets the witness, who keeps it, and how fast it changes hands.
@Suite("Nodes at one witness", .serialized, .timeLimit(.minutes(5)))
struct WitnessDiskTests {
    /// A node of the test: its arbitration, running.
    struct Node {
        var disk: WitnessDisk
        var task: Task<Void, Never>
        func stop() async {
            task.cancel()
            await task.value
        }
    }
    private let cluster = UUID()
    private func id(_ number: UInt16) throws -> NodeID { try #require(NodeID(rawValue: number)) }

    private func node(_ number: UInt16, of count: UInt16, _ san: TestSAN, epoch: UInt16 = 1) throws -> Node {
        let ids = (1...count).compactMap(NodeID.init(rawValue:))
        let target = san.target(initiator: number % 2 == 1 ? TestSAN.initiator : TestSAN.otherInitiator)
        let disk = WitnessDisk(
            node: try id(number), cluster: cluster, epoch: epoch,
            votes: VoteTable(nodes: Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }), witness: 1), lun: lunOne
        ) { limit in
            let session = try await ISCSISession.open(
                target, identity: ISCSISessionIdentity(stableFor: "witness \(number)"), silenceLimit: .seconds(2), within: limit)
            return WitnessSession(transport: session) { await session.close() }
        }
        return Node(disk: disk, task: Task { await disk.run() })
    }

    private func prepare(_ san: TestSAN) async throws {
        let session = try await ISCSISession.open(san.target())
        let disk = try await SharedDisk.attach(lunOne, of: session)
        _ = try await WitnessVolume.initialize(disk, cluster: cluster, clusterName: "lab")
        await session.close()
    }

    private func ring(_ sequence: UInt64, _ members: UInt16...) -> ArbitrationRing {
        ArbitrationRing(
            representative: UInt32(members[0]), sequence: sequence, members: Set(members.compactMap(NodeID.init(rawValue:))))
    }

    /// Whether Corosync would count the vote of this node for this ring.
    private func counts(_ node: Node, _ ring: ArbitrationRing) -> Bool {
        guard let vote = node.disk.currentVote else { return false }
        return vote.isYes && vote.ringSequence == ring.sequence && vote.validUntil > .now
    }

    @discardableResult
    private func wait(_ limit: Duration, _ what: String, _ condition: () async -> Bool) async throws -> Duration {
        let began = ContinuousClock.now
        while await !condition() {
            guard ContinuousClock.now - began < limit else {
                Issue.record("not within \(limit): \(what)")
                return limit
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return .now - began
    }

    @Test("Two nodes: one holds it, both vote; after a cut the holder keeps it; when it dies the other one takes it")
    func twoNodes() async throws {
        try await TestSAN.with([.init(mebibytes: 32, serial: "W1")]) { san in
            try await prepare(san)
            let (lower, higher) = (try node(1, of: 2, san), try node(2, of: 2, san))
            let together = ring(1, 1, 2)
            for node in [lower, higher] { await node.disk.ringChanged(together) }
            try await wait(.seconds(8), "both vote") { counts(lower, together) && counts(higher, together) }
            // The lower one as a rule; on a slow machine it may have been the later one.
            let (one, two) = await lower.disk.isHolder ? (lower, higher) : (higher, lower)
            #expect(await one.disk.isHolder)
            #expect(await !two.disk.isHolder)
            #expect(await two.disk.holder == one.disk.node)

            // The link between the nodes is cut: both tie, the holder goes on at once, the other one never votes.
            let (left, right) = (ring(2, one.disk.node.rawValue), ring(2, two.disk.node.rawValue))
            await one.disk.ringChanged(left)
            await two.disk.ringChanged(right)
            let kept = try await wait(.seconds(1), "the holder goes on") { counts(one, left) }
            #expect(kept < .milliseconds(500))
            for _ in 0..<80 {
                try await Task.sleep(for: .milliseconds(100))
                #expect(!counts(two, right))
            }
            #expect(counts(one, left))
            await #expect(throws: WitnessDiskError.self) { try await two.disk.readConfiguration() }

            let content = WitnessContent(position: ReplicaPosition(lastIndex: 7), committed: 7, payload: [1, 2, 3])
            try await one.disk.writeConfiguration(content)
            await one.stop()
            let taken = try await wait(.seconds(6), "the other one takes it") { counts(two, right) }
            // Silence of four seconds since the last heartbeat that the other one saw, and what the rounds add.
            #expect(taken < .milliseconds(4_800), "\(taken)")
            #expect(try await two.disk.readConfiguration().content == content)
            await two.stop()
        }
    }

    @Test("The holder starts again and takes over what it left; a restart of the target is mended before anybody else takes the witness")
    func restarts() async throws {
        try await TestSAN.with([.init(mebibytes: 32, serial: "W2")]) { san in
            try await prepare(san)
            let (one, two) = (try node(1, of: 2, san), try node(2, of: 2, san))
            let together = ring(1, 1, 2)
            for node in [one, two] { await node.disk.ringChanged(together) }
            try await wait(.seconds(5), "both vote") { counts(one, together) && counts(two, together) }
            await one.stop()
            let again = try node(1, of: 2, san, epoch: 2)
            await again.disk.ringChanged(together)
            try await wait(.seconds(3), "it holds the witness again") { await again.disk.isHolder }
            try await wait(.seconds(2), "both vote again") { counts(again, together) && counts(two, together) }
            let (left, right) = (ring(2, 1), ring(2, 2))
            await again.disk.ringChanged(left)
            await two.disk.ringChanged(right)
            try await wait(.seconds(1), "the holder goes on") { counts(again, left) }
            try await san.restartTarget()
            try await wait(.seconds(6), "the holder has restored its reservation") { await again.disk.isHolder }
            for _ in 0..<60 {
                #expect(!counts(two, right))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(counts(again, left))
            try await again.disk.writeConfiguration(WitnessContent(position: ReplicaPosition(lastIndex: 8), committed: 8, payload: [9]))
            await again.stop()
            await two.stop()
        }
    }

    @Test("Three nodes and no holder: exactly one takes it; a majority without the holder takes it over and the holder stops voting")
    func threeNodes() async throws {
        try await TestSAN.with([.init(mebibytes: 32, serial: "W3")]) { san in
            try await prepare(san)
            let nodes = try (1...3 as ClosedRange<UInt16>).map { try node($0, of: 3, san) }
            let together = ring(1, 1, 2, 3)
            for node in nodes { await node.disk.ringChanged(together) }
            try await wait(.seconds(5), "all vote") { nodes.allSatisfy { counts($0, together) } }
            var holders = 0
            for node in nodes { holders += await node.disk.isHolder ? 1 : 0 }
            #expect(holders == 1)
            let (left, right) = (ring(2, 1), ring(2, 2, 3))
            await nodes[0].disk.ringChanged(left)
            for node in nodes.dropFirst() { await node.disk.ringChanged(right) }
            try await wait(.seconds(10), "the larger part has it") { counts(nodes[1], right) && counts(nodes[2], right) }
            #expect(!counts(nodes[0], left))
            #expect(await !nodes[0].disk.isHolder)
            for node in nodes { await node.stop() }
        }
    }
}
