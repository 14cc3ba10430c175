import ClusterAPI
import ClusterModel

/// Corosync and the engine of the cluster on this node. On a free node nothing of it runs.
public protocol MemberEngine: Sendable {
    /// Installs Corosync's files if they are not there, starts Corosync unless it runs, and joins the others. Returns without waiting
    /// for a majority. Does nothing when it runs already.
    func start(_ member: MemberRecord) async throws(APIError)
    /// How far this node is, for those who wait for it: ``JoinState/Phase/open`` when it holds everything in an open epoch.
    func state() async -> JoinState
    /// The committed configuration as this node knows it; nil while there is none.
    func configuration() async -> ClusterState?
    /// Whether nothing is left to follow from the last change of nodes: no change of votes is due, and Corosync runs and counts as the
    /// configuration asks for, on all members.
    func isSettled() async -> Bool
    /// The corosync.conf that a configuration asks for.
    func corosyncConfiguration(of state: ClusterState) throws(APIError) -> String
    /// Orders a change; returns once it is committed and applied here.
    func propose(_ command: ClusterCommand, requestedBy: String?) async throws(APIError)
    /// Stops the engine, then Corosync, so that the others see this node leave. Fine when nothing runs.
    func stop() async throws(APIError)
    /// Takes Corosync's files away again; it is stopped.
    func uninstall() async throws(APIError)
    /// Ends the engine alone: Corosync goes on, because a restart of the node service must not change the cluster.
    func detach() async
}
