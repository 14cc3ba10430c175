import DurableFiles
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
        // Several may write at a time, so each has a name of its own for what is not finished.
        let temporary = "\(path).new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        do throws(FileFailure) {
            try DurableFile.replace(path, with: Array(text.utf8), mode: mode, group: group, temporary: temporary)
        } catch { throw IdentityError(error) }
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

    /// A rename is durable only when the folder that holds the name is.
    static func syncFolder(of path: String) throws(IdentityError) {
        do throws(FileFailure) { try DurableFile.synchronize(folder: DurableFile.folder(of: path)) } catch { throw IdentityError(error) }
    }
}

extension IdentityError {
    init(_ failure: FileFailure) { self = .unwritable(path: failure.path, reason: failure.reason) }
}

/// The text of `errno`, as perror(3) would print it.
func lastError() -> String { String(cString: strerror(errno)) }
