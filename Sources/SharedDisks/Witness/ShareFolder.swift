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
