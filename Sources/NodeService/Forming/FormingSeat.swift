import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import Membership
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

/// What a node service needs to be taken into a cluster, and to form one.
public final class FormingSeat: Sendable {
    package let settings: NodeSettings
    let folder: ClusterFolder
    let shown: any ShownIdentity
    package let engine: MemberRunner
    let delegate: EngineDelegate
    /// Certificates that others of this cluster must not be let in with, by serial, and why. Read at every request.
    private let revoked = Mutex<[String: String]>([:])
    let book = ChangeBook()
    private struct Opened {
        var desk: JoinDesk
        var free: FreeNodeIdentity
    }
    private let opened = Mutex<Opened?>(nil)

    public init(
        settings: NodeSettings, folder: ClusterFolder, shown: any ShownIdentity, logger: Logger
    ) {
        self.settings = settings
        self.folder = folder
        self.shown = shown
        delegate = EngineDelegate(node: settings.node, folder: folder, logger: logger)
        let corosync = CorosyncHost(folder: folder)
        engine = MemberRunner(
            folder: folder,
            ground: .init(
                start: { try await corosync.start($0) }, stop: { try await corosync.stop() }, uninstall: { try corosync.uninstall() }),
            delegate: delegate, logger: logger)
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

    package var desk: JoinDesk {
        get throws(APIError) {
            guard let opened = opened.withLock({ $0 }) else { throw APIError(.unreachable, "The node service is starting.") }
            return opened.desk
        }
    }
    package var free: FreeNodeIdentity {
        get throws(APIError) {
            guard let opened = opened.withLock({ $0 }) else { throw APIError(.unreachable, "The node service is starting.") }
            return opened.free
        }
    }

    /// Why the holder of a certificate of the cluster may call nothing all the same.
    public func refusal(of holder: Holder) -> APIError? {
        revoked.withLock { $0[holder.serial] }.map { APIError(.evicted, $0, node: settings.node) }
    }
    func refuse(_ serials: [String: String]) { revoked.withLock { $0 = serials } }

    func close() async {
        await book.stop()
        await engine.detach()
    }
}
