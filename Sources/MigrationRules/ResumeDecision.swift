import ClusterModel

/// What the destination has of a machine that is on its way to it.
public enum ReceivedCopy: Hashable, Sendable {
    case none
    /// Not all of it is here.
    case receiving
    /// All of it is here, paused.
    case received
    case running
}

/// What the destination does when the source says: you own it now, run it.
public enum ResumeDecision: Hashable, Sendable {
    case run
    /// The source let go but its write is not on the disk yet: write the same record, then run.
    case writeThenRun(OwnershipRecord)
    case alreadyRuns
    /// Our copy is gone and the source still has the machine: give it back.
    case handBack(OwnershipRecord)
    /// The order is out of date or not for us.
    case refuse(String)
}

/// Decides what to do with the source's order to run a machine.
///
/// - Parameters:
///   - record: Read from the shared disk just now.
///   - epoch: The epoch the source committed, or is committing, for this node.
///
/// Handing back uses the next epoch. The record's two copies are chosen by the epoch's parity, so a late write of `epoch` cannot
/// replace `epoch + 1`, and of two readable copies the higher epoch counts.
public func decideResume(
    record: OwnershipRecord, node: NodeName, source: NodeName, epoch: UInt64, copy: ReceivedCopy
) -> ResumeDecision {
    let isCommitted = record.owner == node && record.epoch == epoch
    let isBeingCommitted = record.owner == source && record.epoch + 1 == epoch
    guard isCommitted || isBeingCommitted else {
        if record.owner == node, copy == .running { return .alreadyRuns }
        return .refuse(
            "The shared disk says that \(record.owner) owns the machine under epoch \(record.epoch); the order is for epoch \(epoch).")
    }
    switch copy {
    case .running: return .alreadyRuns
    case .received:
        return isCommitted ? .run : .writeThenRun(OwnershipRecord(vmID: record.vmID, owner: node, epoch: epoch))
    case .none, .receiving:
        return .handBack(OwnershipRecord(vmID: record.vmID, owner: source, epoch: epoch + 1))
    }
}
