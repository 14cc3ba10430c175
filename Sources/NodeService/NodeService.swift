import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import MigrationRules
import NodeClient
import QEMU
import ServiceLifecycle

/// Sole owner of this node's view of its machines and migrations. It joins the clients; what to do is decided by the rules.
public actor NodeService {
    public nonisolated let configuration: NodeConfiguration
    nonisolated let logger: Logger
    package nonisolated let storage: StorageAccess
    nonisolated let ownership: any OwnershipLog
    package nonisolated let peers: Peers
    nonisolated let hold: Hold
    let store: MachineStore
    let history: MigrationHistory
    package nonisolated let host: HostCapabilities

    var machines: [VMName: LocalEntry] = [:]
    var runners: [UUID: SourceRunner] = [:]
    var runnerTasks: [UUID: Task<Void, Never>] = [:]
    var queue: MigrationQueue
    var incoming: [UUID: IncomingMachine] = [:]
    /// Migrations that were given up before anything of them was here; the last ones.
    var discardedEarly: [UUID] = []
    /// nil with a fixed list of nodes.
    package nonisolated let forming: FormingSeat?
    /// The cluster this node belongs to; nil while it is free, or its list of nodes is fixed.
    package var member: MemberRecord?
    /// Whether this node's partition has quorum, so that machines may be started, moved and changed here. See ``PartitionGuard``.
    var mayStart = false
    /// The open epoch that this node is part of; nil while there is none, or it is not decided.
    var openEpoch: UInt64?
    /// What runs here was compared with the configuration in this epoch.
    var reconciledEpoch: UInt64?
    /// Machines about which configuration, shared disk and QEMU do not agree.
    var unsettled: Set<VMName> = []
    /// What kept a machine from being as it should be when it was looked at last; told when it is so for a second time.
    var suspicions: [VMName: String] = [:]
    /// What the cluster's history is still to be told of machines here.
    var untold: [ReconciliationFinding] = []
    /// Whether Corosync and the engine have been started since the service was.
    var engineRuns = false
    var nextEvictionQuestion = ContinuousClock.now
    var nextRenewal = ContinuousClock.now
    /// The replacement of the witness that this node drives.
    var witnessOperation: UUID?
    /// The addition of a node that this process is at work on.
    var additionOperation: UUID?

    /// A machine this node knows: owned, being received, or owned by another that it came from.
    struct LocalEntry {
        var stored: StoredMachine
        /// Read last; the shared disk is asked again before anything depends on it.
        var record: OwnershipRecord?
        var local: LocalMachine?
        /// When there is no QEMU.
        var resting: VMRunState = .stopped
        var note: String?
        /// Restarts after crashes, so that a machine that dies at once is not restarted for ever.
        var restarts: [ContinuousClock.Instant] = []
        /// All of it is here since, and it is not run yet.
        var arrivedSince: ContinuousClock.Instant?
        /// Its post-copy link is broken since.
        var waitsForMemorySince: ContinuousClock.Instant?
        /// ``stored`` is newer than what is on the node's disk, because that could not be written.
        var isUnsaved = false
        /// An operation is under way; the supervisor keeps its hands off.
        var isBusy = false
    }

    /// - Parameter forming: Lets the node be taken into a cluster; nil with a fixed list of nodes.
    /// - Throws: When the state folder cannot be used or QEMU cannot be asked what it offers.
    public init(configuration: NodeConfiguration, forming: FormingSeat? = nil, logger: Logger) async throws {
        self.configuration = configuration
        self.logger = logger
        store = try MachineStore(stateFolder: configuration.directories.state)
        history = MigrationHistory(stateFolder: configuration.directories.state)
        hold = Hold(runtimeFolder: configuration.directories.runtime)
        storage = StorageAccess(configuration: configuration.san, node: configuration.node, logger: logger)
        if let forming {
            ownership = ReplicatedOwnership(node: configuration.node, engine: forming.engine, storage: storage, logger: logger)
        } else {
            ownership = DiskOwnership(storage: storage)
        }
        peers = try Peers(configuration: configuration)
        queue = MigrationQueue(limit: configuration.outgoingMigrations)
        host = try await HostCapabilities.find(configuration: configuration, logger: logger)
        self.forming = forming
        forming?.delegate.use(storage)
        member = try forming?.folder.member()
        // Before anybody can ask: a node that does not know yet what it received must not say that it knows nothing of it.
        try loadMachines()
        try await forming?.open(for: self, machineGroup: host.machineUser.groupID, now: Date(), logger: logger)
    }

    /// Finds the machines that ran before, and looks after them until cancelled. Machines go on running when it ends.
    public func run() async throws {
        try FileManager.default.createDirectory(atPath: configuration.directories.runtime, withIntermediateDirectories: true)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.superviseForever() }
                group.addTask { await self.storage.keepConnected() }
                group.addTask { await self.keepMembership() }
                group.addTask { await self.keepWithinQuorum() }
                group.addTask { await self.keepReconciled() }
                await group.waitForAll()
            }
        }
        await shutDown()
    }

    private func superviseForever() async {
        while !Task.isCancelled {
            // Without quorum nothing is decided about machines; they are kept as they are, or paused.
            if member == nil || mayStart { await supervise() }
            await retireArrivals()
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func shutDown() async {
        await forming?.close()
        for task in runnerTasks.values { task.cancel() }
        for entry in machines.values { await entry.local?.detach() }
        await storage.close()
        await peers.close()
    }

    private func loadMachines() throws {
        let (stored, unreadable) = try store.load()
        for file in unreadable {
            logger.error(
                "a machine cannot be read and is ignored; its disk is untouched",
                metadata: ["file": "\(file.file)", "reason": "\(file.reason)"])
        }
        for machine in stored { machines[machine.machine.name] = LocalEntry(stored: machine) }
    }

    var node: NodeName { configuration.node }

    func error(_ code: APIError.Code, _ message: String) -> APIError { APIError(code, message, node: node) }

    /// Turns whatever a client threw into an error of ours, with what was being done.
    func translate(_ cause: any Error, while doing: String) -> APIError {
        if let already = cause as? APIError { return already }
        if cause is CancellationError { return error(.timeout, "\(doing): the request was cancelled.") }
        return error(.failed, "\(doing) on \(node): \(cause)")
    }
}

extension NodeService: OperatorOperations, PeerOperations, Service {}
