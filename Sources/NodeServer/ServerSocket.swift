import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The place of the Unix socket in the file system: claimed by one server at a time, readable and writable by root only.
///
/// The socket is bound in a folder that only root can enter and then renamed to its place. So at no time can others connect, which a
/// `chmod` after `bind` would allow for a moment; what a dead server left is replaced atomically; and whoever sees the path can connect.
final class ServerSocket: Sendable {
    let path: String
    /// Where to bind.
    let bindPath: String
    private let folder: String
    private let lock: CInt

    /// - Throws: ``NodeServerError`` when another server holds the path, or it is taken by something that is no socket.
    init(path: String) throws(NodeServerError) {
        // sun_path holds 108 bytes with the final zero (unix(7)), and the folder adds some.
        guard path.utf8.count <= 90 else { throw .pathTooLong(path) }
        // The lock goes with the process however it ends, which a file with a process number would not.
        let lock = open(path + ".lock", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw .cannotListen(on: path, reason: Self.reason(errno)) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw .alreadyRunning(socket: path)
        }
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
            close(lock)
            throw .notASocket(path: path)
        }
        folder = path + ".new"
        bindPath = folder + "/s"
        _ = unlink(bindPath)
        _ = rmdir(folder)
        guard mkdir(folder, 0o700) == 0 else {
            let code = errno
            close(lock)
            throw .cannotListen(on: path, reason: "\(folder): \(Self.reason(code))")
        }
        self.lock = lock
        self.path = path
    }

    /// Puts the bound socket at its path.
    func publish() throws(NodeServerError) {
        guard chmod(bindPath, 0o600) == 0, rename(bindPath, path) == 0 else {
            throw .cannotListen(on: path, reason: Self.reason(errno))
        }
        _ = rmdir(folder)
    }

    /// Takes the socket away. The lock file stays: removing it would let two servers lock two files of one name.
    func remove() {
        _ = unlink(path)
        _ = unlink(bindPath)
        _ = rmdir(folder)
    }

    deinit { close(lock) }

    private static func reason(_ code: CInt) -> String { String(cString: strerror(code)) }
}
