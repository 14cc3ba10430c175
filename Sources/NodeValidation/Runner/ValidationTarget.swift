import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeIdentity
import Validation

/// A node of a validation, and the way to ask it.
///
/// Every node is asked through its API, the asking one too, so that a deadline holds whatever the probe does.
struct ValidationTarget: Sendable {
    let node: NodeName
    let address: String
    /// Whether it belongs to the same cluster as the asking node.
    let isMember: Bool
    private let client: NodeClient
    /// Of the node's token; nil for a member of the cluster, and for the asking node.
    private let secret: Data?

    /// The asking node.
    init(own node: NodeName, address: String, socketPath: String, isMember: Bool) {
        self.isMember = isMember
        self.node = node
        self.address = address
        client = NodeClient(socketPath: socketPath)
        secret = nil
    }

    /// A member of the asking node's cluster.
    init(member: NodeAddress, port: Int, identity: String) throws(APIError) {
        isMember = true
        node = member.name
        address = member.cluster
        client = try NodeClient(
            address: member.cluster, port: port, node: member.name, identity: identity, connectTimeout: .seconds(3))
        secret = nil
    }

    /// A node that belongs to no cluster.
    ///
    /// - Throws: ``APIError/Code/invalid`` for a token that is mistyped.
    init(token text: String) throws(APIError) {
        isMember = false
        let token: NodeToken
        do {
            token = try NodeToken(text)
            node = try NodeName(token.node)
        } catch { throw APIError(.invalid, "\(error)") }
        address = token.address
        client = NodeClient(address: token.address, port: Int(token.port), node: node, fingerprint: token.fingerprint)
        secret = Data(token.secret)
    }

    /// A node that belongs to no cluster and opened itself to the nodes of a run.
    init(_ node: NodeName, door: GuestDoorQuestion.Evidence) {
        self.node = node
        isMember = false
        address = door.address
        client = NodeClient(address: door.address, port: door.port, node: node, fingerprint: [UInt8](door.fingerprint))
        secret = door.secret
    }

    func ask<Question: ProbeQuestion>(
        _ question: Question, run: UUID, within deadline: Duration
    ) async throws(ProbeFailure) -> Question.Evidence {
        do {
            let request = ProbeRequest(run: run, probe: Question.name, question: try JSONValue(encoding: question))
            let client = client.waiting(deadline)
            let reply =
                if let secret {
                    try await client.probeFree(FreeProbeRequest(secret: secret, request: request))
                } else {
                    try await client.probe(request)
                }
            return try reply.evidence.decoded(as: Question.Evidence.self)
        } catch let error as APIError {
            throw ProbeFailure(node: node, reason: error.message)
        } catch let error as DecodingError {
            throw ProbeFailure(
                node: node, reason: "It answered something else than expected: \(error.sentence). Do all nodes run the same Apus version?")
        } catch { throw ProbeFailure(node: node, reason: "\(error)") }
    }

    func close() async { await client.close() }
}
