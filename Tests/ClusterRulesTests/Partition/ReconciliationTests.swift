import ClusterModel
import ClusterRules
import Testing

@Suite("What runs where, after nodes return")
struct ReconciliationTests {
    private static let here = StateFixture.id(1)
    private static let there = StateFixture.id(2)
    static let executions: [LocalMachineFact.Execution?] = [nil, .running, .paused, .ioError, .incoming]

    private static func machine(owner: NodeID, desired: DesiredState) -> ClusterMachine {
        ClusterMachine(machine: StateFixture.machine("web"), owner: owner, epoch: 5, desired: desired)
    }
    private static let records: [MachineFindings.Record] =
        [.unreadable, .empty] + [here, there].flatMap { node in (4...6).map { .names(node, epoch: UInt64($0)) } }

    @Test("The table, row by row")
    func table() {
        let own = Self.machine(owner: Self.here, desired: .running)
        let stopped = Self.machine(owner: Self.here, desired: .stopped)
        let foreign = Self.machine(owner: Self.there, desired: .running)
        typealias Row = (ClusterMachine?, LocalMachineFact.Execution?, MachineFindings.Record, Bool, ReconciliationAction, Bool)
        let rows: [Row] = [
            // log, QEMU, shared disk, recorded owner harmless -> action, writes the record
            (nil, nil, .empty, false, .leave, false),
            (nil, .running, .names(Self.here, epoch: 5), false, .stop, false),
            (own, .running, .names(Self.here, epoch: 5), false, .adopt, false),
            (own, .paused, .names(Self.here, epoch: 5), false, .resume, false),
            (own, .ioError, .names(Self.here, epoch: 5), false, .adopt, false),
            (own, .incoming, .names(Self.here, epoch: 5), false, .finishMigration, false),
            (own, nil, .names(Self.here, epoch: 5), false, .start, false),
            (own, nil, .names(Self.there, epoch: 4), false, .start, true),
            (own, nil, .empty, false, .start, true),
            (own, nil, .unreadable, false, .leave, false),
            (own, .paused, .unreadable, false, .leave, false),
            (own, .running, .unreadable, false, .adopt, false),
            (own, nil, .names(Self.there, epoch: 5), false, .leave, false),
            (own, .running, .names(Self.there, epoch: 5), false, .pause, false),
            (own, nil, .names(Self.there, epoch: 5), true, .raiseEpoch, false),
            (own, nil, .names(Self.there, epoch: 6), false, .leave, false),
            (own, nil, .names(Self.there, epoch: 6), true, .raiseEpoch, false),
            (own, .running, .names(Self.here, epoch: 6), false, .raiseEpoch, false),
            (stopped, .running, .names(Self.here, epoch: 5), false, .stop, false),
            (stopped, nil, .names(Self.here, epoch: 5), false, .leave, false),
            (foreign, nil, .names(Self.there, epoch: 5), false, .leave, false),
            (foreign, .running, .names(Self.there, epoch: 5), false, .stop, false),
            (foreign, .paused, .names(Self.here, epoch: 4), false, .stop, false),
            (foreign, .incoming, .names(Self.there, epoch: 5), false, .leave, false),
            (foreign, .running, .names(Self.here, epoch: 6), false, .pause, false),
            (foreign, .paused, .names(Self.here, epoch: 6), false, .claim, false),
        ]
        for (log, execution, record, harmless, action, writes) in rows {
            let findings = MachineFindings(inLog: log, execution: execution, record: record, isRecordedOwnerHarmless: harmless)
            let decision = reconcile(findings, on: Self.here)
            #expect(decision.action == action, "\(findings)")
            #expect(decision.writesRecord == writes, "\(findings)")
        }
    }

    /// Goal: whatever two nodes find, they never both run a machine, and a node never sets one going that the log gives to another.
    @Test("Every combination on two nodes: at most one runs it", arguments: DesiredState.allCases, records)
    func neverTwo(desired: DesiredState, record: MachineFindings.Record) {
        let log = Self.machine(owner: Self.here, desired: desired)
        for own in Self.executions {
            for other in Self.executions {
                // The node the disk names is harmless to the other one only when it runs nothing.
                let mine = reconcile(
                    MachineFindings(inLog: log, execution: own, record: record, isRecordedOwnerHarmless: other == nil), on: Self.here)
                let theirs = reconcile(
                    MachineFindings(inLog: log, execution: other, record: record, isRecordedOwnerHarmless: own == nil), on: Self.there)
                let runs: Set<ReconciliationAction> = [.adopt, .resume, .start]
                #expect(!runs.contains(theirs.action), "the log gives it to the other node")
                #expect(!(theirs.writesRecord), "only the log's owner writes the record")
                if case .names(Self.there, let epoch) = record, epoch >= log.epoch, other != nil {
                    #expect(mine.action != .resume && mine.action != .start, "the other node may run it by the shared disk")
                }
                if mine.action == .start { #expect(own == nil) }
                if theirs.action == .leave { #expect(other == nil || other == .incoming) }
            }
        }
    }
}
