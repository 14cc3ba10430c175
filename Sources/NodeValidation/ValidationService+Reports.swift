import ClusterAPI
import ClusterModel
import Logging
import NodeService
import ValidationReport

/// The reports of validations, which every member of a cluster keeps.
extension ValidationService {
    public nonisolated func keptReports() async throws(APIError) -> [KeptReport] { await reports.offered() }
    public nonisolated func fetchReports(_ notice: ReportNotice) async throws(APIError) { await reports.fetch(from: notice.node) }

    static func reportKeeper(_ service: NodeService, _ logger: Logger) -> ReportKeeper {
        let (node, peers) = (service.configuration.node, service.peers)
        let client = { @Sendable (node: NodeName, deadline: Duration) throws(APIError) -> any ValidationOperations in
            guard let client = peers.client(of: node, waiting: deadline) else {
                throw APIError(.unreachable, "\(node) is no member of the cluster.", node: node)
            }
            return client
        }
        let neighbours = ReportNeighbours(
            membership: {
                guard let cluster = try? ClusterName(peers.cluster) else { return nil }
                return (cluster, Set(peers.nodes.map(\.name)))
            },
            list: { try await client($0, .seconds(5)).keptReports() },
            report: { try await client($1, .seconds(30)).validationReport($0) },
            notify: { try await client($0, .seconds(10)).fetchReports(ReportNotice(node: node)) })
        return ReportKeeper(service.reports, node: node, neighbours: neighbours) {
            logger.warning("a report was not kept", metadata: ["reason": "\($0)"])
        }
    }
}
