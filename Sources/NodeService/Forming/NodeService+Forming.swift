import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import Membership
import NodeIdentity

/// Forming a cluster and changing who belongs to it, as operators ask for it.
extension NodeService: FormingOperations {
    public func membership() async throws(APIError) -> Membership {
        guard let forming else {
            return Membership(
                node: node, state: .fixed, cluster: configuration.cluster, clusterID: nil,
                note: "The nodes are listed in node.yaml; there is no replicated configuration.")
        }
        guard let member else {
            return Membership(
                node: node, state: .free, cluster: nil, clusterID: nil,
                note: "\(node) belongs to no cluster. Form one with `apus cluster create`, or take it into one with `apus node add` there.")
        }
        if let eviction = forming.folder.eviction() {
            return Membership(
                node: node, state: .evicted, cluster: member.cluster.rawValue, clusterID: member.clusterID,
                note: eviction.message + " Run `apus cluster destroy --local` here to make it a free node.")
        }
        if forming.folder.isStopped {
            return Membership(
                node: node, state: .stopped, cluster: member.cluster.rawValue, clusterID: member.clusterID,
                note: "\(node) was stopped by an administrator. Start it with `apus node start \(node)`.")
        }
        let state = await memberState()
        return Membership(
            node: node, state: .member, cluster: member.cluster.rawValue, clusterID: member.clusterID,
            note: state.phase == .open
                ? "\(node) is a member of cluster \(member.cluster), which runs." : state.note ?? "\(node) has not found a majority yet.")
    }

    public func makeToken(_ request: TokenRequest) async throws(APIError) -> TokenReply {
        guard let forming else { throw fixedList }
        guard (60...86_400).contains(request.lifetimeSeconds) else {
            throw error(.invalid, "A token lasts 60 to 86400 seconds, not \(request.lifetimeSeconds).")
        }
        let secret = try await desk.makeSecret(lifetime: .seconds(request.lifetimeSeconds))
        let address = configuration.ownAddress.cluster
        let expires = Date(timeIntervalSince1970: Double(Int(Date().timeIntervalSince1970) + request.lifetimeSeconds))
        do {
            let token = NodeToken(
                node: node.rawValue, address: address, port: UInt16(clamping: configuration.apiPort),
                fingerprint: try forming.free.fingerprint, secret: secret, expires: expires)
            return TokenReply(token: try token.text(), node: node, address: address, port: configuration.apiPort, expires: expires)
        } catch { throw translate(error, while: "Making a token") }
    }

    public func createCluster(_ request: CreateClusterRequest) async throws(APIError) -> ClusterChange {
        guard let forming else { throw fixedList }
        if let member {
            throw error(
                .refused, "\(node) is a member of cluster \(member.cluster) already. Take other nodes into it with `apus node add`.")
        }
        let desk = try forming.desk
        let (node, folder, founder) = (node, forming.folder, NewCluster(witness: storage))
        // Tokens that are mistyped are told at once; the rest as it happens.
        _ = try ClusterCreation(request, node: node, desk: desk, folder: folder, founder: founder) { _ in }
        let (engine, by) = (forming.engine, requester)
        let note = note(of: request.validation, before: "Cluster \(request.name) was formed")
        return try await begin(.createCluster, of: request.name.rawValue) { report in
            let sentence = try await ClusterCreation(
                request, node: node, desk: desk, folder: folder, founder: founder, report: report
            ).run()
            await Self.remember(note, engine, by, report)
            return sentence
        }
    }

    /// Goes on with a cluster in whose creation this node's service was ended. The engine waits until that is decided.
    func resumeCreation() async {
        guard let forming, member != nil, let founding = forming.folder.founding() else { return }
        let logger = logger
        logger.notice("the creation of a cluster is gone on with", metadata: ["cluster": "\(founding.cluster)"])
        do {
            let resumption = try CreationResumption(
                founding, node: node, desk: try forming.desk, folder: forming.folder, founder: NewCluster(witness: storage))
            _ = try await begin(.createCluster, of: founding.cluster.rawValue) { report in
                do {
                    let sentence = try await resumption.run(report)
                    logger.notice(
                        "the creation of a cluster has ended", metadata: ["cluster": "\(founding.cluster)", "how": "\(sentence)"])
                    return sentence
                } catch {
                    logger.error(
                        "the creation of a cluster was taken back", metadata: ["cluster": "\(founding.cluster)", "reason": "\(error)"])
                    throw error
                }
            }
        } catch { logger.error("the creation of a cluster cannot be gone on with", metadata: ["reason": "\(error)"]) }
    }

    public func followChange(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ClusterChange, any Error> {
        guard let forming else { throw fixedList }
        guard let stream = await forming.book.follow(id) else {
            throw error(
                .notFound, "\(node) knows no change \(id). It was ordered at another node, or the node service was restarted since.")
        }
        return stream
    }

    /// The cluster stands whether or not this line can be written.
    static func remember(
        _ note: EventNote, _ engine: MemberRunner, _ requester: String, _ report: @Sendable (String) async -> Void
    ) async {
        do throws(APIError) { try await engine.propose(.noteEvent(note: note), requestedBy: requester) } catch {
            await report("The history does not say it: \(note.sentence) (\(error.message))")
        }
    }

    func begin(
        _ kind: ClusterChange.Kind, of subject: String,
        work: @escaping @Sendable (_ report: @escaping @Sendable (String) async -> Void) async throws -> String
    ) async throws(APIError) -> ClusterChange {
        guard let forming else { throw fixedList }
        if let change = await forming.book.begin(kind, of: subject, now: Date(), work: work) { return change }
        let other = await forming.book.current
        throw error(
            .busy, "Another change goes on: \(other.map { "\($0.kind.rawValue) \($0.subject)" } ?? "it just ended"). Wait for its end.")
    }
}
