import ClusterAPI
import ClusterModel
import Foundation
import Logging
import NodeIdentity

/// What the desk needs of the node it stands in.
public protocol JoiningHost: Sendable {
    /// What the node has, as it is now; the session is filled in by the desk.
    func offer() async throws(APIError) -> JoinOffer
    /// The cluster folder is there: start Corosync and the engine, and show the cluster's certificate.
    func becomeMember(_ record: MemberRecord) async throws(APIError)
    /// How far the member is: ``JoinState/Phase/starting``, ``JoinState/Phase/open`` or ``JoinState/Phase/failed``.
    func memberState() async -> JoinState
    /// Stops what ``becomeMember(_:)`` started, takes back the files it wrote outside of the cluster folder, and shows the certificate
    /// of a free node again. The cluster folder is removed by the desk. Does nothing on a free node.
    func becomeFree() async throws(APIError)
    /// Whether another node says that it is a member of a cluster, asked with certificates of that cluster.
    func isMember(_ other: NodeAddress, of cluster: UUID, identity: String) async -> Bool
}

/// Where a free node is taken into a cluster: checks the token, keeps what is delivered, and makes it hold or takes it back.
///
/// One at a time. What is not gone on with is dropped after ``patience``.
public actor JoinDesk {
    private struct Session {
        var secret: JoinSecret
        var founder: NodeName
        var cluster: ClusterName
        var token: TokenBook.ID?
        var phase: JoinState.Phase
        var lastHeard: ContinuousClock.Instant
        /// A call is at work in it.
        var isBusy = false
    }

    private let node: NodeName
    private let folder: ClusterFolder
    private let host: any JoiningHost
    private let machineGroup: UInt32?
    private let doubt: Duration
    private let logger: Logger
    private var tokens = TokenBook()
    private var session: Session?

    /// How long a session that was not activated waits for its next call.
    public static let patience = Duration.seconds(60)
    /// How long a node that was given all that makes it a member waits for the order, until it asks the others whether they have got it.
    public static let doubt = Duration.seconds(5)
    /// How long after activation it may be taken back.
    public static let regret = Duration.seconds(300)

    /// - Parameter machineGroup: The group of the user that QEMU runs as.
    public init(
        node: NodeName, folder: ClusterFolder, machineGroup: UInt32?, host: any JoiningHost, logger: Logger,
        doubt: Duration = JoinDesk.doubt
    ) {
        self.doubt = doubt
        self.node = node
        self.folder = folder
        self.machineGroup = machineGroup
        self.host = host
        self.logger = logger
        // A crash after activation: whoever formed the cluster may still take it back.
        if let kept = folder.session(), let member = try? folder.member() {
            session = Session(
                secret: JoinSecret(digest: Array(kept.digest)), founder: kept.founder, cluster: member.cluster, token: nil,
                phase: .starting,
                lastHeard: .now)
        }
    }

    /// A new token's secret, good until `lifetime` has passed.
    public func makeSecret(lifetime: Duration) throws(APIError) -> [UInt8] {
        try requireFree()
        let secret = JoinSecret.random(byteCount: NodeToken.secretByteCount)
        tokens.add(secret: secret, expires: .now + lifetime)
        return secret
    }

    /// Goes on with what the others went on with, and drops sessions that nobody does; to be called now and then.
    public func lookAfter() async {
        await followTheOthers()
        expire()
    }

    /// Whoever forms the cluster may have died between its orders. One other node that became a member means that all are to.
    ///
    /// Not where a node is added to a cluster that runs: there the others are members already, and take out again who was not told.
    private func followTheOthers() async {
        guard let waiting = session, waiting.phase == .pending, !waiting.isBusy, ContinuousClock.now - waiting.lastHeard > doubt,
            let pending = try? folder.pendingMember(), pending.isFounding
        else { return }
        let (host, record) = (host, pending.record)
        let others = record.nodes.filter { $0.name != node }
        let isFollowed = await withTaskGroup(of: Bool.self) { group in
            for other in others { group.addTask { await host.isMember(other, of: record.clusterID, identity: pending.identity) } }
            return await group.reduce(false) { $0 || $1 }
        }
        // The order may have come meanwhile, or the end.
        guard isFollowed, let session, session.secret == waiting.secret, session.phase == .pending, !session.isBusy else { return }
        logger.notice("other nodes became members, so this one does", metadata: ["cluster": "\(record.cluster)"])
        self.session?.isBusy = true
        do throws(APIError) { try await activate() } catch {
            logger.error("this node cannot become a member", metadata: ["reason": "\(error)"])
        }
    }

    private func expire() {
        guard let session, !session.isBusy else { return }
        let silence = ContinuousClock.now - session.lastHeard
        switch session.phase {
        case .prepared, .pending:
            guard silence > Self.patience else { return }
            logger.notice("joining was not gone on with and is dropped", metadata: ["cluster": "\(session.cluster)"])
            drop()
        case .starting, .open, .failed:
            guard silence > Self.regret else { return }
            do { try folder.endSession() } catch { logger.warning("a session cannot be ended", metadata: ["reason": "\(error)"]) }
            tokens.removeAll()
            self.session = nil
        }
    }

    /// The session is busy with this.
    private func activate() async throws(APIError) {
        let record: MemberRecord?
        do throws(FolderError) {
            try folder.activate()
            record = try folder.member()
        } catch {
            leave()
            throw self.error(.failed, "\(node) cannot become a member: \(error)")
        }
        guard let record else {
            leave(.failed)
            throw error(.failed, "The cluster folder of \(node) vanished while it became a member.")
        }
        do throws(APIError) {
            try await host.becomeMember(record)
            leave(.starting)
        } catch {
            leave(.failed)
            throw error
        }
    }

    private func drop() {
        do { try folder.dropPending() } catch { logger.warning("a bundle cannot be dropped", metadata: ["reason": "\(error)"]) }
        session = nil
    }

    private func requireFree() throws(APIError) {
        let record: MemberRecord?
        do { record = try folder.member() } catch { throw self.error(.failed, "\(error)") }
        guard let record else { return }
        throw error(
            .refused,
            "\(node) is a member of cluster \(record.cluster) already. Evict it there first, or run `apus cluster destroy --local` on it.")
    }

    private func error(_ code: APIError.Code, _ message: String) -> APIError { APIError(code, message, node: node) }

    // MARK: Sessions

    /// Begins without a token: the caller is this node itself, asked by root or an administrator.
    public func prepareHere(for cluster: ClusterName) async throws(APIError) -> JoinOffer {
        try await begin(founder: node, cluster: cluster, token: nil)
    }

    private func begin(founder: NodeName, cluster: ClusterName, token: TokenBook.ID?) async throws(APIError) -> JoinOffer {
        try requireFree()
        expire()
        // Of a cluster that the node has left since.
        if let session, ![.prepared, .pending].contains(session.phase), !session.isBusy { self.session = nil }
        // The same founder again, with a good token: what it began before has ended without telling.
        if let session, session.founder == founder, session.cluster == cluster, !session.isBusy {
            logger.notice("the same join is begun again", metadata: ["cluster": "\(cluster)", "founder": "\(founder)"])
            drop()
        }
        if let session {
            throw error(
                .busy,
                "\(node) is just being taken into cluster \(session.cluster) by \(session.founder). Try again when that has ended; "
                    + "if \(session.founder) went away, in \(Self.patience.components.seconds) s.")
        }
        let secret = JoinSecret.random(byteCount: 32)
        session = Session(
            secret: JoinSecret(secret), founder: founder, cluster: cluster, token: token, phase: .prepared, lastHeard: .now, isBusy: true)
        do throws(APIError) {
            var offer = try await host.offer()
            offer.session = Data(secret)
            session?.isBusy = false
            session?.lastHeard = .now
            logger.notice("offered to a cluster", metadata: ["cluster": "\(cluster)", "founder": "\(founder)"])
            return offer
        } catch {
            session = nil
            throw error
        }
    }

    /// Enters the session that a secret belongs to, for one call at a time.
    private func enter(_ secret: Data, in phases: Set<JoinState.Phase>, to doing: String) throws(APIError) -> Session {
        guard let session, session.secret.matches(secret) else {
            throw error(
                .refused, "\(node) knows nothing of this join: it took too long, or the node service was restarted. Begin again.")
        }
        guard phases.contains(session.phase) else {
            throw error(.refused, "\(node) cannot \(doing): joining is \(session.phase.rawValue).")
        }
        guard !session.isBusy else { throw error(.busy, "\(node) is at work on another call of the same join.") }
        self.session?.isBusy = true
        self.session?.lastHeard = .now
        return session
    }

    private func leave(_ phase: JoinState.Phase? = nil) {
        session?.isBusy = false
        session?.lastHeard = .now
        if let phase { session?.phase = phase }
    }
}

extension JoinDesk {
    /// Whether a caller knows a token of this node that is good now. It is not spent: looking at a node takes nothing from it.
    public func check(secret: Data) throws(APIError) {
        try requireFree()
        do throws(TokenBook.Refusal) { try tokens.check(secret: secret, now: .now) } catch {
            throw refusal(error, of: "a validation")
        }
    }

    private func refusal(_ refusal: TokenBook.Refusal, of caller: String) -> APIError {
        switch refusal {
        case .unknown:
            logger.warning("somebody came with a token that is not ours", metadata: ["caller": "\(caller)"])
            return error(
                .forbidden,
                "\(node) does not know this token: it was made before its node service was last started. Make a new one on "
                    + "\(node) with `apus node token`.")
        case .tooMany: return error(.busy, "Too many wrong tokens were tried on \(node). Wait a minute.")
        case .expired: return error(.forbidden, "This token has expired. Make a new one on \(node) with `apus node token`.")
        case .spent: return error(.forbidden, "This token was used already. Make a new one on \(node) with `apus node token`.")
        }
    }
}

extension JoinDesk: JoinOperations {
    public func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer {
        try requireFree()
        let id: TokenBook.ID
        do throws(TokenBook.Refusal) { id = try tokens.spend(secret: request.secret, now: .now) } catch {
            throw refusal(error, of: "\(request.founder)")
        }
        do throws(APIError) {
            return try await begin(founder: request.founder, cluster: request.cluster, token: id)
        } catch {
            tokens.giveBack(id)
            throw error
        }
    }

    public func deliverMembership(_ request: MembershipDelivery) async throws(APIError) {
        let session = try enter(request.session, in: [.prepared, .pending], to: "take what makes it a member")
        let bundle = request.bundle
        guard bundle.node == node, bundle.cluster == session.cluster else {
            leave()
            throw error(.invalid, "This bundle is for \(bundle.node) in cluster \(bundle.cluster), not for \(node) in \(session.cluster).")
        }
        do {
            try folder.keepPending(
                bundle, session: FormingSession(digest: Data(session.secret.digest), founder: session.founder), machineGroup: machineGroup,
                now: Date())
            leave(.pending)
        } catch {
            do { try folder.dropPending() } catch { logger.warning("a bundle cannot be dropped", metadata: ["reason": "\(error)"]) }
            leave(.prepared)
            throw self.error(.failed, "\(node) cannot keep what makes it a member: \(error)")
        }
    }

    public func activateMembership(_ request: JoinOrder) async throws(APIError) {
        // A second order is an answer that was lost: say again that it is done.
        if let session, session.secret.matches(request.session), [.starting, .open].contains(session.phase) { return }
        _ = try enter(request.session, in: [.pending], to: "become a member")
        try await activate()
    }

    public func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState {
        guard let session, session.secret.matches(request.session) else {
            throw error(.refused, "\(node) knows nothing of this join. Begin again.")
        }
        self.session?.lastHeard = .now
        guard [.starting, .open].contains(session.phase) else { return JoinState(phase: session.phase) }
        return await host.memberState()
    }

    public func abortJoin(_ request: JoinOrder) async throws(APIError) {
        let session = try enter(
            request.session, in: [.prepared, .pending, .starting, .open, .failed], to: "take back joining")
        logger.notice("joining is taken back", metadata: ["cluster": "\(session.cluster)", "founder": "\(session.founder)"])
        do {
            if ![.prepared, .pending].contains(session.phase) {
                try await host.becomeFree()
                try folder.remove()
            }
            try folder.dropPending()
        } catch {
            leave(.failed)
            throw self.error(
                .failed,
                "\(node) could not be made a free node again: \(error) Run `apus cluster destroy --local --force` on it.")
        }
        if let token = session.token { tokens.giveBack(token) }
        self.session = nil
    }
}
