import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

/// Ends the creation of a cluster in whose middle the service of the node that creates was killed: all nodes are members then, or all are
/// free.
public struct CreationResumption: Sendable {
    private let founding: Founding
    private let folder: ClusterFolder
    private let own: LocalCandidate
    private let others: [(candidate: RemoteCandidate, session: Data)]
    private let founder: any ClusterFounder
    private let patience: Duration
    private let poll: Duration

    /// How long nodes that do not answer are waited for. Those that were not told forget what they were given after
    /// ``JoinDesk/patience`` without a word.
    public static let patience = Duration.seconds(60)

    /// - Throws: ``APIError/Code/failed`` when what was kept cannot be used.
    public init(
        _ founding: Founding, node: NodeName, desk: JoinDesk, folder: ClusterFolder, founder: any ClusterFounder,
        patience: Duration = Self.patience, poll: Duration = .milliseconds(500)
    ) throws(APIError) {
        self.founding = founding
        self.folder = folder
        self.founder = founder
        self.patience = patience
        self.poll = poll
        own = LocalCandidate(node: node, desk: desk)
        var others: [(RemoteCandidate, Data)] = []
        for other in founding.others {
            others.append((try RemoteCandidate(text: other.token, founder: node, identity: folder.identity), other.session))
        }
        self.others = others
    }

    /// - Returns: A sentence about the cluster.
    /// - Throws: ``APIError`` when all was taken back, with the reason.
    public func run(_ report: @escaping @Sendable (String) async -> Void) async throws -> String {
        await report("the creation of \(founding.cluster) is gone on with after a restart of the node service")
        let end = ContinuousClock.now + patience
        while true {
            let replies = await ask()
            switch FoundingDecision(replies.values, isLate: ContinuousClock.now >= end) {
            case .wait: try await Task.sleep(for: poll)
            case .forward:
                try folder.endFounding()
                await close()
                let missing = Self.problems(replies)
                return (["Cluster \(founding.cluster) is formed."] + missing).joined(separator: "\n")
            case .back:
                let leftovers = await Task { await takeBack(report) }.value
                await close()
                let why = "The node service of \(own.node) ended while cluster \(founding.cluster) was created."
                throw APIError(.failed, ([why] + Self.problems(replies) + leftovers).joined(separator: "\n"))
            }
        }
    }

    private static func problems(_ replies: [NodeName: FoundingDecision.Reply]) -> [String] {
        replies.sorted { $0.key < $1.key }.compactMap { node, reply in
            switch reply {
            case .member: nil
            case .refused(let reason), .silent(let reason): "\(node): \(reason)"
            }
        }
    }

    private func ask() async -> [NodeName: FoundingDecision.Reply] {
        await withTaskGroup(of: (NodeName, FoundingDecision.Reply).self) { group in
            for (candidate, session) in others {
                group.addTask { (candidate.node, await candidate.reply(session: session, cluster: founding.clusterID)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// The asking node last: its certificate is needed to speak to the others.
    private func takeBack(_ report: @Sendable (String) async -> Void) async -> [String] {
        var sessions = Dictionary(uniqueKeysWithValues: others.map { ($0.candidate.node, $0.session) })
        sessions[own.node] = founding.session
        return await ClusterCreation.takeBack(
            [own] + others.map(\.candidate), sessions, founding.witness, of: founding.clusterID, founder, report)
    }

    private func close() async { for other in others { await other.candidate.close() } }
}

extension RemoteCandidate {
    /// Tells the node once more to become a member, and how that ended.
    func reply(session: Data, cluster: UUID) async -> FoundingDecision.Reply {
        do throws(APIError) {
            try await activate(session: session)
            return .member(isOpen: try await state(session: session).phase == .open)
        } catch {
            guard ![.unreachable, .timeout, .busy].contains(error.code) else { return .silent(error.message) }
            // Its session may be over since long, and the node a member all the same.
            if let isOpen = await isOpenMember(of: cluster) { return .member(isOpen: isOpen) }
            return .refused(error.message)
        }
    }

    /// - Returns: nil when it is no member, or does not show itself as one.
    private func isOpenMember(of cluster: UUID) async -> Bool? {
        try? await asMember { client throws(APIError) -> Bool? in
            let membership = try await client.waiting(.seconds(5)).membership()
            guard membership.state == .member, membership.clusterID == cluster else { return nil }
            return try await client.waiting(.seconds(5)).clusterStatus().isOpen
        }
    }
}
