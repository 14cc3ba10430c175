import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeIdentity
import Synchronization
import Testing

@testable import Forming

/// Plays the engine's part of founding.
final class PlayedFounder: ClusterFounder {
    struct Seen {
        var initialized = 0
        var cleared = 0
        var seeds: [ClusterSeed] = []
    }
    let seen = Mutex(Seen())
    let witnessFailure: APIError?
    init(witnessFailure: APIError? = nil) { self.witnessFailure = witnessFailure }

    func initialImage(of seed: ClusterSeed) throws(APIError) -> Data {
        seen.withLock { $0.seeds.append(seed) }
        return Data("{}".utf8)
    }
    func corosyncConfiguration(of seed: ClusterSeed, image: Data) throws(APIError) -> String { "totem {}" }
    let key = Data((0..<256).map { _ in UInt8.random(in: .min ... .max) })
    func newCorosyncKey() -> Data { key }
    func initializeWitness(of seed: ClusterSeed, force: Bool) async throws(APIError) {
        if let witnessFailure { throw witnessFailure }
        seen.withLock { $0.initialized += 1 }
    }
    func clearWitness(_ witness: Witness, of cluster: UUID) async throws(APIError) { seen.withLock { $0.cleared += 1 } }
}

/// Three nodes with real servers and real files; Corosync and the engine are played.
@Suite("Creating a cluster", .serialized, .timeLimit(.minutes(2)))
struct CreationTests {
    static func creation(
        _ nodes: [TestNode], founder: PlayedFounder = PlayedFounder(), names: [String]? = nil, tokens: [String]? = nil,
        witness: WitnessChoice = .none, opening: Duration = .seconds(20)
    ) async throws -> ClusterCreation {
        var made: [String] = []
        for node in nodes.dropFirst() { made.append(try await node.token()) }
        let request = CreateClusterRequest(
            name: ClusterName(unchecked: "prod"), nodes: try (names ?? []).map { try NodeName($0) }, tokens: tokens ?? made,
            witness: witness)
        var limits = ClusterCreation.Limits()
        limits.opening = opening
        limits.poll = .milliseconds(20)
        let desk = try #require(await nodes[0].desk)
        return try ClusterCreation(
            request, node: nodes[0].name, desk: desk, folder: nodes[0].folder, founder: founder, limits: limits
        ) { _ in }
    }

    @Test("Every node becomes a member with certificates of one authority")
    func created() async throws {
        try await TestNodes.with(["n1", "n2", "n3"]) { nodes in
            let founder = PlayedFounder()
            let sentence = try await Self.creation(nodes, founder: founder, names: ["n1", "n2", "n3"]).run()
            #expect(sentence == "Cluster prod runs with n1, n2, n3.")
            let seed = try #require(founder.seen.withLock { $0.seeds.first })
            #expect(seed.members.map(\.id.rawValue) == [1, 2, 3])
            #expect(seed.corosyncKey.count == 256)
            #expect(seed.corosyncKey == founder.key)
            for (index, node) in nodes.enumerated() {
                let member = try #require(try node.folder.member())
                #expect(member.clusterID == seed.id && member.nodeID == seed.members[index].id && member.nodes.count == 3)
                #expect(!node.folder.hasPending)
                #expect(try NodeIdentity.load(from: node.folder.identity, node: node.name.rawValue, now: Date()).cluster == "prod")
            }
            // They show the cluster's certificates now: mutual TLS works, by name.
            let client = try NodeClient(
                address: nodes[1].address, port: await nodes[1].port, node: nodes[1].name, identity: nodes[0].folder.identity)
            let answer = await #expect(throws: APIError.self) { try await client.facts() }
            #expect(answer?.code == .refused, "it was let in, and the test's node plays no facts: \(String(describing: answer))")
            await client.close()
            // And nobody without one is let in any more, token or not.
            let error = await #expect(throws: APIError.self) { try await nodes[1].token() }
            #expect(error?.message.contains("member of cluster prod already") == true)
        }
    }

    @Test("A node that does not start, or never comes up, leaves every node as it was", arguments: [true, false])
    func failed(atStart: Bool) async throws {
        try await TestNodes.with(["n1", "n2", "n3"]) { nodes in
            let founder = PlayedFounder()
            for node in nodes { await node.set(disks: [TestNode.disk("a")]) }
            if atStart {
                await nodes[2].set(startFailure: APIError(.failed, "Corosync did not start: no memory."))
            } else {
                await nodes[2].set(memberPhase: .starting)
            }
            let before = nodes.map(\.files)
            let creation = try await Self.creation(
                nodes, founder: founder, witness: .disk(DiskID("a")), opening: atStart ? .seconds(20) : .milliseconds(500))
            let error = await #expect(throws: APIError.self) { try await creation.run() }
            #expect(error?.message.contains(atStart ? "Corosync did not start" : "Not up after") == true, "\(String(describing: error))")
            #expect(error?.message.contains("may not be as it was") == false, "\(String(describing: error))")
            #expect(nodes.map(\.files) == before)
            #expect(founder.seen.withLock { $0.initialized } == 1)
            #expect(founder.seen.withLock { $0.cleared } == 1)
            // As it was: with the same cause gone it works, and with new tokens.
            await nodes[2].set(startFailure: nil)
            await nodes[2].set(memberPhase: .open)
            _ = try await Self.creation(nodes).run()
        }
    }

    @Test("A witness that cannot be made stops it before any node is changed")
    func witnessFails() async throws {
        try await TestNodes.with(["n1", "n2"]) { nodes in
            for node in nodes { await node.set(disks: [TestNode.disk("a")]) }
            let before = nodes.map(\.files)
            let founder = PlayedFounder(witnessFailure: APIError(.failed, "The disk does not take writes."))
            let creation = try await Self.creation(nodes, founder: founder, witness: .auto)
            let error = await #expect(throws: APIError.self) { try await creation.run() }
            #expect(error?.message == "The disk does not take writes.")
            #expect(nodes.map(\.files) == before)
            #expect(founder.seen.withLock { $0.cleared } == 0)
            for node in nodes { #expect(await node.asked.contains("becomeMember") == false) }
        }
    }

    @Test("Tokens and names must go together")
    func request() async throws {
        try await TestNodes.with(["n1", "n2"]) { nodes in
            let token = try await nodes[1].token()
            let own = try await nodes[0].token()
            let cases: [(names: [String], tokens: [String], says: String)] = [
                (["n1", "n2"], [], "no token of n2"), (["n1"], [token], "token of n2, which --nodes does not name"),
                (["n2"], [token], "does not name n1"), (["n1", "n1"], [], "names a node twice"), ([], [token, token], "Two of the tokens"),
                ([], [own], "is of n1, the node that is asked"), ([], [String(token.dropLast())], "mistyped"),
            ]
            for each in cases {
                let error = await #expect(throws: APIError.self) {
                    try await Self.creation(nodes, names: each.names, tokens: each.tokens)
                }
                #expect(error?.code == .invalid && error?.message.contains(each.says) == true, "\(String(describing: error))")
            }
        }
    }

    @Test("What a crash left is tidied at the next start: nothing pending stays, a member stays one and can still be taken back")
    func crash() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            let node = nodes[0]
            let before = node.files
            let candidate = try RemoteCandidate(NodeToken(try await node.token()), founder: JoinTests.n1, identity: "/nowhere")
            let offer = try await candidate.prepare(for: JoinTests.prod)
            let bundle = try Self.bundle(for: node.name)
            try await candidate.deliver(bundle, session: offer.session)
            #expect(node.folder.hasPending)
            #expect(try node.folder.member() == nil)
            // kill -9, start: dropped.
            #expect(try node.folder.tidy())
            try await node.start()
            #expect(node.files == before)

            let again = try await candidate2(node)
            try await again.0.deliver(bundle, session: again.1)
            try await again.0.activate(session: again.1)
            try await node.start()
            #expect(try node.folder.tidy() == false)
            #expect(try node.folder.member()?.cluster == JoinTests.prod)
            // The session outlives the crash, as a hash: whoever formed the cluster may still take it back.
            try await #require(await node.desk).abortJoin(JoinOrder(session: again.1))
            #expect(try node.folder.member() == nil)
            #expect(node.files == before)
            await candidate.close()
            await again.0.close()
        }
    }

    private func candidate2(_ node: TestNode) async throws -> (RemoteCandidate, Data) {
        let candidate = try RemoteCandidate(NodeToken(try await node.token()), founder: JoinTests.n1, identity: "/nowhere")
        return (candidate, try await candidate.prepare(for: JoinTests.prod).session)
    }

    @Test("A bundle for another node or cluster, or with broken certificates, is refused and leaves nothing")
    func wrongBundles() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            let before = nodes[0].files
            let (candidate, session) = try await candidate2(nodes[0])
            var bundle = try Self.bundle(for: NodeName("n9"))
            await #expect(throws: APIError.self) { try await candidate.deliver(bundle, session: session) }
            bundle = try Self.bundle(for: nodes[0].name)
            bundle.cluster = ClusterName(unchecked: "other")
            await #expect(throws: APIError.self) { try await candidate.deliver(bundle, session: session) }
            bundle = try Self.bundle(for: nodes[0].name)
            bundle.api.key = "no key"
            await #expect(throws: APIError.self) { try await candidate.deliver(bundle, session: session) }
            #expect(nodes[0].files == before)
            let early = await #expect(throws: APIError.self) { try await candidate.activate(session: session) }
            #expect(early?.message.contains("joining is prepared") == true, "\(String(describing: early))")
            try await candidate.abort(session: session)
            await candidate.close()
        }
    }

    static func bundle(for node: NodeName) throws -> MembershipBundle {
        let issued = try CertificateAuthority.create(cluster: "prod", now: Date())
            .issueNodeCertificate(node: node.rawValue, addresses: ["127.0.0.1"], now: Date())
        return MembershipBundle(
            clusterID: UUID(), cluster: JoinTests.prod, node: node, nodeID: try #require(NodeID(rawValue: 2)),
            nodes: [NodeAddress(name: node, cluster: "127.0.0.1", migration: "127.0.0.1")], api: .init(issued.api),
            stream: .init(issued.stream),
            corosyncKey: Data(repeating: 1, count: 256), corosyncConfiguration: "totem {}", image: Data("{}".utf8))
    }
}
