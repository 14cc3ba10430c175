import ClusterAPI
import ClusterModel
import Corosync
import Forming
import Foundation
import Logging
import Membership
import NodeClient

/// Corosync's files, which may change while a node is away.
///
/// A Corosync that starts with another version of its configuration than the others have ends itself, and one with an old key is not heard
/// at all. So a member that finds no majority asks the others for newer files, over their API, where its certificate proves who it is.
extension NodeService {
    public func corosyncFiles() async throws(APIError) -> CorosyncFilesReply {
        _ = try requireMember()
        let files = CorosyncFiles()
        do {
            guard case .ours(let configuration) = try files.content(), let key = try files.key() else {
                throw error(.refused, "\(node) has no files of Corosync that could help.")
            }
            return CorosyncFilesReply(configuration: try configuration.text(), key: Data(key))
        } catch { throw translate(error, while: "Reading Corosync's files") }
    }

    /// Takes over what is newer than this node's files.
    ///
    /// The version is enough to go by: it rises with every change of the configuration, and by a leap when quorum is forced.
    func fetchCorosyncFiles(_ member: MemberRecord) async {
        guard let forming else { return }
        let replies = await peers.askAll { (peer) async throws(APIError) in try await peer.corosyncFiles() }
        var newest: (configuration: CorosyncConfiguration, key: [UInt8])?
        for case .success(let reply) in replies.values {
            guard let configuration = try? CorosyncConfiguration(parsing: reply.configuration), configuration.clusterID == member.clusterID,
                configuration.version > newest?.configuration.version ?? 0
            else { continue }
            newest = (configuration, [UInt8](reply.key))
        }
        let files = CorosyncFiles()
        do {
            guard let newest, case .ours(let present) = try files.content(), present.version < newest.configuration.version else { return }
            try files.write(newest.configuration, key: newest.key)
            logger.notice(
                "Corosync's files changed while this node was away",
                metadata: ["from": "\(present.version)", "to": "\(newest.configuration.version)"])
            // One that ended itself is started again, one that is alone with an old key reads the new one. With others in its ring the
            // reload is theirs to order.
            guard let standing = await forming.engine.view?.standing else { return }
            if standing.corosyncProblem != nil {
                await forming.engine.reviveCorosync(member, waiting: .zero)
            } else if standing.ring.count <= 1 {
                try await CorosyncControl().reload()
            }
        } catch { logger.error("Corosync's files cannot be brought up to date", metadata: ["reason": "\(error)"]) }
    }
}
