import ClusterModel
import Foundation

/// Why the replicated configuration could not be opened, read or changed. Whatever was asked for did not happen, not even in part.
public enum StoreError: Error, Hashable, CustomStringConvertible {
    /// A change that breaks the rules of the log, such as a promise that falls or an entry that leaves a gap. A defect of the caller.
    case contradiction(String)
    /// What is on the disk cannot be trusted. ``ConfigurationStore/quarantine(folder:)`` puts it aside.
    case damaged(path: String, reason: String)
    /// The disk is full; the change was rolled back, and the store goes on once there is room.
    case full(path: String, freeBytes: UInt64)
    /// Another process has the database open.
    case inUse(path: String)
    /// The file is there, and it is not a configuration of Apus.
    case foreign(path: String, what: String)
    /// The configuration of another cluster, or of another node.
    case otherOwner(path: String, cluster: UUID, node: NodeID)
    /// Written by a newer Apus.
    case newer(path: String, version: Int, known: Int)
    /// The operating system or SQLite refused. After a failed write or sync the store stays closed: what the disk holds is unknown until
    /// it is opened again.
    case inputOutput(path: String, reason: String)
    /// ``ConfigurationStore/close()`` was called.
    case closed(path: String)

    public var description: String {
        switch self {
        case .contradiction(let what):
            "The configuration refused a change that contradicts its log: \(what). Nothing was changed. This is a defect of Apus; report it."
        case .damaged(let path, let reason):
            "The configuration in \(path) is damaged: \(reason). Put it aside and fetch it from the other nodes; check the disk it is on."
        case .full(let path, let free):
            "The disk under \(path) is full (\(free >> 10) KiB free); the change was not made. Free at least 64 MiB there."
        case .inUse(let path):
            "Another process has \(path) open. Only one node service may run with this folder; `fuser -v \(path)` names who it is."
        case .foreign(let path, let what):
            "\(path) is not a configuration of Apus: \(what). It was not touched. Move it away, or use another state folder."
        case .otherOwner(let path, let cluster, let node):
            "\(path) belongs to node \(node) of cluster \(cluster.uuidString.lowercased()). It was not touched. Move it away, or use its own state folder."
        case .newer(let path, let version, let known):
            "\(path) has version \(version), this Apus knows up to \(known). It was not touched. Install the Apus that wrote it, or a newer one."
        case .inputOutput(let path, let reason):
            "The configuration in \(path) cannot be read or written: \(reason). Check the disk, then restart the node service."
        case .closed(let path):
            "The configuration in \(path) was closed."
        }
    }
}
