import DurableFiles
import Foundation
import Glibc

/// Files and folders of the cluster folder; what a call did survives a power cut once it returned.
enum FolderStep {
    static func write(_ data: Data, to path: String, mode: mode_t = 0o600) throws(FolderError) {
        do throws(FileFailure) { try DurableFile.replace(path, with: [UInt8](data), mode: mode) } catch { throw FolderError(error) }
    }

    /// Moves a file or folder in one step; both places are in the same folder.
    static func rename(_ path: String, to new: String) throws(FolderError) {
        guard Glibc.rename(path, new) == 0 else { throw .init(path) }
        try syncFolder(DurableFile.folder(of: new))
    }

    static func makeFolder(_ path: String, mode: mode_t) throws(FolderError) {
        guard mkdir(path, mode) == 0 || errno == EEXIST, chmod(path, mode) == 0 else { throw .init(path) }
        try syncFolder(DurableFile.folder(of: path))
    }

    /// Removes a file or a folder with all in it; nothing there is fine.
    static func remove(_ path: String) throws(FolderError) {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            if !exists(path) { return }
            throw .init(path: path, reason: error.localizedDescription)
        }
        try syncFolder(DurableFile.folder(of: path))
    }

    static func syncFolder(_ path: String) throws(FolderError) {
        do throws(FileFailure) { try DurableFile.synchronize(folder: path) } catch { throw FolderError(error) }
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
    init(_ failure: FileFailure) { self.init(path: failure.path, code: failure.code) }
    /// With what the kernel just said (errno).
    init(_ path: String) { self.init(path: path, code: errno) }

    public var description: String { "\(path): \(reason). Check that the disk has room and is not read-only." }
}
