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

    /// Replaces a file so that after a crash, of this process or of the host, either the old or the new one is there, whole.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) throws(CorosyncFileError) {
        let fresh = path + ".new"
        // Left by a crash. It must not be written through: another name may lead to it.
        try remove(fresh)
        let file = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard file >= 0 else { throw .file(path: fresh, operation: "create", errno: errno) }
        var step = "write"
        var error = write(bytes, to: file)
        // The mask of the process may have taken bits away.
        if error == 0, fchmod(file, mode) != 0 { (step, error) = ("change of mode", errno) }
        if error == 0, fsync(file) != 0 { (step, error) = ("fsync", errno) }
        if close(file) != 0, error == 0 { (step, error) = ("close", errno) }
        if error == 0, rename(fresh, path) != 0 { (step, error) = ("rename", errno) }
        guard error == 0 else {
            unlink(fresh)
            throw .file(path: fresh, operation: step, errno: error)
        }
        try synchronize(folder: folder(of: path))
    }

    static func remove(_ path: String) throws(CorosyncFileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .file(path: path, operation: "unlink", errno: errno) }
    }

    /// Gives a file a second name, unless something has that name already.
    static func keep(_ path: String, as other: String) throws(CorosyncFileError) {
        guard link(path, other) == 0 || errno == EEXIST else { throw .file(path: other, operation: "link", errno: errno) }
    }

    /// Names are on disk only when the folder is.
    static func synchronize(folder: String) throws(CorosyncFileError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file(path: folder, operation: "open", errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .file(path: folder, operation: "fsync", errno: errno) }
    }

    /// 0, or an errno.
    private static func write(_ bytes: [UInt8], to file: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return errno }
            rest = rest.dropFirst(max(0, count))
        }
        return 0
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
