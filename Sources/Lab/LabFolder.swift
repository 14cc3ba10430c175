import ClusterModel
import Foundation

/// Where the parts of one lab lie. All follows from the prefix.
struct LabFolder: Sendable {
    let prefix: String

    /// Gone after a reboot, like the processes and namespaces that the files belong to.
    static let root = "/run/apus-lab"
    /// The disks of the SAN, which may need more room than there is memory.
    static let diskRoot = "/var/lib/apus-lab"

    var path: String { Self.root + "/" + prefix }
    var disks: String { Self.diskRoot + "/" + prefix }
    /// Written first: what the lab consists of.
    var description: String { path + "/lab.json" }
    var authority: String { path + "/authority" }
    var hosts: String { path + "/hosts" }
    var tgtdLog: String { path + "/san/tgtd.log" }

    func disk(lun: Int) -> String { "\(disks)/lun\(lun).img" }
    func member(_ member: Member) -> String { path + "/" + member.name }
    /// `/etc/apus`, `/var/lib/apus` and `/run/apus` of a node.
    func etc(_ node: NodeName) -> String { path + "/\(node)/etc" }
    func state(_ node: NodeName) -> String { path + "/\(node)/state" }
    func run(_ node: NodeName) -> String { path + "/\(node)/run" }
    /// `/etc/corosync`, `/var/lib/corosync` and `/var/log/corosync` of a node, as `etc`, `lib` and `log`.
    func corosync(_ node: NodeName) -> String { path + "/\(node)/corosync" }
    /// A place for the private file system that holds what is mounted over the host's folders.
    func mountPoint(_ member: Member) -> String { path + "/\(member.name)/root" }
}

/// Somebody with a network namespace of its own.
enum Member: Hashable, Sendable {
    case node(NodeName)
    case san
    case client
    /// Holds a switch for each network.
    case switches

    /// As on the command line, and the folder and control group.
    var name: String {
        switch self {
        case .node(let name): name.rawValue
        case .san: "san"
        case .client: "client"
        case .switches: "sw"
        }
    }
    /// The name that `ip netns` shows.
    func namespace(prefix: String) -> String { prefix + "-" + name }
}

/// Small file operations with errors that name the file.
enum Files {
    static func makeFolder(_ path: String, mode: Int = 0o755) throws(LabError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch { throw .file(path: path, reason: "cannot make this folder: \(error.localizedDescription)") }
    }

    /// Replaces the file in one step, so that a reader finds the old or the new text.
    static func write(_ data: Data, to path: String, mode: Int = 0o644) throws(LabError) {
        let new = path + ".new"
        try remove(new)
        guard FileManager.default.createFile(atPath: new, contents: data, attributes: [.posixPermissions: mode]) else {
            throw .file(path: path, reason: "cannot write: \(String(cString: strerror(errno)))")
        }
        guard rename(new, path) == 0 else { throw .file(path: path, reason: "cannot write: \(String(cString: strerror(errno)))") }
    }

    static func writeJSON(_ value: some Encodable, to path: String, mode: Int = 0o644) throws(LabError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try write(try encoder.encode(value), to: path, mode: mode) } catch let error as LabError { throw error } catch {
            throw .file(path: path, reason: "cannot encode: \(error)")
        }
    }

    static func makeSparse(_ path: String, byteCount: UInt64) throws(LabError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .file(path: path, reason: "cannot create: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        guard ftruncate(file, off_t(byteCount)) == 0 else {
            throw .file(path: path, reason: "cannot have \(byteCount) bytes: \(String(cString: strerror(errno)))")
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Removes a file or a folder with all in it; nothing to do is fine.
    static func remove(_ path: String) throws(LabError) {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            var about = stat()
            guard lstat(path, &about) != 0, errno == ENOENT else {
                throw .file(path: path, reason: "cannot remove: \(error.localizedDescription)")
            }
        }
    }

    /// Removes a folder that others may still use: only when it is empty.
    static func removeIfEmpty(_ path: String) { _ = rmdir(path) }

    static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
