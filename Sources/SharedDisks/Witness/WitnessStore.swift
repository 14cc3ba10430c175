import ClusterModel
import Foundation
import SCSI

/// Where a cluster keeps the witness's copy of its configuration and the heartbeats: a disk or a file share.
///
/// **Who writes what.** Configuration slots are written by the node that holds the witness, and by it alone; each node writes its own
/// heartbeat; all read. Nothing is cached. Every call ends within the limit that the store was opened with.
public protocol WitnessStore: Sendable {
    /// For messages.
    var name: String { get }
    var cluster: UUID { get }
    /// What one configuration slot has room for.
    var payloadLimit: UInt64 { get }

    /// - Throws: ``WitnessError/unreadable(_:_:)`` when neither slot can be trusted. That is never the same as an empty configuration.
    func readNewest() async throws(WitnessError) -> WitnessReading

    /// Writes the older slot and returns when it is durable.
    ///
    /// - Parameter evenIfDamaged: The operator has decided that what both slots held is lost.
    func write(_ content: WitnessContent, evenIfDamaged: Bool) async throws(WitnessError)

    func heartbeats(of nodes: [NodeID]) async throws(WitnessError) -> [NodeID: WitnessHeartbeatReading]
    func writeHeartbeat(_ heartbeat: WitnessHeartbeat) async throws(WitnessError)
}

/// Why a witness could not be made, opened, read or written.
public enum WitnessError: Error, Hashable, CustomStringConvertible {
    case disk(SharedDiskError)
    case share(path: String, String)
    /// Another node has taken the share since.
    case shareTaken(path: String)
    /// It carries something that initialising would destroy.
    case wouldDestroy(String, content: String)
    case notAWitness(String, content: String)
    /// It is the witness of another cluster.
    case otherCluster(String, found: UUID, name: String, expected: UUID)
    case damaged(String, String)
    /// Neither configuration slot can be trusted.
    case unreadable(String, String)
    case tooSmall(String, byteCount: UInt64, needed: UInt64)
    case tooLarge(String, byteCount: Int, limit: UInt64)
    case invalidClusterName(String)
    case noHeartbeatSector(NodeID)
    /// It has a newer configuration than the one to be written: another node held it meanwhile.
    case wouldGoBack(String, has: ReplicaPosition, new: ReplicaPosition)

    public var description: String {
        switch self {
        case .disk(let error): error.description
        case .share(let path, let problem): "The witness share \(path): \(problem)."
        case .shareTaken(let path): "The witness share \(path) was taken over by another node."
        case .wouldDestroy(let name, let content):
            "\(name) carries \(content). Nothing was written. If it can go, say so with --force: everything there will be lost."
        case .notAWitness(let name, let content):
            "\(name) is no witness: it carries \(content). Initialise it before the cluster is formed."
        case .otherCluster(let name, let found, let clusterName, let expected):
            "\(name) is the witness of the cluster \(clusterName) (\(found)), not of this one (\(expected)). "
                + "Choose another disk, or destroy that cluster first."
        case .damaged(let name, let what): "The metadata of the witness \(name) cannot be trusted: \(what). Replace the witness."
        case .unreadable(let name, let what):
            "Neither copy of the configuration on the witness \(name) can be trusted: \(what). The nodes' own copies are not affected; "
                + "with a majority of them present, replace the witness."
        case .tooSmall(let name, let count, let needed): "\(name) has \(count >> 20) MiB; a witness needs at least \(needed >> 20) MiB."
        case .tooLarge(let name, let count, let limit):
            "The configuration has \(count) bytes and the witness \(name) has room for \(limit). Use a larger witness disk."
        case .invalidClusterName(let text): "\"\(text)\" is no cluster name: use 1 to 127 bytes without control characters."
        case .noHeartbeatSector(let node):
            "The witness has sectors for node ids up to \(WitnessLayout.heartbeatCount); node \(node) needs a lower one."
        case .wouldGoBack(let name, let has, let new):
            "The witness \(name) has the configuration up to entry \(has.lastIndex) of epoch \(has.adopted) and is not overwritten with "
                + "entry \(new.lastIndex) of epoch \(new.adopted). It is read again."
        }
    }

    /// Whether this node was excluded from the disk by another one, or never registered there.
    public var isExclusion: Bool {
        if case .shareTaken = self { return true }
        guard case .disk(let error) = self else { return false }
        switch error {
        case .reservationConflict, .reservationPreempted: return true
        default: return false
        }
    }
    /// Whether the way to the disk is gone for good.
    public var isTransportLost: Bool {
        guard case .disk(.transport(let error)) = self else { return false }
        return error.cause == .transportLost
    }
}
