import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeIdentity

/// A node that is being taken into a cluster, from the side of who takes it in.
protocol JoinCandidate: Sendable {
    var node: NodeName { get }
    /// The token that it is known by; nil for the asking node itself.
    var tokenText: String? { get }
    func prepare(for cluster: ClusterName) async throws(APIError) -> JoinOffer
    func deliver(_ bundle: MembershipBundle, session: Data) async throws(APIError)
    func activate(session: Data) async throws(APIError)
    func state(session: Data) async throws(APIError) -> JoinState
    func abort(session: Data) async throws(APIError)
    func close() async
}

extension JoinCandidate {
    /// Asks what the node offers, and reads its clock.
    func answer(for cluster: ClusterName) async throws(APIError) -> FormationRules.Answer {
        let before = Date()
        let offer = try await prepare(for: cluster)
        // Its clock was read somewhere between; the middle is wrong by half the way at most.
        let middle = before.addingTimeInterval(Date().timeIntervalSince(before) / 2)
        return .init(offer: offer, clockAhead: offer.now.timeIntervalSince(middle))
    }

    /// How far a new member is. One that is changing its certificate, or restarting, may be silent for a moment: that is no failure.
    func progress(session: Data) async throws(APIError) -> (isOpen: Bool, note: String) {
        do throws(APIError) {
            let state = try await state(session: session)
            if state.phase == .failed { throw APIError(.failed, "\(node) did not start: \(state.note ?? "no reason given")") }
            return (state.phase == .open, state.note ?? state.phase.rawValue)
        } catch {
            guard [.unreachable, .timeout].contains(error.code) else { throw error }
            return (false, error.message)
        }
    }

    /// Makes the node what it was.
    ///
    /// - Returns: A sentence when that could not be done.
    func takeBack(session: Data) async -> String? {
        do throws(APIError) {
            try await abort(session: session)
            return nil
        } catch {
            return
                "\(node) may not be as it was before: \(error.message) If `apus cluster status` there still shows a cluster in a minute, "
                + "run `apus cluster destroy --local --force` on it."
        }
    }
}

extension APIError {
    /// What a change that failed is told as.
    ///
    /// - Parameter leftovers: What could not be taken back, in sentences.
    init(failed error: any Error, leftovers: [String]) {
        let failure = error as? APIError ?? APIError(.failed, error is CancellationError ? "The node service was stopped." : "\(error)")
        self.init(failure.code, ([failure.message] + leftovers).joined(separator: "\n"), node: failure.node)
    }
}

/// The asking node itself.
struct LocalCandidate: JoinCandidate {
    let node: NodeName
    let desk: JoinDesk
    var tokenText: String? { nil }

    func prepare(for cluster: ClusterName) async throws(APIError) -> JoinOffer { try await desk.prepareHere(for: cluster) }
    func deliver(_ bundle: MembershipBundle, session: Data) async throws(APIError) {
        try await desk.deliverMembership(MembershipDelivery(session: session, bundle: bundle))
    }
    func activate(session: Data) async throws(APIError) { try await desk.activateMembership(JoinOrder(session: session)) }
    func state(session: Data) async throws(APIError) -> JoinState { try await desk.joinState(JoinOrder(session: session)) }
    func abort(session: Data) async throws(APIError) { try await desk.abortJoin(JoinOrder(session: session)) }
    func close() async {}
}

/// Another node, known by its token.
struct RemoteCandidate: JoinCandidate {
    let node: NodeName
    private let token: NodeToken
    let tokenText: String?
    private let founder: NodeName
    /// Trusts the one certificate that the token names. Good until the node shows that of the cluster.
    private let pinned: NodeClient
    /// The certificates of the asking node in the new cluster. Usable once that has been activated.
    private let identity: String

    /// The cluster folder of the asking node.
    var clusterFolder: String { (identity as NSString).deletingLastPathComponent }

    init(text: String, founder: NodeName, identity: String) throws(APIError) {
        let token: NodeToken
        do { token = try NodeToken(text) } catch { throw APIError(.invalid, "\(error)") }
        try self.init(token, text: text, founder: founder, identity: identity)
    }

    init(_ token: NodeToken, text: String? = nil, founder: NodeName, identity: String) throws(APIError) {
        tokenText = text
        do { node = try NodeName(token.node) } catch { throw APIError(.invalid, "\(error)") }
        self.token = token
        self.founder = founder
        self.identity = identity
        pinned = NodeClient(address: token.address, port: Int(token.port), node: node, fingerprint: token.fingerprint)
    }

    func prepare(for cluster: ClusterName) async throws(APIError) -> JoinOffer {
        try await pinned.prepareJoin(JoinPreparation(secret: Data(token.secret), founder: founder, cluster: cluster))
    }
    func deliver(_ bundle: MembershipBundle, session: Data) async throws(APIError) {
        try await pinned.deliverMembership(MembershipDelivery(session: session, bundle: bundle))
    }

    func activate(session: Data) async throws(APIError) {
        do throws(APIError) { try await pinned.activateMembership(JoinOrder(session: session)) } catch {
            // The answer may be lost while the node changes its certificate; the order is safe to repeat.
            guard [.unreachable, .timeout, .forbidden].contains(error.code) else { throw error }
            try await asMember { client throws(APIError) in try await client.activateMembership(JoinOrder(session: session)) }
        }
    }

    func state(session: Data) async throws(APIError) -> JoinState {
        try await asMember { client throws(APIError) in try await client.joinState(JoinOrder(session: session)) }
    }

    func abort(session: Data) async throws(APIError) {
        // Which certificate it shows depends on how far it came, and the answer that would have told may be the one that was lost.
        do throws(APIError) { try await pinned.waiting(.seconds(60)).abortJoin(JoinOrder(session: session)) } catch {
            guard [.unreachable, .timeout, .forbidden].contains(error.code), FileManager.default.fileExists(atPath: identity) else {
                throw error
            }
            try await asMember { client throws(APIError) in try await client.abortJoin(JoinOrder(session: session)) }
        }
    }

    func close() async { await pinned.close() }

    func asMember<Reply: Sendable>(
        _ call: (NodeClient) async throws(APIError) -> Reply
    ) async throws(APIError) -> Reply {
        let client = try NodeClient(
            address: token.address, port: Int(token.port), node: node, identity: identity, connectTimeout: .seconds(3))
        do throws(APIError) {
            let reply = try await call(client)
            await client.close()
            return reply
        } catch {
            await client.close()
            throw error
        }
    }
}
