import ClusterAPI
import ClusterModel
import Foundation
import NodeIdentity
import Synchronization
import Testing

@testable import Forming

/// The node that creates a cluster dies in the middle: all nodes are members in the end, or all are free.
@Suite("A creation that was broken off", .serialized, .timeLimit(.minutes(2)))
struct ResumptionTests {
    private typealias Reply = FoundingDecision.Reply

    @Test(
        "Forward when all are members or the cluster may be in use, back when one is not and will not be",
        arguments: [
            ([.member(isOpen: false), .member(isOpen: false)], false, .forward), ([], false, .forward),
            ([.member(isOpen: false), .silent("")], false, .wait), ([.member(isOpen: false), .silent("")], true, .back),
            ([.member(isOpen: true), .silent("")], false, .forward), ([.member(isOpen: true), .refused("")], true, .forward),
            ([.member(isOpen: false), .refused("")], false, .back), ([.silent(""), .silent("")], false, .wait),
            ([.silent(""), .silent("")], true, .back), ([.silent(""), .refused("")], false, .back),
        ] as [([FoundingDecision.Reply], Bool, FoundingDecision)])
    func decision(replies: [FoundingDecision.Reply], isLate: Bool, expected: FoundingDecision) {
        #expect(FoundingDecision(replies, isLate: isLate) == expected)
    }

    /// Everything up to a step of the creation, by hand; then the first node's service is started anew.
    private func broken(_ nodes: [TestNode], activated: Int) async throws -> (before: [[String]], founding: Founding?) {
        let before = nodes.map(\.files)
        let authority = try CertificateAuthority.create(cluster: "prod", now: Date())
        let addresses = nodes.map { NodeAddress(name: $0.name, cluster: $0.address, migration: $0.address) }
        var candidates: [(candidate: any JoinCandidate, session: Data)] = []
        let desk = try #require(await nodes[0].desk)
        var founding = Founding(
            session: Data(), others: [], clusterID: UUID(), cluster: JoinTests.prod, witness: .disk(id: DiskID("a")))
        for (index, node) in nodes.enumerated() {
            let candidate: any JoinCandidate
            if index == 0 {
                candidate = LocalCandidate(node: node.name, desk: desk)
            } else {
                candidate = try RemoteCandidate(
                    text: try await node.token(), founder: nodes[0].name, identity: nodes[0].folder.identity)
            }
            let session = try await candidate.prepare(for: JoinTests.prod).session
            let issued = try authority.issueNodeCertificate(node: node.name.rawValue, addresses: [node.address], now: Date())
            try await candidate.deliver(
                MembershipBundle(
                    clusterID: founding.clusterID, cluster: JoinTests.prod, node: node.name,
                    nodeID: try #require(NodeID(rawValue: UInt16(index + 1))), nodes: addresses, api: .init(issued.api),
                    stream: .init(issued.stream), corosyncKey: Data(repeating: 1, count: 256), corosyncConfiguration: "totem {}",
                    image: Data("{}".utf8)), session: session)
            candidates.append((candidate, session))
            if let token = candidate.tokenText {
                founding.others.append(.init(token: token, session: session))
            } else {
                founding.session = session
            }
        }
        try nodes[0].folder.keepPending(founding)
        for (candidate, session) in candidates.prefix(activated) { try await candidate.activate(session: session) }
        for (candidate, _) in candidates { await candidate.close() }
        try nodes[0].folder.tidy()
        try await nodes[0].start()
        return (before, nodes[0].folder.founding())
    }

    private func resume(_ founding: Founding, _ node: TestNode, _ founder: PlayedFounder) async throws -> String {
        try await CreationResumption(
            founding, node: node.name, desk: try #require(await node.desk), folder: node.folder, founder: founder, patience: .seconds(30),
            poll: .milliseconds(20)
        ).run { _ in }
    }

    @Test("Killed before its own activation, nothing has happened there; the others forget")
    func beforeTheFirst() async throws {
        try await TestNodes.with(["n1", "n2"]) { nodes in
            let (before, founding) = try await broken(nodes, activated: 0)
            #expect(founding == nil)
            #expect(nodes[0].files == before[0])
        }
    }

    @Test("Killed after its own activation, or later, the next service goes on", arguments: [1, 2, 3])
    func forward(activated: Int) async throws {
        try await TestNodes.with(["n1", "n2", "n3"]) { nodes in
            let founding = try #require(try await broken(nodes, activated: activated).founding)
            let founder = PlayedFounder()
            #expect(try await resume(founding, nodes[0], founder) == "Cluster prod is formed.")
            for node in nodes { #expect(try node.folder.member()?.clusterID == founding.clusterID && !node.folder.hasPending) }
            #expect(nodes[0].folder.founding() == nil)
            #expect(founder.seen.withLock { $0.cleared } == 0)
        }
    }

    @Test("A node that has forgotten meanwhile makes all free again, the witness too", arguments: [1, 2])
    func back(activated: Int) async throws {
        try await TestNodes.with(["n1", "n2", "n3"]) { nodes in
            for node in nodes { await node.set(memberPhase: .starting) }
            let (before, found) = try await broken(nodes, activated: activated)
            let founding = try #require(found)
            try nodes[2].folder.tidy()
            try await nodes[2].start()
            let founder = PlayedFounder()
            let error = await #expect(throws: APIError.self) { try await resume(founding, nodes[0], founder) }
            #expect(error?.message.contains("knows nothing of this join") == true, "\(String(describing: error))")
            for node in nodes { #expect(try node.folder.member() == nil) }
            #expect(nodes[0].files == before[0] && nodes[1].files == before[1])
            #expect(founder.seen.withLock { $0.cleared } == 1)
        }
    }

    @Test("When it stays away, nodes that were not told follow one that was; when none was told, they do not")
    func followers() async throws {
        try await TestNodes.with(["n1", "n2", "n3"]) { nodes in
            for node in nodes { try await node.doubts(after: .zero) }
            let founding = try #require(try await broken(nodes, activated: 2).founding)
            let desk = try #require(await nodes[2].desk)
            await nodes[2].knows(members: [])
            await desk.lookAfter()
            #expect(try nodes[2].folder.member() == nil && nodes[2].folder.hasPending)
            await nodes[2].knows(members: [nodes[1].name])
            await desk.lookAfter()
            #expect(try nodes[2].folder.member()?.clusterID == founding.clusterID)
            // The one that comes back finds all of them there.
            #expect(try await resume(founding, nodes[0], PlayedFounder()) == "Cluster prod is formed.")
        }
    }
}
