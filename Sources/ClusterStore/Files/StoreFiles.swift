import DurableFiles
import Foundation
import Glibc

/// The files of one store, and what may be done to them while no database is open.
///
/// Nothing here opens `cluster.sqlite` itself: closing any descriptor of it would drop the POSIX locks that SQLite holds in this process
/// (fcntl(2), "Record locks"; sqlite.org/howtocorrupt.html section 2.2).
struct StoreFiles: Sendable {
    let folder: String
    var database: String { folder + "/cluster.sqlite" }
    var log: String { database + "-wal" }
    var journal: String { database + "-journal" }
    var mark: String { database + ".mark" }
    var lock: String { database + ".lock" }
    private static let damagedPrefix = "cluster.sqlite.damaged-"

    /// Makes the folder, for root's eyes only: the configuration holds the cluster's private keys.
    func makeFolder() throws(StoreError) {
        if mkdir(folder, 0o700) == 0 {
            try sync(folder: (folder as NSString).deletingLastPathComponent)
        } else if errno != EEXIST {
            throw failure(folder)
        }
        // Explicitly: mkdir(2) applies the umask, and a folder that is there keeps what it has.
        guard chmod(folder, 0o700) == 0 else { throw failure(folder) }
    }

    /// Whether there is a database with something in it.
    /// - Throws: ``StoreError/foreign(path:what:)`` when the name is taken by anything but a regular file.
    func hasDatabase() throws(StoreError) -> Bool {
        var status = stat()
        guard lstat(database, &status) == 0 else {
            if errno == ENOENT { return false }
            throw failure(database)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .foreign(path: database, what: "it is no regular file") }
        return status.st_size > 0
    }

    /// Whether there once was a database: its mark is there, or a damaged one was put aside.
    func hasTraces() throws(StoreError) -> Bool {
        if access(mark, F_OK) == 0 { return true }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).contains { $0.hasPrefix(Self.damagedPrefix) }
        } catch { throw .inputOutput(path: folder, reason: "\(error)") }
    }

    /// An empty file for SQLite to fill, with its mode from the first moment; SQLite gives its log the same.
    func makeDatabaseFile() throws(StoreError) {
        let file = open(database, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(database) }
        close(file)
        try restrictMode()
        try sync(folder: folder)
    }

    func restrictMode() throws(StoreError) {
        guard chmod(database, 0o600) == 0 else { throw failure(database) }
    }

    /// Renames the database and what belongs to it.
    ///
    /// The database goes first. Were its log first, a crash in between would leave a database that looks whole and lacks what only the
    /// log had; a log without a database is never read.
    ///
    /// - Returns: The new path of the database, or of its log when only that was there; nil when there was nothing.
    func putAside() throws(StoreError) -> String? {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withYear, .withMonth, .withDay, .withTime, .withTimeZone]
        let stem = folder + "/" + Self.damagedPrefix + formatter.string(from: Date())
        var target = stem
        var number = 1
        while ["", "-wal", "-journal"].contains(where: { access(target + $0, F_OK) == 0 }) {
            number += 1
            target = "\(stem)-\(number)"
        }
        var moved: String?
        for (source, suffix) in [(database, ""), (log, "-wal"), (journal, "-journal")] {
            if rename(source, target + suffix) == 0 {
                moved = moved ?? target + suffix
            } else if errno != ENOENT {
                throw failure(source)
            }
        }
        try sync(folder: folder)
        return moved
    }

    /// A name is durable only when the folder that holds it is.
    func sync(folder: String) throws(StoreError) {
        do throws(FileFailure) { try DurableFile.synchronize(folder: folder.isEmpty ? "." : folder) } catch {
            throw failure(folder, code: error.code)
        }
    }

    /// Room for those without privileges, as statvfs(3) tells it; zero when it does not.
    var freeBytes: UInt64 {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return 0 }
        return UInt64(status.f_bavail) &* UInt64(status.f_frsize)
    }

    /// What the kernel said (errno) as an error about a path.
    func failure(_ path: String, code: Int32 = errno) -> StoreError {
        if code == ENOSPC || code == EDQUOT { return .full(path: path, freeBytes: freeBytes) }
        return .inputOutput(path: path, reason: String(cString: strerror(code)))
    }
}

/// Keeps every other process away, and every other store in this one, until it is released.
///
/// flock(2) on a file of its own: it also covers the moments when no database is open, as while a damaged one is put aside.
final class StoreLock: Sendable {
    private let file: Int32

    init(_ files: StoreFiles) throws(StoreError) {
        let opened = open(files.lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw files.failure(files.lock) }
        while flock(opened, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            let error: StoreError = errno == EWOULDBLOCK ? .inUse(path: files.database) : files.failure(files.lock)
            close(opened)
            throw error
        }
        file = opened
    }

    deinit { close(file) }
}
