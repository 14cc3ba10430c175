import DurableFiles
import Foundation

/// The folder of a file share witness: small files, replaced whole. Every call blocks.
struct ShareFolder: Sendable {
    let path: String
    /// No file of ours is larger: a slot and its header.
    private static let largestFile = Int(WitnessLayout.largestSlot)

    func names() throws(WitnessError) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
            throw .share(path: path, "its files cannot be listed (\(error.localizedDescription)); check that it is mounted")
        }
    }

    /// Nil when there is no such file.
    func read(_ name: String) throws(WitnessError) -> [UInt8]? {
        let file = open(path + "/" + name, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("\(name) cannot be opened")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(file, &buffer, buffer.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw failure("\(name) cannot be read")
            }
            guard count > 0 else { return bytes }
            guard bytes.count + count <= Self.largestFile else { throw .share(path: path, "\(name) is larger than it can be") }
            bytes += buffer[..<count]
        }
    }

    /// After this the file is the new one, also after a loss of power; before, it is the old one.
    func replace(_ name: String, with bytes: [UInt8]) throws(WitnessError) {
        do throws(FileFailure) {
            try DurableFile.replace(path + "/" + name, with: bytes, temporary: path + "/." + name + ".new")
        } catch {
            let what =
                switch error.step {
                case .create: "\(name) cannot be created"
                case .write, .close, .changeMode, .changeGroup: "\(name) cannot be written"
                case .synchronize: "\(name) cannot be made durable"
                case .rename: "\(name) cannot be replaced"
                case .openFolder: "the folder cannot be opened"
                case .synchronizeFolder: "the folder cannot be made durable"
                }
            throw .share(path: path, "\(what): \(error.reason)")
        }
    }

    func remove(_ name: String) throws(WitnessError) {
        guard unlink(path + "/" + name) == 0 || errno == ENOENT else { throw failure("\(name) cannot be removed") }
    }

    private func failure(_ what: String) -> WitnessError { .share(path: path, "\(what): \(String(cString: strerror(errno)))") }
}

/// An open file description lock (fcntl(2)) on the lock file of a share. Released with the value: it belongs to the open file, not to the
/// process, so another part of the process that opens and closes the file does not release it by accident.
public final class FileShareLock: Sendable {
    private let file: Int32
    private let path: String

    /// Nil when somebody else has it.
    init?(path: String) throws(WitnessError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .share(path: path, "it cannot be opened: \(String(cString: strerror(errno)))") }
        var request = Self.wholeFile()
        guard fcntl(file, Self.set, &request) == 0 else {
            let number = errno
            close(file)
            if number == EAGAIN || number == EACCES { return nil }
            throw .share(path: path, "it cannot be locked: \(String(cString: strerror(number))); the share needs working locks")
        }
        self.file = file
        self.path = path
    }
    deinit { close(file) }

    /// Says in the file who has the lock.
    func sign(_ text: String) throws(WitnessError) {
        let bytes = [UInt8](text.utf8)
        guard ftruncate(file, 0) == 0, pwrite(file, bytes, bytes.count, 0) == bytes.count, fsync(file) == 0 else {
            throw .share(path: path, "it cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    static func isTaken(_ path: String) throws(WitnessError) -> Bool {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return false }
            throw .share(path: path, "it cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var request = wholeFile()
        guard fcntl(file, get, &request) == 0 else {
            throw .share(path: path, "its lock cannot be read: \(String(cString: strerror(errno)))")
        }
        return request.l_type != Int16(F_UNLCK)
    }

    private static func wholeFile() -> flock {
        var request = flock()
        request.l_type = Int16(F_WRLCK)
        request.l_whence = Int16(SEEK_SET)
        return request
    }
    // F_OFD_GETLK and F_OFD_SETLK (fcntl.h, Linux 3.15), which Foundation does not show.
    private static let get: Int32 = 36
    private static let set: Int32 = 37
}
