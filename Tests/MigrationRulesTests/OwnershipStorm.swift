import ClusterModel
import MigrationRules
import SeededRandom
import Testing

/// Goal: no order of crashes, lost messages and late writes lets two nodes run one machine, and none loses it for good.
/// Method: the real rules drive two modelled QEMUs, whose behaviour was measured on QEMU 7.2: a source that fails or is cancelled before
/// it is done resumes by itself, a destination started with `-S` never does.
@Test("Two nodes never run one machine", arguments: UInt64(0)..<400)
func neverTwoRunning(seed: UInt64) throws {
    var world = MigrationWorld(seed: seed)
    for _ in 0..<400 {
        world.step(faults: true)
        try #require(world.runningCopies <= 1, "seed \(seed): \(world.trace.suffix(30).joined(separator: "\n"))")
    }
    world.heal()
    for _ in 0..<400 where !world.isSettled {
        world.step(faults: false)
        try #require(world.runningCopies <= 1, "seed \(seed) while healing: \(world.trace.suffix(30).joined(separator: "\n"))")
    }
    #expect(world.isSettled, "seed \(seed): safe, but the machine does not run: \(world.trace.suffix(40).joined(separator: "\n"))")
    if !world.memoryWasDestroyed {
        #expect(world.boots == 1, "seed \(seed): no QEMU that held the memory was killed, yet the machine was booted again")
    }
}

/// One machine, two nodes, a shared disk, and everything that can go wrong between them.
struct MigrationWorld {
    enum SourceQEMU { case running, paused, switchingOver, sent, none }
    enum DestinationQEMU { case none, receiving, received, running }
    enum Message: Hashable {
        case prepare, ready
        case resume(UInt64)
        case runs
        case gone(UInt64?)
        case refused
        case discard
    }

    private var random: SeededGenerator
    private(set) var trace: [String] = []
    private var records: [OwnershipRecord?]
    private var lateWrites: [OwnershipRecord] = []

    private var source = SourceQEMU.running
    private var destination = DestinationQEMU.none
    private var sourceService = true
    private var destinationService = true
    private var destinationKnowsIncoming = false
    private var rules: SourceMigration?
    private var awaitsResume: UInt64?
    private var toDestination: [Message] = []
    private var toSource: [Message] = []
    private var now = Duration.zero
    private(set) var boots = 1
    private(set) var memoryWasDestroyed = false
    private let vm = machine().definition.id
    private var patience = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        records = [OwnershipRecord(vmID: machine().definition.id, owner: n1, epoch: 2), nil]
        begin()
    }

    var runningCopies: Int { (source == .running ? 1 : 0) + (destination == .running ? 1 : 0) }
    private var record: OwnershipRecord {
        guard let best = records.compactMap({ $0 }).max(by: { $0.epoch < $1.epoch }) else { preconditionFailure("no record") }
        return best
    }
    /// The owner runs it and nobody else has a copy.
    var isSettled: Bool {
        rules == nil && lateWrites.isEmpty
            && ((record.owner == n1 && source == .running && destination == .none)
                || (record.owner == n2 && destination == .running && source == .none))
    }

    private mutating func write(_ record: OwnershipRecord) { records[Int(record.epoch % 2)] = record }

    private mutating func begin() {
        let kind: MigrationKind = Bool.random(using: &random) ? .live : .quick
        rules = SourceMigration(order: order(kind), source: n1, epoch: record.epoch)
        feed(.admitted)
    }

    mutating func heal() {
        for record in lateWrites { write(record) }
        lateWrites = []
        if !sourceService { restartSource() }
        if !destinationService { restartDestination() }
    }

    mutating func step(faults: Bool) {
        now += .milliseconds(Int.random(in: 1...400, using: &random))
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: if !toDestination.isEmpty { deliverToDestination(lose: faults && chance(5)) }
        case 2, 3: if !toSource.isEmpty { deliverToSource(lose: faults && chance(5)) }
        case 4, 5, 6: sourceAdvances(faults: faults)
        case 7: feed(.tick)
        case 8: if !lateWrites.isEmpty { write(lateWrites.removeFirst()) }
        case 9: destinationLooks()
        case 10: supervise()
        default: if faults { fault() }
        }
    }

    private mutating func chance(_ percentTimesTwo: Int) -> Bool { Int.random(in: 0..<50, using: &random) < percentTimesTwo }

    private mutating func feed(_ fact: SourceFact) {
        guard sourceService, var machine = rules else { return }
        let effects = machine.handle(fact, at: now)
        rules = machine
        if !effects.isEmpty { trace.append("source \(fact) -> \(effects)") }
        for effect in effects { perform(effect) }
    }

    private mutating func perform(_ effect: SourceEffect) {
        switch effect {
        case .prepareBothEnds: toDestination.append(.prepare)
        case .stopGuest: if source == .running { source = .paused }
        case .waitForDestination, .startTransfer, .allowBlackout, .throttleEarlier, .startPostCopy, .confirmReceived, .recoverPostCopy:
            break
        case .continueSwitchover: feed(.deviceStateBegun)
        case .cancelTransfer:
            // QEMU resumes what ran; a guest that was stopped for a quick migration stays paused until keepMachine.
            if source == .switchingOver || source == .running || source == .paused {
                if source == .switchingOver { source = rules?.order.kind == .live ? .running : .paused }
                feed(.transferCancelled)
            }
        case .commitOwnership(let epoch):
            let successor = OwnershipRecord(vmID: vm, owner: n2, epoch: epoch)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                lateWrites.append(successor)
                feed(.ownershipUnknown)
            case 1: feed(.ownershipNotWritten("reservation conflict"))
            default:
                write(successor)
                feed(.ownershipWritten)
            }
        case .resumeDestination(let epoch):
            awaitsResume = epoch
            toDestination.append(.resume(epoch))
        case .discardDestination: toDestination.append(.discard)
        case .keepMachine: if source != .none { source = .running }
        case .endSource: source = .none
        case .finish:
            rules = nil
            awaitsResume = nil
        }
    }

    private mutating func sourceAdvances(faults: Bool) {
        guard let phase = rules?.phase, sourceService else {
            // Its QEMU goes on without its service.
            if source == .switchingOver, destination == .receiving, chance(10) {
                source = .sent
                destination = .received
            }
            return
        }
        switch phase {
        case .transferring where source == .running || source == .paused:
            guard destination == .receiving else {
                feed(.transferFailed("connection reset"))
                return
            }
            source = .switchingOver
            feed(.reachedPreSwitchover)
        case .deviceState where source == .switchingOver:
            guard destination == .receiving else {
                source = rules?.order.kind == .live ? .running : .paused
                feed(.transferFailed("connection reset"))
                return
            }
            destination = .received
            // The destination may have all of it while the source sees its connection break.
            if faults, chance(8) {
                source = rules?.order.kind == .live ? .running : .paused
                feed(.transferFailed("connection reset"))
            } else {
                source = .sent
                feed(.transferCompleted)
            }
        case .resuming:
            // The service repeats the order until it is answered.
            if let epoch = awaitsResume, toDestination.isEmpty, toSource.isEmpty { toDestination.append(.resume(epoch)) }
        default: break
        }
    }

    private mutating func deliverToDestination(lose: Bool) {
        let message = toDestination.removeFirst()
        guard !lose, destinationService else { return }
        switch message {
        case .prepare:
            guard record.owner == n1, destination == .none else { return }
            destination = .receiving
            destinationKnowsIncoming = true
            toSource.append(.ready)
        case .resume(let epoch):
            let copy: ReceivedCopy =
                switch destination {
                case .none: .none
                case .receiving: .receiving
                case .received: .received
                case .running: .running
                }
            let decision = decideResume(record: record, node: n2, source: n1, epoch: epoch, copy: copy)
            trace.append("destination \(copy) resume \(epoch) -> \(decision)")
            switch decision {
            case .run:
                destination = .running
                destinationKnowsIncoming = false
                toSource.append(.runs)
            case .writeThenRun(let record):
                write(record)
                destination = .running
                destinationKnowsIncoming = false
                toSource.append(.runs)
            case .alreadyRuns: toSource.append(.runs)
            case .handBack(let record):
                write(record)
                destination = .none
                destinationKnowsIncoming = false
                toSource.append(.gone(record.epoch))
            case .refuse: toSource.append(.refused)
            }
        case .discard:
            if record.owner != n2 {
                destination = .none
                destinationKnowsIncoming = false
            }
        case .ready, .runs, .gone, .refused: break
        }
    }

    private mutating func deliverToSource(lose: Bool) {
        let message = toSource.removeFirst()
        guard !lose, sourceService else { return }
        switch message {
        case .ready: feed(.destinationReady)
        case .runs: feed(.destinationRuns)
        case .gone(let epoch): feed(.destinationGone(returnedEpoch: epoch, "its QEMU ended"))
        case .refused:
            // The record has moved on: whoever it names decides.
            if record.owner == n1 { feed(.destinationGone(returnedEpoch: record.epoch, "refused")) }
        case .prepare, .resume, .discard: break
        }
    }

    /// The destination reads the record by itself now and then: the source may have died after it committed.
    private mutating func destinationLooks() {
        guard destinationService, destination == .received, record.owner == n2 else { return }
        trace.append("destination reads \(record.epoch) and runs")
        destination = .running
        destinationKnowsIncoming = false
    }

    /// Each service brings back what it owns and what has no QEMU, and throws away what it does not own.
    private mutating func supervise() {
        if sourceService, rules == nil { recoverSource() }
        if destinationService { recoverDestination() }
    }

    private mutating func fault() {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: if source != .none { killSource() }
        case 1: if destination != .none { killDestination() }
        case 2:
            sourceService = false
            rules = nil
            toSource = []
            trace.append("source service dies")
        case 3:
            destinationService = false
            toDestination = []
            trace.append("destination service dies")
        case 4: if !sourceService { restartSource() }
        case 5: if !destinationService { restartDestination() }
        case 6: feed(.cancelAsked)
        default: if rules == nil, sourceService, source == .running, record.owner == n1, destination == .none { begin() }
        }
    }

    private mutating func killSource() {
        trace.append("source QEMU dies")
        if destination != .running { memoryWasDestroyed = true }
        source = .none
        if rules != nil { feed(.sourceDied("killed")) }
    }
    private mutating func killDestination() {
        trace.append("destination QEMU dies")
        if destination == .running || (destination == .received && source == .none) { memoryWasDestroyed = true }
        destination = .none
    }

    private mutating func restartSource() {
        trace.append("source service starts")
        sourceService = true
        recoverSource()
    }
    private mutating func restartDestination() {
        trace.append("destination service starts")
        destinationService = true
        recoverDestination()
    }

    private mutating func recoverSource() {
        let condition: QEMUCondition? =
            switch source {
            case .running: .running
            case .paused: .paused
            case .switchingOver: .switchingOver
            case .sent: .sent
            case .none: nil
            }
        let action = recovery(
            of: AdoptedMachine(record: record, node: n1, qemu: condition, incoming: false, shouldRun: true, crashPolicy: .restart))
        if action != .supervise, action != .forget { trace.append("source recovers: \(action)") }
        switch action {
        case .resume: source = .running
        case .cancelTransfer:
            source = .running
            toDestination.append(.discard)
        case .finishOrRevert:
            // Forward if the destination has it; else wait until a barrier has ended late writes, then go back.
            if destinationService, destination == .received {
                write(OwnershipRecord(vmID: vm, owner: n2, epoch: record.epoch + 1))
                toDestination.append(.resume(record.epoch))
                source = .none
            } else if lateWrites.isEmpty, destinationService {
                write(OwnershipRecord(vmID: vm, owner: n1, epoch: record.epoch + 2))
                source = .running
                toDestination.append(.discard)
            }
        case .endForeign, .forget:
            // A destination that is known to have nothing hands back; until it answered, what was sent is kept.
            if source == .sent, record.owner == n2, destination != .running {
                toDestination.append(.resume(record.epoch))
            } else {
                source = .none
            }
        case .restart:
            source = .running
            boots += 1
        default: break
        }
        if record.owner == n1, source == .sent, awaitsResume == nil, rules == nil, destination == .none, lateWrites.isEmpty {
            source = .running
        }
    }

    private mutating func recoverDestination() {
        let condition: QEMUCondition? =
            switch destination {
            case .none: nil
            case .receiving: .receiving
            case .received: .received
            case .running: .running
            }
        let action = recovery(
            of: AdoptedMachine(
                record: record, node: n2, qemu: condition, incoming: destinationKnowsIncoming, shouldRun: true, crashPolicy: .restart))
        switch action {
        case .runReceived:
            destination = .running
            destinationKnowsIncoming = false
        case .endForeign: destination = .none
        case .restart:
            // Before it boots from disk, the source gets a while to take the machine back with its memory.
            if destinationKnowsIncoming, source == .sent, patience < 3 {
                patience += 1
                return
            }
            patience = 0
            destinationKnowsIncoming = false
            destination = .running
            boots += 1
        case .awaitSource:
            // The source is gone or has decided: a copy nobody asks for is thrown away once the source says so.
            if rules == nil, sourceService, record.owner == n1, source != .sent, source != .switchingOver {
                destination = .none
                destinationKnowsIncoming = false
            }
        default: break
        }
    }
}
