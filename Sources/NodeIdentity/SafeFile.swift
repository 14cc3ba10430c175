import Glibc

/// Files that must never be half written, and whose content comes from outside.
enum SafeFile {
    /// Larger than any key or certificate; a larger file is a mistake.
    static let largest = 65_536

    /// Replaces a file so that a crash leaves the old content or the new, never a mix (rename(2) is atomic), and the new survives
    /// a power cut once this returned.
    ///
    /// - Parameters:
    ///   - mode: Set before the content is written, so that a key is never readable by others even for a moment.
    ///   - group: The group the file belongs to; nil leaves the caller's.
    static func write(_ text: String, to path: String, mode: mode_t, group: gid_t? = nil) throws(IdentityError) {
        let temporary = "\(path).new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .unwritable(path: path, reason: lastError()) }
        do throws(IdentityError) {
            defer { close(file) }
            if let group, fchown(file, uid_t.max, group) != 0 { throw .unwritable(path: path, reason: lastError()) }
            if fchmod(file, mode) != 0 { throw .unwritable(path: path, reason: lastError()) }
            try writeAll(Array(text.utf8), to: file, path: path)
            if fsync(file) != 0 { throw .unwritable(path: path, reason: lastError()) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let reason = lastError()
            unlink(temporary)
            throw .unwritable(path: path, reason: reason)
        }
        try syncFolder(of: path)
    }

    /// Reads a small text file.
    ///
    /// - Throws: ``IdentityError/unreadable(path:reason:)`` also for a file that is empty, too large, no regular file or no text.
    static func read(_ path: String) throws(IdentityError) -> String { try readWithMode(path).text }

    static func readWithMode(_ path: String) throws(IdentityError) -> (text: String, mode: mode_t) {
        // O_NONBLOCK: a FIFO put in the file's place must not hang the reader.
        let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw .unreadable(path: path, reason: lastError()) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .unreadable(path: path, reason: lastError()) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable(path: path, reason: "it is not a regular file") }
        var bytes = [UInt8](repeating: 0, count: largest + 1)
        var count = 0
        while count < bytes.count {
            let read = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + count, $0.count - count) }
            if read < 0 && errno == EINTR { continue }
            guard read >= 0 else { throw .unreadable(path: path, reason: lastError()) }
            if read == 0 { break }
            count += read
        }
        guard count > 0 else { throw .unreadable(path: path, reason: "it is empty") }
        guard count <= largest else { throw .unreadable(path: path, reason: "it is larger than \(largest >> 10) KiB") }
        guard let text = String(validating: bytes[..<count], as: UTF8.self), !bytes[..<count].contains(0) else {
            throw .unreadable(path: path, reason: "it holds bytes that are no text")
        }
        return (text, status.st_mode & 0o7777)
    }

    /// Makes a folder unless it is there, and gives it the mode and group asked for.
    static func makeFolder(_ path: String, mode: mode_t, group: gid_t? = nil) throws(IdentityError) {
        if mkdir(path, mode) != 0 && errno != EEXIST { throw .unwritable(path: path, reason: lastError()) }
        if let group, chown(path, uid_t.max, group) != 0 { throw .unwritable(path: path, reason: lastError()) }
        // After chown, and explicitly: mkdir(2) applies the umask, and an existing folder keeps what it had.
        if chmod(path, mode) != 0 { throw .unwritable(path: path, reason: lastError()) }
    }

    private static func writeAll(_ bytes: [UInt8], to file: Int32, path: String) throws(IdentityError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + written, $0.count - written) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .unwritable(path: path, reason: lastError()) }
            written += count
        }
    }

    /// A rename is durable only when the folder that holds the name is.
    static func syncFolder(of path: String) throws(IdentityError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .unwritable(path: folder, reason: lastError()) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .unwritable(path: folder, reason: lastError()) }
    }
}

/// The text of `errno`, as perror(3) would print it.
func lastError() -> String { String(cString: strerror(errno)) }
