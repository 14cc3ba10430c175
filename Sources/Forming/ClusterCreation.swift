import ClusterAPI
import ClusterModel
import Foundation
import NodeIdentity

/// What forming a cluster needs of the engine that will run it.
public protocol ClusterFounder: Sendable {
    /// The JSON form of the ``ReplicaImage`` that every node begins with; the same bytes for all.
    func initialImage(of seed: ClusterSeed) throws(APIError) -> Data
    /// The corosync.conf of the new cluster.
    func corosyncConfiguration(of seed: ClusterSeed, image: Data) throws(APIError) -> String
    /// A key for Corosync's links.
    func newCorosyncKey() -> Data
    /// Makes the witness of the seed ready. Nothing to do without a witness.
    func initializeWitness(of seed: ClusterSeed, force: Bool) async throws(APIError)
    /// Takes back what ``initializeWitness(of:force:)`` did.
    func clearWitness(_ witness: Witness, of cluster: UUID) async throws(APIError)
}

/// Forms a cluster, step by step; whatever fails, every node is what it was before.
public struct ClusterCreation: Sendable {
    private let request: CreateClusterRequest
    private let candidates: [any JoinCandidate]
    private let folder: ClusterFolder
    private let founder: any ClusterFounder
    private let limits: Limits
    private let report: @Sendable (String) async -> Void

    public struct Limits: Sendable {
        /// From activation until all nodes are up in one open epoch.
        public var opening = Duration.seconds(60)
        public var poll = Duration.milliseconds(300)
        public init() {}
    }

    /// - Parameters:
    ///   - desk: Of the asking node, which belongs to no cluster.
    ///   - folder: Of the asking node.
    ///   - report: Told what has been reached.
    /// - Throws: ``APIError/Code/invalid`` for tokens that are mistyped or missing.
    public init(
        _ request: CreateClusterRequest, node: NodeName, desk: JoinDesk, folder: ClusterFolder, founder: any ClusterFounder,
        limits: Limits = Limits(), report: @escaping @Sendable (String) async -> Void
    ) throws(APIError) {
        self.request = request
        candidates = [LocalCandidate(node: node, desk: desk)] + (try Self.others(request, node: node, identity: folder.identity))
        self.folder = folder
        self.founder = founder
        self.limits = limits
        self.report = report
    }

    /// Most nodes a cluster has: 32 is where Corosync's makers stop recommending it.
    public static let mostNodes = 32

    private static func others(
        _ request: CreateClusterRequest, node: NodeName, identity: String
    ) throws(APIError) -> [RemoteCandidate] {
        guard request.tokens.count < mostNodes else { throw APIError(.invalid, "A cluster has at most \(mostNodes) nodes.") }
        var found: [NodeName: RemoteCandidate] = [:]
        for text in request.tokens {
            let candidate = try RemoteCandidate(text: text, founder: node, identity: identity)
            guard candidate.node != node else {
                throw APIError(
                    .invalid,
                    "One of the tokens is of \(node), the node that is asked; it needs none. If another node bears this name too, "
                        + "rename it in its node.yaml.")
            }
            guard found.updateValue(candidate, forKey: candidate.node) == nil else {
                throw APIError(.invalid, "Two of the tokens are of \(candidate.node). Give one of each node.")
            }
        }
        guard !request.nodes.isEmpty else { return found.values.sorted { $0.node < $1.node } }
        guard Set(request.nodes).count == request.nodes.count else { throw APIError(.invalid, "--nodes names a node twice.") }
        guard request.nodes.contains(node) else {
            throw APIError(.invalid, "--nodes does not name \(node), the node that is asked. It becomes a member too.")
        }
        var ordered: [RemoteCandidate] = []
        for name in request.nodes where name != node {
            guard let candidate = found.removeValue(forKey: name) else {
                throw APIError(.invalid, "There is no token of \(name). Run `apus node token` on \(name) and give its word with --token.")
            }
            ordered.append(candidate)
        }
        guard let extra = found.keys.min() else { return ordered }
        throw APIError(.invalid, "There is a token of \(extra), which --nodes does not name.")
    }

    /// - Returns: A sentence about the new cluster.
    /// - Throws: ``APIError`` that says why not, and what else is to be done if a node could not be made as it was.
    public func run() async throws -> String {
        var progress = Progress()
        do {
            let sentence = try await form(&progress)
            await close()
            return sentence
        } catch {
            let reached = progress
            // Taking back must also be done when what failed was a cancellation, so it runs in a task that nobody cancels.
            let leftovers = await Task { await takeBack(reached) }.value
            await close()
            throw APIError(failed: error, leftovers: leftovers)
        }
    }

    /// What has to be taken back if it fails.
    private struct Progress: Sendable {
        var sessions: [NodeName: Data] = [:]
        /// That was initialised.
        var witness = Witness.none
        var cluster = UUID()
    }

    private func form(_ progress: inout Progress) async throws -> String {
        let answers = try await prepare(&progress)
        let choice: Witness
        do { choice = try FormationRules.witness(for: answers, choice: request.witness, force: request.force) } catch {
            throw APIError(.refused, error.description)
        }
        await report("\(answers.count) nodes fit together; \(choice)")

        let (seed, credentials) = try found(answers.map(\.offer), witness: choice)
        let image = try founder.initialImage(of: seed)
        let configuration = try founder.corosyncConfiguration(of: seed, image: image)
        if choice != .none {
            try await founder.initializeWitness(of: seed, force: request.force)
            (progress.witness, progress.cluster) = (choice, seed.id)
            await report("the witness is initialised")
        }
        for (member, credentials) in zip(seed.members, credentials) {
            guard let candidate = candidates.first(where: { $0.node == member.name }), let session = progress.sessions[member.name] else {
                throw APIError(.failed, "\(member.name) is missing among the nodes that were prepared.")
            }
            let bundle = MembershipBundle(
                clusterID: seed.id, cluster: seed.name, node: member.name, nodeID: member.id, nodes: seed.members.map(\.address),
                api: .init(credentials.api), stream: .init(credentials.stream), corosyncKey: seed.corosyncKey,
                corosyncConfiguration: configuration, image: image)
            try await candidate.deliver(bundle, session: session)
            await report("\(member.name): ready to become a member")
        }
        // Whatever ends this service from here on, the next one goes on with it: it takes effect with this node's own activation.
        try folder.keepPending(founding(of: seed, progress.sessions))
        try await activate(progress.sessions)
        try await waitUntilOpen(progress.sessions)
        try folder.endFounding()
        return "Cluster \(seed.name) runs with \(seed.members.map(\.name.rawValue).joined(separator: ", "))."
    }

    private func founding(of seed: ClusterSeed, _ sessions: [NodeName: Data]) -> Founding {
        var founding = Founding(session: Data(), others: [], clusterID: seed.id, cluster: seed.name, witness: seed.witness)
        for candidate in candidates {
            guard let session = sessions[candidate.node] else { continue }
            if let token = candidate.tokenText {
                founding.others.append(.init(token: token, session: session))
            } else {
                founding.session = session
            }
        }
        return founding
    }

    private func prepare(_ progress: inout Progress) async throws(APIError) -> [FormationRules.Answer] {
        var answers: [FormationRules.Answer] = []
        for candidate in candidates {
            let answer = try await candidate.answer(for: request.name)
            let offer = answer.offer
            progress.sessions[candidate.node] = offer.session
            answers.append(answer)
            guard offer.node == candidate.node else {
                throw APIError(.refused, "The node with the token of \(candidate.node) calls itself \(offer.node). Make a new token there.")
            }
            await report("\(offer.node): answers at \(offer.addresses.rings.first ?? "?")")
        }
        return answers
    }

    private func found(
        _ offers: [JoinOffer], witness: Witness
    ) throws(APIError) -> (ClusterSeed, [NodeCredentials]) {
        let now = Date()
        do {
            let authority = try CertificateAuthority.create(cluster: request.name.rawValue, now: now)
            var credentials: [NodeCredentials] = []
            var members: [ClusterSeed.Member] = []
            for (index, offer) in offers.enumerated() {
                let issued = try authority.issueNodeCertificate(node: offer.node.rawValue, addresses: offer.addresses.all, now: now)
                guard let id = NodeID(rawValue: UInt16(index + 1)) else {
                    preconditionFailure("a cluster has at most \(Self.mostNodes) nodes")
                }
                credentials.append(issued)
                members.append(
                    ClusterSeed.Member(
                        id: id, name: offer.node, addresses: offer.addresses, apiPort: offer.apiPort,
                        certificate: try issued.api.facts))
            }
            let seed = ClusterSeed(
                id: UUID(), name: request.name, createdAt: now, requestedBy: nil, members: members, witness: witness,
                witnessID: witness == .none ? 0 : .random(in: 1 ... .max), authority: ClusterAuthority(try authority.files()),
                corosyncKey: founder.newCorosyncKey())
            return (seed, credentials)
        } catch { throw APIError(.failed, "The keys of cluster \(request.name) cannot be made: \(error)") }
    }

    /// The asking node first: with its certificate it can go on speaking to the others once they show the cluster's.
    private func activate(_ sessions: [NodeName: Data]) async throws {
        guard let own = candidates.first else { return }
        if let session = sessions[own.node] {
            try await own.activate(session: session)
            await report("\(own.node): is a member, starting")
        }
        try await withThrowingTaskGroup(of: NodeName.self) { group in
            for candidate in candidates.dropFirst() {
                guard let session = sessions[candidate.node] else { continue }
                group.addTask {
                    try await candidate.activate(session: session)
                    return candidate.node
                }
            }
            for try await node in group { await report("\(node): is a member, starting") }
        }
    }

    private func waitUntilOpen(_ sessions: [NodeName: Data]) async throws {
        let end = ContinuousClock.now + limits.opening
        var waiting = candidates.map(\.node)
        var last: [NodeName: String] = [:]
        while !waiting.isEmpty {
            for candidate in candidates where waiting.contains(candidate.node) {
                guard let session = sessions[candidate.node] else { continue }
                let found = try await candidate.progress(session: session)
                last[candidate.node] = found.note
                guard found.isOpen else { continue }
                waiting.removeAll { $0 == candidate.node }
                await report("\(candidate.node): up")
            }
            if waiting.isEmpty { return }
            guard ContinuousClock.now < end else {
                let who = waiting.map { "\($0) (\(last[$0] ?? "no answer"))" }.joined(separator: ", ")
                throw APIError(
                    .timeout,
                    "Not up after \(limits.opening.components.seconds) s: \(who). Check that the cluster network lets UDP port 5405 and TCP "
                        + "port 7060 through between the nodes.")
            }
            try await Task.sleep(for: limits.poll)
        }
    }

    private func takeBack(_ progress: Progress) async -> [String] {
        await Self.takeBack(candidates, progress.sessions, progress.witness, of: progress.cluster, founder, report)
    }

    /// The first node last: its certificate is needed to speak to the others.
    ///
    /// - Returns: What could not be taken back, in sentences.
    static func takeBack(
        _ candidates: [any JoinCandidate], _ sessions: [NodeName: Data], _ witness: Witness, of cluster: UUID,
        _ founder: any ClusterFounder, _ report: @Sendable (String) async -> Void
    ) async -> [String] {
        var leftovers: [String] = []
        for candidate in candidates.reversed() {
            guard let session = sessions[candidate.node] else { continue }
            if let leftover = await candidate.takeBack(session: session) {
                leftovers.append(leftover)
            } else {
                await report("\(candidate.node): as before")
            }
        }
        guard witness != .none else { return leftovers }
        do throws(APIError) { try await founder.clearWitness(witness, of: cluster) } catch {
            leftovers.append("The \(witness) was initialised and could not be cleared: \(error.message)")
        }
        return leftovers
    }

    private func close() async { for candidate in candidates { await candidate.close() } }
}
