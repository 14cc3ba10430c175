import ClusterModel
import Foundation
import GRDB

/// The database while it is open, with its lock, its mark and the position that its next change starts from. Every call blocks.
struct OpenDatabase {
    /// After so much the log begins anew, in place. While its file still grows a sync costs several times as much on ext4, because the new
    /// size must be synced too; so this is less than SQLite's own 4 MiB, and still some two hundred batches for the two syncs it takes.
    private static let checkpointByteCount = 2 << 20

    private let files: StoreFiles
    private let lock: StoreLock
    private let mark: SyncMark
    private let queue: DatabaseQueue
    private(set) var position: StoredPosition
    private var isSynchronous = true
    private var loggedByteCount = 0

    init(_ files: StoreFiles, cluster: UUID, node: NodeID) throws(StoreError) {
        self.files = files
        try files.makeFolder()
        lock = try StoreLock(files)
        let hasTraces = try files.hasTraces()
        let isThere = try files.hasDatabase()
        if isThere {
            try files.restrictMode()
        } else {
            // What a crash left while a damaged database was put aside: a log without its database.
            _ = try files.putAside()
            try files.makeDatabaseFile()
        }
        mark = try SyncMark(files)
        let marked = try mark.read().flatMap { $0.cluster == cluster && $0.node == node ? $0.changes : nil } ?? 0
        // Beyond the mark of a database that is gone, so that the old mark says nothing against the new one.
        let first = StoredPosition(cluster: cluster, node: node, memory: hasTraces ? .lost : .fresh, changes: marked &+ 1)
        do {
            queue = try DatabaseQueue(path: files.database, configuration: Schema.configuration())
            position = try Self.verified(queue, files, first: first, wasWritten: isThere && marked > 0)
            guard position.changes >= marked else {
                throw Damage("change \(marked) had been synced, the last one that is there is \(position.changes)")
            }
        } catch { throw Self.translated(error, files, isOpening: true) }
        try mark.write(SyncMark.Content(cluster: cluster, node: node, changes: position.changes))
    }

    /// Looks at everything before it changes anything.
    ///
    /// - Parameter wasWritten: The mark says that something had been synced to the file that is there.
    private static func verified(
        _ queue: DatabaseQueue, _ files: StoreFiles, first: StoredPosition, wasWritten: Bool
    ) throws -> StoredPosition {
        try queue.writeWithoutTransaction { database in
            switch try Schema.ownership(of: database, path: files.database) {
            case .ours: try checkStructure(of: database)
            // Until the first checkpoint all there is lies in the log. SQLite takes one that is damaged for empty, and the database with it.
            case .blank: if wasWritten { throw Damage("nothing is left in it, although changes had been synced") }
            }
            guard try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL") == "wal" else {
                throw StoreError.inputOutput(path: files.database, reason: "SQLite cannot keep a write-ahead log here")
            }
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        try Schema.migrator(first: first).migrate(queue)
        let position = try queue.read { try StoredPosition.read(from: $0) }
        guard position.cluster == first.cluster, position.node == first.node else {
            throw StoreError.otherOwner(path: files.database, cluster: position.cluster, node: position.node)
        }
        _ = try image(in: queue)
        return position
    }

    var isCheckpointDue: Bool { loggedByteCount >= Self.checkpointByteCount }

    func image() throws(StoreError) -> ReplicaImage {
        do { return try Self.image(in: queue) } catch { throw Self.translated(error, files, isOpening: true) }
    }

    private static func image(in queue: DatabaseQueue) throws -> ReplicaImage {
        try queue.read { database in
            let position = try StoredPosition.read(from: database)
            let snapshot = try StoredSnapshot.read(from: database)
            guard snapshot.index == position.snapshotIndex else {
                throw Damage("the snapshot is at \(snapshot.index), not at \(position.snapshotIndex)")
            }
            let image = ReplicaImage(
                position: position.replica, committed: position.committed, snapshot: snapshot.state, snapshotIndex: snapshot.index,
                snapshotChain: snapshot.chain, snapshotVotes: snapshot.votes, entries: try StoredLog.entries(in: database))
            if let inconsistency = image.inconsistency { throw Damage(inconsistency) }
            return image
        }
    }

    /// Changes nothing of this value, nor of the file, when it throws.
    mutating func make(_ changes: [DurableChange]) throws(StoreError) {
        let mustSync = changes.contains { if case .commit = $0 { false } else { true } }
        var next = position
        // Only what is synced counts: the mark must never be ahead of what a power cut leaves.
        if mustSync { next.changes += 1 }
        do {
            next = try queue.writeWithoutTransaction { [next, isSynchronous] database in
                if mustSync != isSynchronous { try database.execute(sql: "PRAGMA synchronous = \(mustSync ? "FULL" : "NORMAL")") }
                var writer = ChangeWriter(database: database, position: next)
                try database.inTransaction(.immediate) {
                    for change in changes { try writer.make(change) }
                    try writer.position.write(to: database)
                    return .commit
                }
                return writer.position
            }
        } catch { throw Self.translated(error, files, isOpening: false) }
        isSynchronous = mustSync
        position = next
        loggedByteCount += changes.reduce(8_192) { $0 + $1.byteCount }
        if mustSync { try mark.write(SyncMark.Content(cluster: position.cluster, node: position.node, changes: position.changes)) }
    }

    mutating func checkpoint() throws(StoreError) {
        do { _ = try queue.writeWithoutTransaction { try $0.checkpoint(.passive) } } catch {
            let translated = Self.translated(error, files, isOpening: false)
            // Nothing is lost when the database cannot grow: the log keeps it, and the next change that finds no room says so.
            guard case .full = translated else { throw translated }
        }
        loggedByteCount = 0
    }

    func close() throws(StoreError) {
        try mark.sync()
        do { try queue.close() } catch { throw Self.translated(error, files, isOpening: false) }
    }

    private static func translated(_ error: any Error, _ files: StoreFiles, isOpening: Bool) -> StoreError {
        let path = files.database
        switch error {
        case let error as StoreError: return error
        case let damage as Damage: return .damaged(path: path, reason: damage.reason)
        case let error as DatabaseError:
            let reason = "SQLite error \(error.extendedResultCode.rawValue), \(error.message ?? "no message")"
            switch error.resultCode {
            case .SQLITE_FULL: return .full(path: path, freeBytes: files.freeBytes)
            case .SQLITE_BUSY, .SQLITE_LOCKED: return .inUse(path: path)
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .damaged(path: path, reason: reason)
            // What the disk or the memory refuses says nothing about the content.
            case .SQLITE_IOERR, .SQLITE_NOMEM, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_INTERRUPT:
                return .inputOutput(path: path, reason: reason)
            // A table or column that is not there, a value of the wrong type: while reading, only damage makes them.
            default: return isOpening ? .damaged(path: path, reason: reason) : .inputOutput(path: path, reason: reason)
            }
        default:
            let reason = "\(error)"
            return isOpening ? .damaged(path: path, reason: reason) : .inputOutput(path: path, reason: reason)
        }
    }
}

/// - Throws: ``Damage`` with the first thing that SQLite finds wrong with pages, rows and types (sqlite.org/pragma.html#pragma_quick_check).
private func checkStructure(of database: Database) throws {
    let lines = try String.fetchAll(database, sql: "PRAGMA quick_check(1)")
    guard lines == ["ok"] else { throw Damage(lines.first ?? "SQLite's check said nothing") }
}

extension DurableChange {
    /// About what it adds to the log.
    fileprivate var byteCount: Int {
        switch self {
        case .promise, .commit: 0
        case .append(let entries): entries.reduce(0) { $0 + $1.payload.count + 128 }
        case .adopt(let image), .replace(let image): image.entries.reduce(image.snapshot.count) { $0 + $1.payload.count + 128 }
        case .snapshot(let state, _): state.count
        }
    }
}
