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
            address: member.cluster, port: port, node: member.name, identity: identity, connectTimeout: ProbePatience.connection)
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
        client = NodeClient(
            address: token.address, port: Int(token.port), node: node, fingerprint: token.fingerprint,
            connectTimeout: ProbePatience.connection)
        secret = Data(token.secret)
    }

    /// A node that belongs to no cluster and opened itself to the nodes of a run.
    init(_ node: NodeName, door: GuestDoorQuestion.Evidence) {
        self.node = node
        isMember = false
        address = door.address
        client = NodeClient(
            address: door.address, port: door.port, node: node, fingerprint: [UInt8](door.fingerprint),
            connectTimeout: ProbePatience.connection)
        secret = door.secret
    }

    /// Waits for an answer as long as the node gives signs of life, and at most until the deadline: a busy node has its time, and one that
    /// hangs does not hold up the run.
    func ask<Question: ProbeQuestion>(
        _ question: Question, run: UUID, within deadline: Duration
    ) async throws(ProbeFailure) -> Question.Evidence {
        guard deadline > ProbePatience.beforeSign + ProbePatience.sign else { return try await answer(to: question, run, deadline) }
        let result = await withTaskGroup(of: Result<Question.Evidence, ProbeFailure>?.self) { group in
            group.addTask {
                do throws(ProbeFailure) { return .success(try await answer(to: question, run, deadline)) } catch { return .failure(error) }
            }
            group.addTask { await silence(run).map { .failure($0) } }
            defer { group.cancelAll() }
            for await result in group { if let result { return result } }
            return .failure(ProbeFailure(node: node, reason: "The question was given up."))
        }
        return try result.get()
    }

    /// - Returns: Once the node does not even answer a question that costs it no work; nil when cancelled.
    private func silence(_ run: UUID) async -> ProbeFailure? {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: ProbePatience.beforeSign)
                do throws(ProbeFailure) { _ = try await answer(to: ClockQuestion(), run, ProbePatience.sign) } catch {
                    try Task.checkCancellation()
                    // A node that refuses the question is there; it does not know this one, or not from whoever asks.
                    guard error.isSilence else { continue }
                    return ProbeFailure(
                        node: node, reason: "It hangs, or was lost: it does not even tell the time. \(error.reason)", isSilence: true)
                }
            } catch { return nil }
        }
        return nil
    }

    private func answer<Question: ProbeQuestion>(
        to question: Question, _ run: UUID, _ deadline: Duration
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
            throw ProbeFailure(node: node, reason: error.message, isSilence: error.code == .timeout || error.code == .unreachable)
        } catch let error as DecodingError {
            throw ProbeFailure(
                node: node, reason: "It answered something else than expected: \(error.sentence). Do all nodes run the same Apus version?")
        } catch { throw ProbeFailure(node: node, reason: "\(error)") }
    }

    func close() async { await client.close() }
}
