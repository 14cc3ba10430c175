import ClusterModel
import MigrationRules
import Testing

@Suite("The source's side of a migration")
struct SourceMigrationTests {
    /// A migration that was driven to a phase by the facts that lead there.
    private func migration(_ facts: [SourceFact], kind: MigrationKind = .live, postCopy: Bool = false) -> SourceMigration {
        var migration = SourceMigration(order: order(kind, postCopy: postCopy), source: n1, epoch: 4)
        for (index, fact) in facts.enumerated() { _ = migration.handle(fact, at: .milliseconds(index)) }
        return migration
    }
    private let toTransfer: [SourceFact] = [.admitted, .destinationReady]
    private let toDevice: [SourceFact] = [.admitted, .destinationReady, .reachedPreSwitchover, .deviceStateBegun]
    private let toCommit: [SourceFact] = [.admitted, .destinationReady, .reachedPreSwitchover, .deviceStateBegun, .transferCompleted]

    @Test("A live migration goes through its phases in order")
    func happyPath() {
        var migration = SourceMigration(order: order(), source: n1, epoch: 4)
        #expect(migration.handle(.admitted, at: .zero) == [.prepareBothEnds(allowedBlackout: .milliseconds(60))])
        #expect(migration.handle(.destinationReady, at: .zero) == [.startTransfer])
        #expect(migration.handle(.reachedPreSwitchover, at: .zero) == [.continueSwitchover])
        #expect(migration.phase == .preSwitchover)
        #expect(migration.handle(.deviceStateBegun, at: .zero) == [])
        #expect(migration.handle(.transferCompleted, at: .zero) == [.commitOwnership(epoch: 5)])
        #expect(migration.handle(.ownershipWritten, at: .zero) == [.resumeDestination(epoch: 5)])
        #expect(migration.handle(.destinationRuns, at: .zero) == [.endSource, .finish(.moved)])
        #expect(migration.phase == .completed)
    }

    @Test("A quick migration stops the guest before anything is sent")
    func quick() {
        var migration = SourceMigration(order: order(.quick), source: n1, epoch: 1)
        _ = migration.handle(.admitted, at: .zero)
        #expect(migration.handle(.destinationReady, at: .zero) == [.stopGuest, .startTransfer])
    }

    @Test("A destination that is busy is waited for, however long it takes")
    func busyDestination() {
        var migration = SourceMigration(order: order(), source: n1, epoch: 4)
        for second in 0..<600 {
            #expect(migration.handle(.admitted, at: .seconds(second)) == [.prepareBothEnds(allowedBlackout: .milliseconds(60))])
            #expect(migration.handle(.destinationBusy, at: .seconds(second)) == [.waitForDestination])
            #expect(migration.phase == .queued)
        }
        #expect(migration.handle(.cancelAsked, at: .seconds(600)) == [.finish(.kept(.cancelled))])
        #expect(migration.handle(.admitted, at: .seconds(601)) == [])
    }

    @Test(
        "Whatever fails before the commit leaves the machine here",
        arguments: [
            SourceFact.transferFailed("reset"), .transferCancelled,
        ])
    func failureKeepsTheMachine(fact: SourceFact) {
        for facts in [toTransfer, Array(toDevice.dropLast()), toDevice] {
            var migration = migration(facts)
            let effects = migration.handle(fact, at: .seconds(1))
            #expect(effects.contains(.keepMachine(epoch: 4)))
            #expect(effects.contains(.discardDestination))
            #expect(migration.phase == .failed)
        }
    }

    @Test("After the commit was sent nothing but a certain refusal brings the machine back")
    func forwardOnly() {
        var unknown = migration(toCommit)
        #expect(unknown.handle(.ownershipUnknown, at: .zero) == [.resumeDestination(epoch: 5)])
        for fact in [SourceFact.transferFailed("late"), .transferCancelled, .cancelAsked, .tick, .destinationFailed("gone")] {
            #expect(!unknown.handle(fact, at: .seconds(3_000)).contains { if case .keepMachine = $0 { true } else { false } })
        }
        var refused = migration(toCommit)
        #expect(refused.handle(.ownershipNotWritten("conflict"), at: .zero).contains(.keepMachine(epoch: 4)))
    }

    @Test("Ownership that is handed back brings the machine back under the new epoch")
    func handedBack() {
        var migration = migration(toCommit + [.ownershipWritten])
        let effects = migration.handle(.destinationGone(returnedEpoch: 6, "killed"), at: .zero)
        #expect(effects.first == .keepMachine(epoch: 6))
        #expect(migration.phase == .failed)
    }

    @Test("It can be cancelled until the device state is sent, and once only")
    func cancelling() {
        var transferring = migration(toTransfer)
        #expect(transferring.canBeCancelled)
        #expect(transferring.handle(.cancelAsked, at: .zero) == [.cancelTransfer])
        #expect(transferring.handle(.cancelAsked, at: .zero) == [])
        // QEMU reached the switchover before it saw the cancel: it must not go on.
        #expect(transferring.handle(.reachedPreSwitchover, at: .zero) == [])
        #expect(!transferring.maySwitchOver)
        let effects = transferring.handle(.transferCancelled, at: .zero)
        #expect(effects.last == .finish(.kept(.cancelled)))
        #expect(transferring.phase == .cancelled)

        var device = migration(toDevice)
        #expect(!device.canBeCancelled)
        #expect(device.handle(.cancelAsked, at: .zero) == [])

        var queued = SourceMigration(order: order(), source: n1, epoch: 1)
        #expect(queued.handle(.cancelAsked, at: .zero) == [.finish(.kept(.cancelled))])
    }

    @Test("A link that carries nothing ends the migration, one that moves does not")
    func stalledLink() {
        var migration = migration(toTransfer)
        for second in 1...30 {
            let look = statistics(pass: 1, remaining: 1 << 30, transferred: UInt64(second) << 20)
            #expect(migration.handle(.statistics(look), at: .seconds(second)) == [])
            #expect(migration.handle(.tick, at: .seconds(second)) == [])
        }
        #expect(migration.handle(.tick, at: .seconds(39)) == [])
        #expect(migration.handle(.tick, at: .seconds(41)) == [.cancelTransfer])
        #expect(migration.handle(.tick, at: .seconds(60)) == [], "one cancel is enough")
        let effects = migration.handle(.transferCancelled, at: .seconds(61))
        #expect(effects.last == .finish(.kept(.linkStalled(web, n2))))
    }

    @Test(
        "Each phase has a deadline",
        arguments: [
            ([SourceFact.admitted], 31), ([.admitted, .destinationReady, .reachedPreSwitchover], 6),
            ([.admitted, .destinationReady, .reachedPreSwitchover, .deviceStateBegun], 5),
        ])
    func deadlines(facts: [SourceFact], seconds: Int) {
        var migration = migration(facts)
        #expect(migration.handle(.tick, at: .milliseconds(500)) == [])
        #expect(migration.handle(.tick, at: .seconds(seconds)) != [])
    }

    @Test("Post-copy: committed when the destination has the device state, complete when all memory is there")
    func postCopy() {
        var migration = migration(toDevice, postCopy: true)
        #expect(migration.handle(.postCopyActive, at: .zero) == [.confirmReceived, .commitOwnership(epoch: 5)])
        #expect(migration.handle(.ownershipWritten, at: .zero) == [.resumeDestination(epoch: 5)])
        #expect(migration.handle(.destinationRuns, at: .zero) == [])
        #expect(migration.phase == .postCopy)
        #expect(migration.handle(.postCopyPaused, at: .seconds(1)) == [.recoverPostCopy])
        #expect(migration.handle(.transferCompleted, at: .seconds(2)) == [.endSource, .finish(.moved)])
    }

    @Test("A post-copy link that breaks before the destination runs is taken up again when it does", arguments: [false, true])
    func postCopyPausedEarly(isWritten: Bool) {
        var migration = migration(toDevice + [.postCopyActive] + (isWritten ? [.ownershipWritten] : []), postCopy: true)
        #expect(migration.handle(.postCopyPaused, at: .zero) == [])
        if !isWritten { #expect(migration.handle(.ownershipWritten, at: .zero) == [.resumeDestination(epoch: 5)]) }
        #expect(migration.handle(.destinationRuns, at: .zero) == [.recoverPostCopy])
        #expect(migration.phase == .postCopy)
    }

    @Test("Post-copy whose last page is sent before the destination runs is complete when it does", arguments: [false, true])
    func postCopyCompleteEarly(isWritten: Bool) {
        var migration = migration(toDevice + [.postCopyActive] + (isWritten ? [.ownershipWritten] : []), postCopy: true)
        #expect(migration.handle(.transferCompleted, at: .zero) == [])
        if !isWritten { #expect(migration.handle(.ownershipWritten, at: .zero) == [.resumeDestination(epoch: 5)]) }
        #expect(migration.handle(.destinationRuns, at: .zero) == [.endSource, .finish(.moved)])
        #expect(migration.phase == .completed)
    }

    @Test("Post-copy that loses its source is reported lost")
    func postCopyLoss() {
        var migration = migration(toDevice + [.postCopyActive, .ownershipWritten, .destinationRuns], postCopy: true)
        let effects = migration.handle(.sourceDied("killed"), at: .seconds(1))
        #expect(effects == [.discardDestination, .finish(.lost("killed"))])
    }
}

@Suite("The convergence ladder")
struct ConvergenceTests {
    /// The steps of a guest that changes memory at a constant rate, one look at the end of each pass.
    private func steps(
        _ order: MigrationOrder, dirty: UInt64, link: UInt64, throttle: Int = 0, passes: Int = 40
    ) -> [ConvergenceLadder.Step] {
        var ladder = ConvergenceLadder(order: order)
        return (1...passes).compactMap { pass in
            ladder.step(statistics(pass: pass, remaining: 1 << 28, transferred: 0, dirty: dirty, throttle: throttle), bytesPerSecond: link)
        }
    }

    @Test("First a longer pause within the limit, then slower vCPUs, then giving up")
    func withoutPostCopy() {
        let steps = steps(order(maxBlackout: 200), dirty: 400 << 20, link: 100 << 20)
        #expect(steps.prefix(3) == [.allowBlackout(.milliseconds(200)), .throttleEarlier, .giveUp])
    }

    @Test("The pause grows by doubling while the limit would suffice")
    func doubling() {
        // 25 MiB are left at each look: a quarter of a second.
        var ladder = ConvergenceLadder(order: order(maxBlackout: 300))
        let steps = (1...4).compactMap { pass in
            ladder.step(statistics(pass: pass, remaining: 25 << 20, transferred: 0, dirty: 50 << 20), bytesPerSecond: 100 << 20)
        }
        #expect(steps == [.allowBlackout(.milliseconds(120)), .allowBlackout(.milliseconds(240)), .allowBlackout(.milliseconds(300))])
    }

    @Test("Post-copy comes after throttling did not help, and only once")
    func withPostCopy() {
        let steps = steps(order(maxBlackout: 60, postCopy: true), dirty: 400 << 20, link: 100 << 20)
        #expect(steps == [.throttleEarlier, .startPostCopy])
    }

    @Test("Without auto-converge nothing is slowed down")
    func withoutThrottle() {
        let steps = steps(order(maxBlackout: 60, autoConverge: false), dirty: 400 << 20, link: 100 << 20)
        #expect(!steps.contains(.throttleEarlier))
        #expect(steps.first == .giveUp)
    }

    @Test("The operator's limit is never exceeded", arguments: [1, 30, 60, 61, 300, 5_000])
    func limit(milliseconds: Int) {
        let ladder = ConvergenceLadder(order: order(maxBlackout: milliseconds))
        #expect(ladder.allowedBlackout <= .milliseconds(milliseconds))
        for step in steps(order(maxBlackout: milliseconds), dirty: 1 << 30, link: 1 << 20) {
            if case .allowBlackout(let blackout) = step { #expect(blackout <= .milliseconds(milliseconds)) }
        }
    }

    @Test("One pass says nothing about convergence")
    func firstPass() {
        #expect(steps(order(), dirty: 1 << 30, link: 1, passes: 1).isEmpty)
    }
}

@Suite("Prediction")
struct PredictionTests {
    /// MiB of memory, MiB/s changed, MiB/s the link carries, passes expected.
    static let converging: [[UInt64]] = [[512, 0, 500, 1], [1_024, 50, 500, 1], [1_024, 50, 100, 6]]

    @Test("A guest that is slower than the link converges", arguments: converging)
    func converges(row: [UInt64]) {
        let (memory, dirty, link, passes) = (row[0] << 20, row[1] << 20, row[2] << 20, Int(row[3]))
        let prediction = predictMigration(memoryBytes: memory, dirtyBytesPerSecond: dirty, linkBytesPerSecond: link, order: order())
        #expect(prediction.willConverge)
        #expect(prediction.passes == passes)
        #expect(prediction.blackout <= .milliseconds(300))
        #expect(prediction.total > .seconds(Double(memory) / Double(link)))
    }

    @Test("One that is faster does not, and the numbers say so")
    func diverges() {
        let prediction = predictMigration(
            memoryBytes: 1 << 30, dirtyBytesPerSecond: 400 << 20, linkBytesPerSecond: 100 << 20, order: order())
        #expect(!prediction.willConverge)
        #expect(prediction.explanation.contains("400 MiB/s"))
        #expect(prediction.explanation.contains("100 MiB/s"))
        #expect(prediction.explanation.contains("--post-copy"))
    }

    @Test("Quick migration takes one pass at link speed, all of it blackout")
    func quick() {
        let prediction = predictMigration(
            memoryBytes: 1 << 30, dirtyBytesPerSecond: 1 << 40, linkBytesPerSecond: 128 << 20, order: order(.quick))
        #expect(prediction.passes == 1)
        #expect(prediction.total == .seconds(8) + switchoverOverhead)
        #expect(prediction.blackout == prediction.total)
    }

    @Test("No input traps", arguments: [UInt64(0), 1, .max])
    func extremes(value: UInt64) {
        for other in [UInt64(0), 1, .max] {
            for third in [UInt64(0), 1, .max] {
                _ = predictMigration(memoryBytes: value, dirtyBytesPerSecond: other, linkBytesPerSecond: third, order: order())
            }
        }
    }
}

@Suite("Pre-flight")
struct PreflightTests {
    private func look(
        state: VMRunState = .running, source: NodeFacts = facts(n1), destination: NodeFacts = facts(n2), there: [VMName] = [],
        migrating: Bool = false
    ) -> [String] {
        refusals(
            of: order(to: destination.node),
            given: PreflightFacts(
                machine: machine(), state: state, owner: n1, source: source, destination: destination, machinesOnDestination: there,
                isMigrating: migrating))
    }

    @Test("A node that has everything is accepted")
    func accepted() { #expect(look().isEmpty) }

    @Test("Each thing that is missing is a sentence that names it")
    func refused() {
        #expect(look(destination: facts(n1)).first?.contains("on n1 already") == true)
        #expect(look(state: .stopped).first?.contains("not running") == true)
        #expect(look(state: .ioError).first?.contains("I/O error") == true)
        #expect(look(destination: facts(n2, types: [])).first?.contains("pc-q35-7.2") == true)
        #expect(look(destination: facts(n2, cpus: ["qemu64"])).first?.contains("Nehalem") == true)
        #expect(look(destination: facts(n2, available: 600)).first?.contains("600 MiB") == true)
        #expect(look(destination: facts(n2, bridges: [])).first?.contains("br0") == true)
        #expect(look(destination: facts(n2, disks: [])).first?.contains("t10.APUS-CSV1") == true)
        #expect(look(destination: facts(n2, acceleration: .kvm)).first?.contains("kvm") == true)
        let plain = facts(n2, acceptsPostCopy: false)
        #expect(look(destination: plain).isEmpty)
        #expect(
            refusals(
                of: order(postCopy: true),
                given: PreflightFacts(
                    machine: machine(), state: .running, owner: n1, source: facts(n1), destination: plain, machinesOnDestination: [],
                    isMigrating: false)
            ).first?.contains("unprivileged_userfaultfd") == true)
        #expect(look(there: [web]).first?.contains("already") == true)
        #expect(look(migrating: true).first?.contains("--cancel") == true)
        #expect(look(destination: facts(n2, types: [], cpus: [], available: 0, bridges: [], disks: [])).count == 5)
    }
}

@Suite("The queue")
struct QueueTests {
    @Test("It lets no more through than its limit, in order")
    func order() {
        let ids = (0..<4).map { UUIDs.fixed($0) }
        var queue = MigrationQueue(limit: 2)
        for id in ids { queue.add(id) }
        #expect(queue.admit() == [ids[0], ids[1]])
        #expect(queue.admit() == [])
        #expect(queue.position(of: ids[3]) == 1)
        queue.remove(ids[2])
        queue.remove(ids[0])
        #expect(queue.admit() == [ids[3]])
    }
}

@Suite("Recovery after a restart of the service")
struct RecoveryTests {
    struct Case: Sendable {
        var owner: NodeName
        var qemu: QEMUCondition?
        var incoming = false
        var expected: RecoveryAction
    }
    static let cases: [Case] = [
        Case(owner: n1, qemu: .running, expected: .supervise),
        Case(owner: n1, qemu: .sending, expected: .cancelTransfer),
        Case(owner: n1, qemu: .switchingOver, expected: .cancelTransfer),
        Case(owner: n1, qemu: .sent, expected: .finishOrRevert),
        Case(owner: n1, qemu: .postCopySource, expected: .finishOrRevert),
        Case(owner: n1, qemu: nil, expected: .restart),
        Case(owner: n1, qemu: .received, incoming: true, expected: .runReceived),
        Case(owner: n1, qemu: .paused, expected: .resume),
        Case(owner: n1, qemu: .shutdown, expected: .leaveStopped),
        Case(owner: n2, qemu: .running, expected: .endForeign),
        Case(owner: n2, qemu: .paused, expected: .endForeign),
        Case(owner: n2, qemu: .sent, expected: .endForeign),
        Case(owner: n2, qemu: .received, incoming: true, expected: .awaitSource),
        Case(owner: n2, qemu: .receiving, incoming: true, expected: .awaitSource),
        Case(owner: n2, qemu: nil, expected: .forget),
        Case(owner: n2, qemu: .postCopySource, expected: .supervise),
    ]

    @Test("The record on the shared disk decides, not what runs", arguments: cases)
    func table(row: Case) {
        let record = OwnershipRecord(vmID: machine().definition.id, owner: row.owner, epoch: 3)
        let found = AdoptedMachine(
            record: record, node: n1, qemu: row.qemu, incoming: row.incoming, shouldRun: true, crashPolicy: .restart)
        #expect(recovery(of: found) == row.expected)
    }
}
