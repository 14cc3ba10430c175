import Foundation
import Glibc

/// Files and folders that survive a power cut once a call returned (rename(2), fsync(2)).
enum DurableFile {
    /// Replaces a file as a whole.
    ///
    /// - Parameter mode: Given before anything is written, so that a secret is never readable by others even for a moment.
    static func write(_ data: Data, to path: String, mode: mode_t = 0o600) throws(FolderError) {
        let new = path + ".new"
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .init(new) }
        do throws(FolderError) {
            defer { close(file) }
            guard fchmod(file, mode) == 0 else { throw .init(new) }
            var rest = [UInt8](data)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw count < 0 ? .init(new) : .init(path: new, code: ENOSPC) }
                rest = rest.dropFirst(count)
            }
            guard fsync(file) == 0 else { throw .init(new) }
        } catch {
            unlink(new)
            throw error
        }
        try rename(new, to: path)
    }

    /// Moves a file or folder in one step; both places are in the same folder.
    static func rename(_ path: String, to new: String) throws(FolderError) {
        guard Glibc.rename(path, new) == 0 else { throw .init(path) }
        try syncFolder((new as NSString).deletingLastPathComponent)
    }

    static func makeFolder(_ path: String, mode: mode_t) throws(FolderError) {
        guard mkdir(path, mode) == 0 || errno == EEXIST, chmod(path, mode) == 0 else { throw .init(path) }
        try syncFolder((path as NSString).deletingLastPathComponent)
    }

    /// Removes a file or a folder with all in it; nothing there is fine.
    static func remove(_ path: String) throws(FolderError) {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            var about = stat()
            if lstat(path, &about) != 0, errno == ENOENT { return }
            throw .init(path: path, reason: error.localizedDescription)
        }
        try syncFolder((path as NSString).deletingLastPathComponent)
    }

    static func syncFolder(_ path: String) throws(FolderError) {
        let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .init(path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .init(path) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// A file of the cluster folder that cannot be written or read.
public struct FolderError: Error, Hashable, CustomStringConvertible {
    public var path: String
    public var reason: String

    init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
    init(path: String, code: Int32) { self.init(path: path, reason: String(cString: strerror(code)).lowercased()) }
    /// With what the kernel just said (errno).
    init(_ path: String) { self.init(path: path, code: errno) }

    public var description: String { "\(path): \(reason). Check that the disk has room and is not read-only." }
}
