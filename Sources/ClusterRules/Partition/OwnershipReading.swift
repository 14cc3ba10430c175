import ClusterModel

/// What the log and the shared disk say together about who may run a machine.
public enum OwnershipReading: Hashable, Sendable {
    case agreed(OwnershipRecord)
    /// The log names this node and the disk is behind: the disk has to be brought up before anything runs.
    case writeForward(OwnershipRecord)
    /// The disk knows of something that the log does not, which only reconciliation can settle. Nothing runs by it.
    case contradiction(String)
}

/// Compares both. Every change is an entry of the log first and a record on the disk afterwards, so a disk that is behind is on its way,
/// and one that is ahead was written by a log that is gone: quorum was forced, or a replica came from a backup.
///
/// - Parameters:
///   - log: After the last committed entry, in an open epoch.
///   - disk: Read before the log was looked at.
public func ownership(log: OwnershipRecord, disk: OwnershipRecord, on node: NodeName) -> OwnershipReading {
    if log.epoch > disk.epoch { return log.owner == node ? .writeForward(log) : .agreed(log) }
    if log == disk { return .agreed(log) }
    return .contradiction(
        "The configuration names \(log.owner) under epoch \(log.epoch), the shared disk \(disk.owner) under \(disk.epoch).")
}
