import DurableFiles
import Glibc

/// Single steps with files, each of which is done or throws.
enum FileStep {
    /// - Returns: nil when there is no such file.
    static func read(_ path: String, limit: Int) throws(CorosyncFileError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .file(path: path, operation: "open", errno: errno)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw .file(path: path, operation: "read", errno: errno)
            }
            bytes += buffer.prefix(count)
            guard bytes.count <= limit else { throw .file(path: path, operation: "read (more than \(limit) bytes)", errno: EFBIG) }
        }
    }

    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) throws(CorosyncFileError) {
        do throws(FileFailure) { try DurableFile.replace(path, with: bytes, mode: mode) } catch { throw CorosyncFileError(error) }
    }

    static func remove(_ path: String) throws(CorosyncFileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .file(path: path, operation: "unlink", errno: errno) }
    }

    /// Gives a file a second name, unless something has that name already.
    static func keep(_ path: String, as other: String) throws(CorosyncFileError) {
        guard link(path, other) == 0 || errno == EEXIST else { throw .file(path: other, operation: "link", errno: errno) }
    }

    static func synchronize(folder: String) throws(CorosyncFileError) {
        do throws(FileFailure) { try DurableFile.synchronize(folder: folder) } catch { throw CorosyncFileError(error) }
    }
}

extension CorosyncFileError {
    init(_ failure: FileFailure) { self = .file(path: failure.path, operation: failure.step.rawValue, errno: failure.code) }
}
