import ClusterModel
import Executors
import Foundation
import GRDB

/// One node's replica of the configuration, durable in `cluster.sqlite` of a folder that is its own.
///
/// SQLite with a write-ahead log and `synchronous = FULL`: a batch is one transaction, and one fdatasync(2) of the log before the answer
/// (sqlite.org/pragma.html#pragma_synchronous). After a kill or a power cut everything answered is there, and of the batch under way
/// all or nothing. The folder has mode 0700 and the files 0600, because the configuration contains the cluster's private keys.
///
/// A replica whose file was damaged is put aside with ``quarantine(folder:)`` and opened anew. It then has forgotten what it promised, and
/// must not be counted until it has caught up: see ``ReplicaMemory``.
public actor ConfigurationStore {
    // A sync takes milliseconds, on a busy disk seconds.
    nonisolated private let executor: QueueExecutor
    nonisolated public var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// The database's file.
    nonisolated public let path: String
    /// The cluster and the node whose replica this is.
    nonisolated public let cluster: UUID
    nonisolated public let node: NodeID

    private let files: StoreFiles
    private var open: OpenDatabase?
    /// Why there is no database any more.
    private var failure: StoreError?
    private var checkpoint: Task<Void, Never>?

    /// Opens the replica in a folder, and makes folder and file when they are not there.
    ///
    /// Reads and verifies everything: structure (`PRAGMA quick_check`), checksums, the chain of the entries, and that nothing is missing
    /// that had been synced. Migrates an older schema.
    ///
    /// - Parameter folder: Of its own: it gets mode 0700.
    /// - Throws: ``StoreError/damaged(path:reason:)`` when what is there cannot be trusted, ``StoreError/inUse(path:)``,
    ///   ``StoreError/foreign(path:what:)``, ``StoreError/otherOwner(path:cluster:node:)``, ``StoreError/newer(path:version:known:)``,
    ///   ``StoreError/full(path:freeBytes:)``, ``StoreError/inputOutput(path:reason:)``. In each case the database is as it was.
    public static func open(folder: String, cluster: UUID, node: NodeID) async throws(StoreError) -> ConfigurationStore {
        let store = ConfigurationStore(folder: folder, cluster: cluster, node: node)
        try await store.begin()
        return store
    }

    private init(folder: String, cluster: UUID, node: NodeID) {
        executor = QueueExecutor(label: "configuration")
        files = StoreFiles(folder: folder)
        path = files.database
        self.cluster = cluster
        self.node = node
    }

    private func begin() throws(StoreError) {
        open = try OpenDatabase(files, cluster: cluster, node: node)
    }

    deinit { checkpoint?.cancel() }

    /// What this replica remembers, and so whether it may be counted.
    public var memory: ReplicaMemory {
        get throws(StoreError) { try usable().position.memory }
    }
    /// Never held anything: see ``ReplicaMemory/fresh``.
    public var isFresh: Bool {
        get throws(StoreError) { try memory == .fresh }
    }
    /// Forgot what it held: see ``ReplicaMemory/lost``.
    public var wasLost: Bool {
        get throws(StoreError) { try memory == .lost }
    }
    /// How far this replica is.
    public var position: ReplicaPosition {
        get throws(StoreError) { try usable().position.replica }
    }

    /// Reads the whole replica, verified. A fresh one has no entries and a vote table of version 0 in which nobody has a vote.
    public func load() throws(StoreError) -> ReplicaImage {
        let database = try usable()
        do throws(StoreError) { return try database.image() } catch { throw give(up: error) }
    }

    /// Makes changes durable: all of them in one transaction, or none.
    ///
    /// Returns once they are synced. Only when all of them are ``DurableChange/commit(index:)`` it returns before: such a batch survives a
    /// kill, and a power cut may undo it.
    ///
    /// - Throws: ``StoreError/contradiction(_:)`` for a change that the log rules must not ask for, ``StoreError/full(path:freeBytes:)``;
    ///   after both the store goes on. After ``StoreError/inputOutput(path:reason:)`` or ``StoreError/damaged(path:reason:)`` it is closed, and
    ///   the changes may be there or not when it is opened again: to Linux a failed sync is final for the pages concerned (fsync(2)).
    public func make(_ changes: [DurableChange]) throws(StoreError) {
        guard !changes.isEmpty else { return }
        var database = try usable()
        do throws(StoreError) { try database.make(changes) } catch { throw give(up: error) }
        open = database
        // After the answer, or its two syncs would be waited for by whoever happens to fill the log.
        if database.isCheckpointDue, checkpoint == nil { checkpoint = Task { self.writeBack() } }
    }

    /// Brings the log into the database's file, so that the log begins anew.
    func writeBack() {
        checkpoint = nil
        guard var database = open else { return }
        do throws(StoreError) {
            try database.checkpoint()
            open = database
        } catch { _ = give(up: error) }
    }

    /// Closes the file in good order. A store that is just let go of loses nothing either.
    public func close() throws(StoreError) {
        checkpoint?.cancel()
        guard let database = open else { return }
        open = nil
        failure = .closed(path: path)
        try database.close()
    }

    /// Puts a damaged database aside as `cluster.sqlite.damaged-TIME`, for whoever wants to look at it, so that the next ``open(folder:cluster:node:)``
    /// begins with an empty one. That one knows that something was lost.
    ///
    /// - Returns: Where it is now; nil when there was none.
    /// - Throws: ``StoreError/inUse(path:)`` while any store has it open.
    public static func quarantine(folder: String) throws(StoreError) -> String? {
        let files = StoreFiles(folder: folder)
        let lock = try StoreLock(files)
        return try withExtendedLifetime(lock) { () throws(StoreError) in try files.putAside() }
    }

    private func usable() throws(StoreError) -> OpenDatabase {
        guard let open else { throw failure ?? .closed(path: path) }
        return open
    }

    /// Lets go of the database when an error leaves it in doubt.
    private func give(up error: StoreError) -> StoreError {
        switch error {
        case .contradiction, .full: break
        default:
            open = nil
            failure = error
        }
        return error
    }
}
