import ClusterModel

/// What a node finds when its service starts and a machine's QEMU may still be there.
public struct AdoptedMachine: Hashable, Sendable {
    /// The record read from the shared disk just now.
    public var record: OwnershipRecord
    public var node: NodeName
    /// What its QEMU says, nil when there is none.
    public var qemu: QEMUCondition?
    /// The migration that was bringing it here when the service ended, if one was.
    public var incoming: Bool
    /// What the operator wants it to do.
    public var shouldRun: Bool
    public var crashPolicy: CrashPolicy

    public init(
        record: OwnershipRecord, node: NodeName, qemu: QEMUCondition?, incoming: Bool, shouldRun: Bool, crashPolicy: CrashPolicy
    ) {
        self.record = record
        self.node = node
        self.qemu = qemu
        self.incoming = incoming
        self.shouldRun = shouldRun
        self.crashPolicy = crashPolicy
    }
}

/// The states of a QEMU that matter for ownership (`query-status` and `query-migrate`).
public enum QEMUCondition: Hashable, Sendable {
    case running
    case paused
    case ioError
    /// Runs while its memory is copied away.
    case sending
    /// Paused by itself before the last memory is sent (`pre-switchover`, `device`).
    case switchingOver
    /// All of it was sent and acknowledged (`postmigrate`).
    case sent
    /// Runs elsewhere, still sends memory (post-copy source).
    case postCopySource
    /// Waits for memory or receives it.
    case receiving
    /// All of it is here; never ran here.
    case received
    /// The guest shut down.
    case shutdown
}

public enum RecoveryAction: Hashable, Sendable {
    /// It is ours and as it should be: take over its monitors.
    case supervise
    /// It is ours and paused for a reason that has gone: run it.
    case resume
    /// A transfer of ours has lost its supervisor before the point of no return: cancel it; the guest goes on here.
    case cancelTransfer
    /// Everything was sent and nothing written: finish what was begun if the destination still has it, else keep it.
    case finishOrRevert
    /// The record names us and all of it is here: run it.
    case runReceived
    /// The record names another node: end this QEMU without letting it run.
    case endForeign
    /// Not ours yet; wait for the source.
    case awaitSource
    /// Not ours, nothing here.
    case forget
    /// Ours, should run, no QEMU: start it from disk.
    case restart
    /// Ours, should run, no QEMU, and the policy says to leave it.
    case leaveCrashed
    case leaveStopped
}

/// Decides by the record on the shared disk, never by what happens to run.
public func recovery(of machine: AdoptedMachine) -> RecoveryAction {
    let isOurs = machine.record.owner == machine.node
    guard isOurs else {
        switch machine.qemu {
        case nil: return machine.incoming ? .awaitSource : .forget
        case .receiving, .received: return machine.incoming ? .awaitSource : .endForeign
        // A post-copy source must stay until the destination has fetched the rest of the memory.
        case .postCopySource: return .supervise
        default: return .endForeign
        }
    }
    switch machine.qemu {
    case .running: return .supervise
    case .paused: return machine.shouldRun ? .resume : .supervise
    case .ioError: return .supervise
    case .sending, .switchingOver: return .cancelTransfer
    // Post-copy can only go on; its other end may be waiting for the record to name it.
    case .sent, .postCopySource: return .finishOrRevert
    case .received: return .runReceived
    // Ownership is committed only after everything was received; half a machine that is ours can only be thrown away.
    case .receiving: return machine.shouldRun && machine.crashPolicy == .restart ? .restart : .leaveCrashed
    case .shutdown: return .leaveStopped
    case nil:
        guard machine.shouldRun else { return .leaveStopped }
        return machine.crashPolicy == .restart ? .restart : .leaveCrashed
    }
}
