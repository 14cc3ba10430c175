import ClusterAPI
import ClusterModel
import Foundation
import NodeIdentity

/// Takes a node into a running cluster; whatever fails, the cluster and the node are what they were before.
public struct NodeAddition: Sendable {
    public let node: NodeName
    private let candidate: RemoteCandidate
    private let member: MemberRecord
    private let state: ClusterState
    private let own: JoinOffer
    private let engine: any MemberEngine
    private let requestedBy: String
    private let operation: UUID
    /// From activation until the new node holds the whole configuration.
    private static let patience = Duration.seconds(60)
    /// From the change of the configuration until all members follow it. A member whose service does not answer is waited for 30 s.
    private static let settling = Duration.seconds(45)

    /// - Parameters:
    ///   - own: What the asking member offers, to compare the newcomer with.
    ///   - identity: The folder of the asking member's certificates.
    ///   - operation: What the configuration knows it as. Should this node die in the middle, the others finish it or take it back by that.
    /// - Throws: ``APIError/Code/invalid`` for a token that is mistyped.
    public init(
        _ request: AddNodeRequest, member: MemberRecord, state: ClusterState, own: JoinOffer, identity: String, engine: any MemberEngine,
        requestedBy: String, operation: UUID
    ) throws(APIError) {
        self.operation = operation
        let token: NodeToken
        do { token = try NodeToken(request.token) } catch { throw APIError(.invalid, "\(error)") }
        candidate = try RemoteCandidate(token, founder: member.node, identity: identity)
        node = candidate.node
        self.member = member
        self.state = state
        self.own = own
        self.engine = engine
        self.requestedBy = requestedBy
    }

    /// - Returns: A sentence about the new member.
    public func run(_ report: @escaping @Sendable (String) async -> Void) async throws -> String {
        var session: Data?
        var added: NodeID?
        do {
            try await add(&session, &added, report)
            if let leftover = await end(problem: nil) { await report(leftover) }
            await candidate.close()
            return "\(node) is a member of cluster \(member.cluster)."
        } catch {
            let (reachedSession, reachedID) = (session, added)
            // Also when what failed was a cancellation.
            let leftovers = await Task {
                let leftovers = await takeBack(reachedSession, reachedID)
                return leftovers + (await end(problem: (error as? APIError)?.message ?? "\(error)").map { [$0] } ?? [])
            }.value
            await candidate.close()
            throw APIError(failed: error, leftovers: leftovers)
        }
    }

    private func add(
        _ session: inout Data?, _ added: inout NodeID?, _ report: @escaping @Sendable (String) async -> Void
    ) async throws {
        let answer = try await candidate.answer(for: member.cluster)
        let offer = answer.offer
        session = offer.session
        await report("\(offer.node): answers at \(offer.addresses.rings.first ?? "?")")
        let reasons = FormationRules.refusals(
            of: answer,
            joining: state.nodes.values.map { ($0.name, $0.addresses) }, like: .init(offer: own, clockAhead: 0))
        guard reasons.isEmpty else { throw APIError(.refused, FormationRules.Refused(reasons).description) }

        guard let authority = state.authority, state.highestNodeID < UInt16.max, let id = NodeID(rawValue: state.highestNodeID + 1) else {
            throw APIError(.failed, "The configuration holds no certificate authority, or the numbers of nodes are used up.")
        }
        let now = Date()
        let credentials = try CertificateAuthority(try authority.files(), now: now)
            .issueNodeCertificate(node: offer.node.rawValue, addresses: offer.addresses.all, now: now)
        let newcomer = NewNode(id: id, name: offer.node, addresses: offer.addresses, certificate: try credentials.api.facts)
        try await engine.propose(
            .beginOperation(
                operation: PendingOperation(
                    id: operation, kind: .addNode, subject: id, driver: member.nodeID, beganAt: WallTime(now), step: "adding \(offer.node)")
            ),
            requestedBy: requestedBy)
        // Whether it was taken is not always known; taking back a node that is not there does nothing.
        added = id
        try await engine.propose(.addNode(node: newcomer), requestedBy: requestedBy)
        await report("\(offer.node): is in the configuration, without a vote yet")

        try await waitUntilSettled()
        guard let after = await engine.configuration() else { throw APIError(.failed, "The configuration is not known any more.") }
        let bundle = MembershipBundle(
            clusterID: member.clusterID, cluster: member.cluster, node: offer.node, nodeID: id,
            nodes: after.nodes.values.sorted { $0.id < $1.id }.map(\.address), api: .init(credentials.api),
            stream: .init(credentials.stream),
            corosyncKey: try corosyncKey(after), corosyncConfiguration: try engine.corosyncConfiguration(of: after), image: Data())
        try await candidate.deliver(bundle, session: offer.session)
        try await candidate.activate(session: offer.session)
        await report("\(offer.node): is a member, catching up")
        try await waitUntilUp(id, session: offer.session, report)
    }

    /// The number of nodes may change the quorum model and the votes, and with them corosync.conf. A Corosync that starts with another
    /// version than the others' ends itself, so the newcomer gets the file only when the others run with it.
    private func waitUntilSettled() async throws {
        let end = ContinuousClock.now + Self.settling
        while await !engine.isSettled() {
            guard ContinuousClock.now < end else {
                throw APIError(
                    .timeout,
                    "Corosync on the members did not take over the new list of nodes within \(Self.settling.components.seconds) s. The logs "
                        + "of their node services say why.")
            }
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    private func corosyncKey(_ state: ClusterState) throws(APIError) -> Data {
        if let key = state.corosyncKey, let bytes = Data(base64Encoded: key.exposed) { return bytes }
        // It is still the one that all members got when they joined.
        do { return try Data(contentsOf: URL(filePath: candidate.clusterFolder + "/corosync-key")) } catch {
            throw APIError(.failed, "The key of Corosync cannot be read: \(error.localizedDescription)")
        }
    }

    private func waitUntilUp(
        _ id: NodeID, session: Data, _ report: @escaping @Sendable (String) async -> Void
    ) async throws {
        let end = ContinuousClock.now + Self.patience
        var last = "no answer yet"
        while ContinuousClock.now < end {
            let found = try await candidate.progress(session: session)
            last = found.note
            if found.isOpen, await engine.configuration()?.nodes[id]?.presence == .up {
                await report("\(node): up, and holds the configuration")
                return
            }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw APIError(
            .timeout,
            "\(node) is not up after \(Self.patience.components.seconds) s: \(last) Check that the cluster network lets UDP port 5405 and TCP "
                + "port 7060 through.")
    }

    /// Where that fails the operation stays open, and the node service, which has forgotten it by then, says so to the others.
    ///
    /// - Returns: A sentence when it could not be done.
    private func end(problem: String?) async -> String? {
        guard await engine.configuration()?.operations[operation.uuidString] != nil else { return nil }
        do throws(APIError) {
            try await engine.propose(.endOperation(id: operation, problem: problem), requestedBy: requestedBy)
            return nil
        } catch { return "The addition is closed as soon as the configuration can be changed (\(error.message))." }
    }

    private func takeBack(_ session: Data?, _ added: NodeID?) async -> [String] {
        var leftovers: [String] = []
        if let session, let leftover = await candidate.takeBack(session: session) { leftovers.append(leftover) }
        if let added {
            do {
                try await NodeRemoval(node: added, name: node, engine: engine, requestedBy: requestedBy, wasForced: !leftovers.isEmpty)
                    .run()
            } catch { leftovers.append("\(node) is still in the configuration: \(error) Remove it with: apus node evict \(node) --force") }
        }
        return leftovers
    }
}

/// Removes a node that has been stopped from the configuration, whatever the engine has said about it meanwhile.
public struct NodeRemoval: Sendable {
    let node: NodeID
    let name: NodeName
    let engine: any MemberEngine
    let requestedBy: String
    /// Nobody saw it stop; the operator says so.
    let wasForced: Bool
    private static let patience = Duration.seconds(30)

    public init(node: NodeID, name: NodeName, engine: any MemberEngine, requestedBy: String, wasForced: Bool) {
        self.node = node
        self.name = name
        self.engine = engine
        self.requestedBy = requestedBy
        self.wasForced = wasForced
    }

    public func run() async throws {
        let end = ContinuousClock.now + Self.patience
        while true {
            guard let state = await engine.configuration() else {
                throw APIError(.failed, "The configuration is not known any more. Whether \(name) was removed is not known either.")
            }
            guard let command = nextStep(state) else { return }
            do throws(APIError) {
                try await engine.propose(command, requestedBy: requestedBy)
            } catch {
                // The engine says the same things by itself, and may have been first.
                guard ContinuousClock.now < end else { throw error }
                try await Task.sleep(for: .milliseconds(300))
            }
            guard ContinuousClock.now < end else {
                throw APIError(.timeout, "\(name) was not removed within \(Self.patience.components.seconds) s. Order it again.")
            }
        }
    }

    /// What is to be said next; nil when the node is gone.
    func nextStep(_ state: ClusterState) -> ClusterCommand? {
        guard let found = state.nodes[node] else { return nil }
        let why = wasForced ? "It does not answer; \(requestedBy) says that it is off." : "It was stopped, to be evicted."
        switch found.presence {
        case .up: return .nodeDown(node: node, presence: wasForced ? .lost : .stopped, reason: why)
        case .lost: return .nodeDown(node: node, presence: .fenced, reason: why)
        case .stopped, .fenced: break
        }
        if state.votes.nodes[node, default: 0] > 0, state.votes.version < .max {
            var table = state.votes
            table.nodes[node] = 0
            table.version += 1
            return .changeVotes(table: table, reason: "\(name) is being evicted.")
        }
        return .evictNode(node: node, reason: "Evicted by \(requestedBy).")
    }
}

extension ClusterNode {
    /// Where it is reached.
    public var address: NodeAddress { addresses.address(of: name) }
}
