import ClusterAPI
import ClusterModel
import Corosync
import Forming

/// Corosync without an engine on it: members of it never find a majority, so forming a cluster with it fails and is taken back.
public struct CorosyncOnly: MemberEngine {
    private let host: CorosyncHost
    public init(folder: ClusterFolder) { host = CorosyncHost(folder: folder) }

    public func start(_ member: MemberRecord) async throws(APIError) { try await host.start(member) }
    public func state() async -> JoinState {
        JoinState(phase: .starting, note: host.isRunning == true ? "Corosync runs; there is no engine on it." : "Corosync does not run.")
    }
    public func configuration() async -> ClusterState? { nil }
    public func corosyncConfiguration(of state: ClusterState) throws(APIError) -> String { throw noEngine }
    public func propose(_ command: ClusterCommand, requestedBy: String?) async throws(APIError) { throw noEngine }
    public func stop() async throws(APIError) { try await host.stop() }
    public func uninstall() async throws(APIError) { try host.uninstall() }
    public func detach() async {}
    private var noEngine: APIError { APIError(.refused, "The cluster's engine does not run on this node.") }
}
