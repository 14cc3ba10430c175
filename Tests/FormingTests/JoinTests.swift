import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeIdentity
import Testing

@testable import Forming

/// Everything over real TLS on loopback.
@Suite("Joining over the network", .serialized, .timeLimit(.minutes(1)))
struct JoinTests {
    static let prod = ClusterName(unchecked: "prod")
    static let n1 = NodeName(unchecked: "n1")

    static func candidate(_ text: String, identity: String = "/nowhere") throws -> (RemoteCandidate, NodeToken) {
        let token = try NodeToken(text)
        return (try RemoteCandidate(token, founder: n1, identity: identity), token)
    }

    @Test("Whoever has the token is told what the node has; once")
    func token() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            let (candidate, _) = try Self.candidate(try await nodes[0].token())
            let before = nodes[0].files
            let offer = try await candidate.prepare(for: Self.prod)
            #expect(offer.node == nodes[0].name)
            #expect(offer.session.count == 32)
            let second = await #expect(throws: APIError.self) { try await candidate.prepare(for: Self.prod) }
            #expect(second?.message.contains("used already") == true, "\(String(describing: second))")
            try await candidate.abort(session: offer.session)
            #expect(nodes[0].files == before)
            // Taken back in an orderly way: the administrator need not fetch another.
            let again = try await candidate.prepare(for: Self.prod)
            try await candidate.abort(session: again.session)
            await candidate.close()
        }
    }

    @Test("A node that shows another certificate than the token says is sent nothing")
    func pinned() async throws {
        try await TestNodes.with(["n2", "n3"]) { nodes in
            // The impostor answers at the address of the token, with a good certificate of its own.
            let port = await nodes[1].port
            let text = try await nodes[0].token()
            var token = try NodeToken(text)
            token.address = nodes[1].address
            token.port = UInt16(port)
            let (candidate, _) = try Self.candidate(try token.text())
            let error = await #expect(throws: APIError.self) { try await candidate.prepare(for: Self.prod) }
            #expect(error?.code == .forbidden)
            #expect(error?.message.contains("another certificate than its token says") == true, "\(String(describing: error))")
            #expect(await nodes[1].asked.isEmpty)
            await candidate.close()
        }
    }

    @Test("Wrong and expired secrets are refused with the cure")
    func wrongSecrets() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            var token = try NodeToken(try await nodes[0].token(lifetime: .zero))
            let (expired, _) = try Self.candidate(try token.text())
            let late = await #expect(throws: APIError.self) { try await expired.prepare(for: Self.prod) }
            #expect(late?.code == .forbidden && late?.message.contains("expired") == true)
            token.secret = JoinSecret.random(byteCount: 16)
            let (guess, _) = try Self.candidate(try token.text())
            for _ in 0..<TokenBook.mostFailures {
                let error = await #expect(throws: APIError.self) { try await guess.prepare(for: Self.prod) }
                #expect(error?.code == .forbidden && error?.message.contains("apus node token") == true)
            }
            let flood = await #expect(throws: APIError.self) { try await guess.prepare(for: Self.prod) }
            #expect(flood?.code == .busy)
            // Whoever floods does not keep the right one out.
            let (right, _) = try Self.candidate(try await nodes[0].token())
            try await right.abort(session: try await right.prepare(for: Self.prod).session)
            for candidate in [expired, guess, right] { await candidate.close() }
        }
    }

    @Test("Without a certificate nothing but joining is answered")
    func stranger() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            let token = try NodeToken(try await nodes[0].token())
            let client = NodeClient(
                address: token.address, port: Int(token.port), node: nodes[0].name, fingerprint: token.fingerprint)
            let calls: [(String, @Sendable () async throws -> Void)] = [
                ("nodes", { _ = try await client.nodes() }), ("facts", { _ = try await client.facts() }),
                ("disks", { _ = try await client.disks() }), ("token", { _ = try await client.makeToken(TokenRequest()) }),
                ("membership", { _ = try await client.membership() }),
                (
                    "create",
                    { _ = try await client.createCluster(CreateClusterRequest(name: Self.prod, nodes: [], tokens: [], witness: .none)) }
                ),
                ("destroy", { _ = try await client.destroyCluster(DestroyClusterRequest(name: nil, localOnly: true, force: true)) }),
            ]
            for (name, call) in calls {
                let error = await #expect(throws: APIError.self, "\(name)") { try await call() }
                #expect(error?.code == .forbidden, "\(name): \(String(describing: error))")
            }
            #expect(await nodes[0].asked.isEmpty)
            for secret in [Data(), Data([1]), Data(repeating: 0, count: 32), Data(repeating: 7, count: 10_000)] {
                let order = JoinOrder(session: secret)
                for call in [client.activateMembership, client.abortJoin] as [@Sendable (JoinOrder) async throws(APIError) -> Void] {
                    let error = await #expect(throws: APIError.self) { try await call(order) }
                    #expect(error?.code == .refused)
                }
            }
            await client.close()
        }
    }

    @Test("A session that nobody goes on with blocks no other for ever, and a second founder is told who is first")
    func second() async throws {
        try await TestNodes.with(["n2"]) { nodes in
            let (first, _) = try Self.candidate(try await nodes[0].token())
            let (other, _) = try Self.candidate(try await nodes[0].token())
            let offer = try await first.prepare(for: Self.prod)
            let error = await #expect(throws: APIError.self) { try await other.prepare(for: ClusterName(unchecked: "test")) }
            #expect(error?.code == .busy && error?.message.contains("prod") == true)
            try await first.abort(session: offer.session)
            // Its token was not used up by the refusal.
            try await other.abort(session: try await other.prepare(for: Self.prod).session)
            await first.close()
            await other.close()
        }
    }
}
