import ClusterModel

/// What the source learns while it moves a machine.
public enum SourceFact: Hashable, Sendable {
    /// The queue lets it begin.
    case admitted
    case destinationReady
    /// It receives as many machines as it may at a time.
    case destinationBusy
    case destinationFailed(String)
    case statistics(TransferStatistics)
    /// QEMU paused the guest and waits before it sends the rest (`pre-switchover`).
    case reachedPreSwitchover
    /// QEMU sends the last memory and the state of the devices (`device`).
    case deviceStateBegun
    /// The source QEMU is done and the destination acknowledged everything (return path).
    case transferCompleted
    case transferFailed(String)
    case transferCancelled
    case postCopyActive
    /// The link broke during post-copy; both ends wait.
    case postCopyPaused
    case sourceDied(String)
    case ownershipWritten
    /// The write certainly did not happen.
    case ownershipNotWritten(String)
    /// The write may have happened or may yet happen.
    case ownershipUnknown
    case destinationRuns
    /// The destination owns the machine but its copy is gone. It handed ownership back under the epoch given, or restarts it from disk.
    case destinationGone(returnedEpoch: UInt64?, String)
    /// During post-copy the destination lost the machine.
    case destinationLost(String)
    case cancelAsked
    /// Time passed.
    case tick
}

/// What the source does about it. Each is safe to repeat.
public enum SourceEffect: Hashable, Sendable {
    /// The destination builds the machine, and QEMU here is told how to send it. Nothing moves yet.
    case prepareBothEnds(allowedBlackout: Duration)
    /// Ask the destination again in a moment.
    case waitForDestination
    case stopGuest
    case startTransfer
    case allowBlackout(Duration)
    case throttleEarlier
    case startPostCopy
    case continueSwitchover
    /// Post-copy: wait until the destination says that it has the state of the devices.
    case confirmReceived
    case commitOwnership(epoch: UInt64)
    case resumeDestination(epoch: UInt64)
    case recoverPostCopy
    case cancelTransfer
    case discardDestination
    /// See to it that the guest runs here, if it ran before.
    case keepMachine(epoch: UInt64)
    /// The machine runs elsewhere: end the QEMU that is left here.
    case endSource
    case finish(SourceEnding)
}

/// How it ended.
public enum SourceEnding: Hashable, Sendable {
    case moved
    /// The machine runs on the source as before.
    case kept(SourceFailure)
    /// The source QEMU ended by itself; its node restarts the machine as its crash policy says.
    case sourceDied(String)
    /// The destination owns it, lost its memory, and restarts it as the crash policy says.
    case destinationRestarts(String)
    /// Post-copy lost an end: the memory is gone, the disk is intact.
    case lost(String)
}

/// Why a migration ended early. In every case the guest still runs on its source node.
public enum SourceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case cancelled
    case destination(NodeName, String)
    case transfer(String)
    case linkStalled(VMName, NodeName)
    case cannotConverge(VMName, dirtyBytesPerSecond: UInt64, linkBytesPerSecond: UInt64, allowedMilliseconds: Int)
    case ownership(String)
    case deadline(String)

    public var description: String {
        switch self {
        case .cancelled:
            "The migration was cancelled."
        case .destination(let node, let reason):
            "\(node) could not take the machine: \(reason)"
        case .transfer(let reason):
            "The transfer failed: \(reason)" + (reason.hasSuffix(".") ? "" : ".")
        case .linkStalled(let vm, let node):
            "No memory of \(vm) reached \(node) for \(Int(SourceMigration.Deadline.stalled.seconds)) s. Check the migration network between the nodes."
        case .cannotConverge(let vm, let dirty, let link, let allowed):
            "\(vm) changes \(mebibytes(dirty)) MiB/s, the link carries \(mebibytes(link)) MiB/s: it cannot switch over within \(allowed) ms. "
                + "Raise --bandwidth or --max-blackout, allow --post-copy, or use --quick."
        case .ownership(let reason):
            "Ownership could not be written on the shared disk: \(reason)"
        case .deadline(let reason):
            reason
        }
    }
}
