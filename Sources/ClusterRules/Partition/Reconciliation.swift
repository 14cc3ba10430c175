import ClusterModel

/// What this node finds of one machine when it comes back, or when its service starts.
public struct MachineFindings: Hashable, Sendable {
    /// The log's entry for it; nil if the log has no such machine.
    public var inLog: ClusterMachine?
    /// What its QEMU does here; nil if there is none.
    public var execution: LocalMachineFact.Execution?
    public var record: Record
    /// Whether the node that ``record`` names can no longer run it: it stopped, is fenced, or said so in this epoch.
    public var isRecordedOwnerHarmless: Bool

    /// The ownership record on the shared disk.
    public enum Record: Hashable, Sendable {
        case unreadable
        case empty
        case names(NodeID, epoch: UInt64)
    }
    public init(inLog: ClusterMachine?, execution: LocalMachineFact.Execution?, record: Record, isRecordedOwnerHarmless: Bool) {
        self.inLog = inLog
        self.execution = execution
        self.record = record
        self.isRecordedOwnerHarmless = isRecordedOwnerHarmless
    }
}

/// What the node does about it.
public enum ReconciliationAction: Hashable, Sendable {
    /// Nothing.
    case leave
    /// It runs here rightly: take it into care again.
    case adopt
    case resume
    case start
    /// Its processors stop, its memory stays, until the contradiction is solved.
    case pause
    case stop
    /// It arrived by a migration that has not finished: the rules of migrations decide.
    case finishMigration
    /// Propose to the log that this node becomes the owner, under the epoch after the log's.
    case claim
    /// Propose the next epoch for the same owner: the shared disk is ahead of the log.
    case raiseEpoch
}

/// The decision about one machine.
public struct Reconciliation: Hashable, Sendable {
    public var action: ReconciliationAction
    /// Whether the ownership record is to be written with the log's owner and epoch before the action.
    public var writesRecord: Bool
    /// What contradicts what, for the history; nil when all agree.
    public var contradiction: String?
    init(_ action: ReconciliationAction, writesRecord: Bool = false, _ contradiction: String? = nil) {
        self.action = action
        self.writesRecord = writesRecord
        self.contradiction = contradiction
    }
}

/// Compares log, shared disk and QEMU. Only in an open epoch: what an old log says counts for nothing.
///
/// The log decides who may run a machine. The shared disk can only forbid: where it names another node under the same or a later
/// epoch, this node runs nothing until that node is known not to. So two nodes that follow this never run one machine.
public func reconcile(_ findings: MachineFindings, on node: NodeID) -> Reconciliation {
    guard let machine = findings.inLog else {
        return findings.execution == nil
            ? Reconciliation(.leave)
            : Reconciliation(.stop, "It runs here but the cluster has no such machine: it was deleted meanwhile.")
    }
    guard machine.owner == node else { return asStranger(findings, machine, node) }

    switch findings.record {
    case .unreadable:
        let decision = asOwner(findings, machine, writesRecord: false)
        // A QEMU that runs was started under a record that was read. Nothing is set going blindly.
        guard decision.action == .start || decision.action == .resume else { return decision }
        return Reconciliation(.leave, "Its ownership record cannot be read, so it is not started. See `apus disk list`.")
    case .empty:
        return asOwner(findings, machine, writesRecord: true)
    case .names(let recorded, let epoch):
        if epoch < machine.epoch { return asOwner(findings, machine, writesRecord: true) }
        if recorded == node {
            guard epoch > machine.epoch else { return asOwner(findings, machine, writesRecord: false) }
            return Reconciliation(.raiseEpoch, "The shared disk has epoch \(epoch), the log \(machine.epoch), both for this node.")
        }
        let what = "The log names this node under epoch \(machine.epoch), the shared disk node \(recorded) under \(epoch)."
        guard findings.isRecordedOwnerHarmless else {
            return Reconciliation(findings.execution == .running ? .pause : .leave, what)
        }
        // A record is written only over a lower epoch.
        return Reconciliation(findings.execution == .running ? .pause : .raiseEpoch, what)
    }
}

private func asOwner(_ findings: MachineFindings, _ machine: ClusterMachine, writesRecord: Bool) -> Reconciliation {
    switch (machine.desired, findings.execution) {
    case (.running, .running), (.running, .ioError): Reconciliation(.adopt, writesRecord: writesRecord)
    case (.running, .paused): Reconciliation(.resume, writesRecord: writesRecord)
    case (.running, .incoming): Reconciliation(.finishMigration, writesRecord: writesRecord)
    case (.running, nil): Reconciliation(.start, writesRecord: writesRecord)
    case (.stopped, nil): Reconciliation(.leave, writesRecord: writesRecord)
    case (.stopped, _): Reconciliation(.stop, writesRecord: writesRecord)
    }
}

private func asStranger(_ findings: MachineFindings, _ machine: ClusterMachine, _ node: NodeID) -> Reconciliation {
    switch findings.execution {
    case nil: return Reconciliation(.leave)
    // Another node may be sending it here at this moment; a QEMU that waits runs nothing.
    case .incoming: return Reconciliation(.leave)
    case .running, .paused, .ioError:
        if case .names(node, let epoch) = findings.record, epoch > machine.epoch {
            // The log's owner handed it over on the disk and died before the log had it. The log has the last word: paused until then.
            let what =
                "The shared disk gives it to this node under epoch \(epoch), the log to node \(machine.owner) under \(machine.epoch)."
            return Reconciliation(findings.execution == .running ? .pause : .claim, what)
        }
        return Reconciliation(.stop, "It ran here, but node \(machine.owner) owns it since epoch \(machine.epoch).")
    }
}
