import Foundation
import Glibc

extension MachineFolder {
    /// Makes the folder new and empty, with room for QEMU's sockets; parents that are missing too.
    ///
    /// - Precondition: no process of this machine runs.
    func create(for user: MachineUser) throws(MachineProcessError) {
        try remove()
        var parent = ""
        for part in path.split(separator: "/").dropLast() {
            parent += "/" + part
            // Anyone may pass through: QEMU must reach its folder. What is in it is guarded by the folder itself.
            guard mkdir(parent, 0o755) == 0 || errno == EEXIST else { throw failure(parent, "creating it") }
        }
        guard mkdir(path, 0o700) == 0 else { throw failure(path, "creating it") }
        guard chown(path, 0, user.groupID) == 0 else { throw failure(path, "giving it to group \(user.groupID)") }
        guard chmod(path, 0o1770) == 0 else { throw failure(path, "setting its permissions") }
    }

    /// Removes the folder and the files in it; nothing happens when it is not there.
    public func remove() throws(MachineProcessError) {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return }
            throw failure(path, "opening it")
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name == "." || name == ".." { continue }
            // Never follows a link; a folder in here was not made by us and makes this fail.
            guard unlink(file(name)) == 0 || errno == ENOENT else { throw failure(file(name), "removing it") }
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure(path, "removing it") }
    }

    /// Writes a secret that only the machine user may read.
    func write(secret: String, to name: String, for user: MachineUser) throws(MachineProcessError) {
        let path = file(name)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path, "creating it") }
        defer { close(descriptor) }
        // Belongs to the user only once it is complete.
        let bytes = Array(secret.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw failure(path, "writing it") }
        guard fchown(descriptor, user.userID, user.groupID) == 0 else { throw failure(path, "giving it to \(user.name)") }
    }

    func remove(file name: String) throws(MachineProcessError) {
        guard unlink(file(name)) == 0 || errno == ENOENT else { throw failure(file(name), "removing it") }
    }

    /// Opens a new file that only root may write.
    func createForRoot(_ path: String) throws(MachineProcessError) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw failure(path, "creating it") }
        return descriptor
    }

    /// The end of a file that QEMU may have written, so what it is and holds is not trusted: no link is followed, only a regular file
    /// is read, text that is no UTF-8 is repaired.
    ///
    /// - Returns: nil when there is no such file.
    public static func tail(of path: String, byteCount: Int = 65_536) -> String? {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return nil }
        let wanted = max(0, min(byteCount, Int(facts.st_size)))
        var bytes = [UInt8](repeating: 0, count: wanted)
        let count = pread(descriptor, &bytes, wanted, facts.st_size - off_t(wanted))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// Keeps the end of the serial log when it has grown beyond `limit` bytes, so that a guest that prints without end cannot fill the
    /// node's memory. Lines that the guest prints while this runs may be lost.
    ///
    /// - Returns: whether it was shortened.
    public func shortenSerialLog(beyond limit: Int, keeping kept: Int) throws(MachineProcessError) -> Bool {
        let descriptor = open(serialLog, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return false }
            throw failure(serialLog, "opening it")
        }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size > limit else { return false }
        let wanted = max(0, min(kept, limit))
        var bytes = [UInt8](repeating: 0, count: wanted)
        let count = pread(descriptor, &bytes, wanted, facts.st_size - off_t(wanted))
        // QEMU appends (`logappend=on` opens with O_APPEND), so it goes on behind whatever is left here.
        guard count >= 0, ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, count, 0) == count else {
            throw failure(serialLog, "shortening it")
        }
        return true
    }

    private func failure(_ path: String, _ operation: String) -> MachineProcessError {
        .file(path: path, operation: operation, errno: errno)
    }
}

/// The words a program ended with, from the end of its log: the last lines, without QEMU's time stamps and program name. Warnings
/// are left out when something worse was said.
func lastWords(in log: String?, program: String) -> String {
    let name = program.split(separator: "/").last.map(String.init) ?? program
    let lines = (log ?? "").split(whereSeparator: \.isNewline).suffix(20).map { line in
        var line = line[...]
        if let colon = line.range(of: name + ": ") { line = line[colon.upperBound...] }
        return String(line.filter { !$0.unicodeScalars.contains { $0.value < 0x20 } }.prefix(500))
    }
    let errors = lines.filter { !$0.hasPrefix("warning: ") }
    return (errors.isEmpty ? lines : errors).suffix(4).joined(separator: "; ")
}
