import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import NodeIdentity
import Synchronization

/// What the node's API shows on the cluster network.
public protocol ShownIdentity: Sendable {
    /// The certificate of a node that belongs to no cluster.
    func showFree(_ identity: FreeNodeIdentity) throws
    /// Those of a member.
    ///
    /// - Parameter isRenewal: The cluster is the same as before.
    func showMember(folder: String, isRenewal: Bool) throws
}

/// Corosync and the engine of the cluster on this node. On a free node nothing of it runs.
public protocol MemberEngine: Sendable {
    /// Installs Corosync's files if they are not there, starts Corosync unless it runs, and joins the others. Returns without waiting
    /// for a majority.
    func start(_ member: MemberRecord) async throws(APIError)
    /// How far it is.
    func state() async -> JoinState
    /// Stops the engine, then Corosync, so that the others see this node leave.
    func stop() async throws(APIError)
    /// Takes Corosync's files away again; it is stopped.
    func uninstall() async throws(APIError)
    /// The node service ends: Corosync goes on.
    func detach() async
}

/// What a node service needs to be taken into a cluster, and to form one.
public final class FormingSeat: Sendable {
    let settings: NodeSettings
    let folder: ClusterFolder
    let shown: any ShownIdentity
    let engine: any MemberEngine
    let founder: any ClusterFounder
    let book = ChangeBook()
    private struct Opened {
        var desk: JoinDesk
        var free: FreeNodeIdentity
    }
    private let opened = Mutex<Opened?>(nil)

    public init(
        settings: NodeSettings, folder: ClusterFolder, shown: any ShownIdentity, engine: any MemberEngine, founder: any ClusterFounder
    ) {
        self.settings = settings
        self.folder = folder
        self.shown = shown
        self.engine = engine
        self.founder = founder
    }

    /// Sits down in a node service, and shows what it is.
    func open(for host: NodeService, machineGroup: UInt32, now: Date, logger: Logger) async throws {
        let desk = JoinDesk(node: settings.node, folder: folder, machineGroup: machineGroup, host: host, logger: logger)
        let free = try FreeNodeIdentity.loadOrCreate(
            in: settings.directories.state + "/joining", node: settings.node.rawValue, now: now)
        opened.withLock { $0 = Opened(desk: desk, free: free) }
        if try folder.member() == nil {
            try shown.showFree(free)
        } else {
            try shown.showMember(folder: folder.identity, isRenewal: false)
        }
    }

    var desk: JoinDesk {
        get throws(APIError) {
            guard let opened = opened.withLock({ $0 }) else { throw APIError(.unreachable, "The node service is starting.") }
            return opened.desk
        }
    }
    var free: FreeNodeIdentity {
        get throws(APIError) {
            guard let opened = opened.withLock({ $0 }) else { throw APIError(.unreachable, "The node service is starting.") }
            return opened.free
        }
    }

    func close() async {
        await book.stop()
        await engine.detach()
    }
}
