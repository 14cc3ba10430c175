import Glibc

/// Files and names that survive a power cut once a call returned (rename(2), fsync(2)).
public enum DurableFile {
    /// Replaces a file as a whole: after a crash, of this process or of the host, either the old or the new one is there.
    ///
    /// - Parameters:
    ///   - mode: Given before anything is written, so that a secret is never readable by others even for a moment.
    ///   - group: The group the file belongs to; nil leaves the caller's.
    ///   - temporary: Where the new file is written before it takes the place of the old one, in the same folder. Two writers of one file
    ///     at a time need two names.
    /// - Throws: ``FileFailure`` about `path`, or about its folder. The old file is as it was, unless only the folder could not be synced.
    public static func replace(
        _ path: String, with bytes: [UInt8], mode: mode_t = 0o600, group: gid_t? = nil, temporary: String? = nil
    ) throws(FileFailure) {
        let fresh = temporary ?? path + ".new"
        // Left by a crash. It must not be written through: another name may lead to it.
        guard unlink(fresh) == 0 || errno == ENOENT else { throw FileFailure(path, .create) }
        let file = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileFailure(path, .create) }
        do throws(FileFailure) {
            try fill(file, of: path, with: bytes, mode: mode, group: group)
            guard rename(fresh, path) == 0 else { throw FileFailure(path, .rename) }
        } catch {
            unlink(fresh)
            throw error
        }
        try synchronize(folder: folder(of: path))
    }

    /// Writes, syncs and closes, whatever happens.
    private static func fill(
        _ file: Int32, of path: String, with bytes: [UInt8], mode: mode_t, group: gid_t?
    ) throws(FileFailure) {
        do throws(FileFailure) {
            if let group, fchown(file, uid_t.max, group) != 0 { throw FileFailure(path, .changeGroup) }
            // The mask of the process may have taken bits away.
            guard fchmod(file, mode) == 0 else { throw FileFailure(path, .changeMode) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw FileFailure(path, .write, code: count < 0 ? errno : ENOSPC) }
                rest = rest.dropFirst(count)
            }
            guard fsync(file) == 0 else { throw FileFailure(path, .synchronize) }
        } catch {
            close(file)
            throw error
        }
        guard close(file) == 0 else { throw FileFailure(path, .close) }
    }

    /// Names are on disk only when the folder is.
    public static func synchronize(folder: String) throws(FileFailure) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure(folder, .openFolder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFailure(folder, .synchronizeFolder) }
    }

    /// The folder that holds a file's name.
    public static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// A step that the kernel refused.
public struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Step: String, Hashable, Sendable {
        case create, write, close, rename
        case changeGroup = "change of group"
        case changeMode = "change of mode"
        case synchronize = "fsync"
        case openFolder = "open"
        case synchronizeFolder = "fsync of the folder"
    }
    /// The file that was to be replaced, or the folder.
    public var path: String
    public var step: Step
    /// errno(3).
    public var code: Int32

    init(_ path: String, _ step: Step, code: Int32 = errno) {
        self.path = path
        self.step = step
        self.code = code
    }

    /// What the kernel said, as perror(3) would print it.
    public var reason: String { String(cString: strerror(code)) }
    public var description: String { "\(path) cannot be written: \(reason)." }
}
