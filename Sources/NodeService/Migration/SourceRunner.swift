import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP

/// Carries out one migration on its source: facts go into ``SourceMigration``, its effects become calls.
package actor SourceRunner {
    nonisolated let id: UUID
    nonisolated let order: MigrationOrder
    nonisolated let local: LocalMachine
    private let tools: SourceTools
    private var rules: SourceMigration
    private let facts: AsyncStream<SourceFact>
    private nonisolated let report: AsyncStream<SourceFact>.Continuation
    private let began = ContinuousClock.now
    private let startedAt = Date()
    private var transfer: QEMUTransfer
    private var frames: FrameForwarder?
    private var ready: IncomingReady?
    /// Whether QEMU here took the settings of the transfer; nil until it was asked.
    private var transferSetup: Result<Void, any Error>?
    /// STOP at the switchover, in microseconds since 1970.
    private var cut: Int64?
    private var blackout: Duration?
    private var visibleGap: Duration?
    private var wasRunning = true
    private var note: String?
    private var isRecovering = false
    /// QEMU was told to send the state of the devices; it may not have heard.
    private var isToldToSwitchOver = false
    package private(set) var record: MigrationRecord?
    private var followers: [UUID: AsyncThrowingStream<MigrationStatus, any Error>.Continuation] = [:]

    package init(id: UUID, order: MigrationOrder, epoch: UInt64, local: LocalMachine, tools: SourceTools) {
        self.id = id
        self.order = order
        self.local = local
        self.tools = tools
        rules = SourceMigration(order: order, source: tools.node, epoch: epoch)
        transfer = QEMUTransfer(monitor: local.monitor, identityFolder: tools.identityFolder, migration: id)
        (facts, report) = AsyncStream.makeStream(of: SourceFact.self)
    }

    package nonisolated func tell(_ fact: SourceFact) { report.yield(fact) }

    var canBeCancelled: Bool { rules.canBeCancelled }

    // MARK: What others see

    var status: MigrationStatus {
        let statistics = rules.statistics
        return MigrationStatus(
            id: id, order: order, source: tools.node,
            progress: MigrationProgress(
                phase: rules.phase, pass: statistics?.pass ?? 0, totalBytes: statistics?.totalBytes ?? 0,
                transferredBytes: statistics?.transferredBytes ?? 0, remainingBytes: statistics?.remainingBytes ?? 0,
                bytesPerSecond: rules.bytesPerSecond, dirtyBytesPerSecond: statistics?.dirtyBytesPerSecond ?? 0,
                predictedBlackoutMilliseconds: rules.predictedBlackout?.milliseconds,
                throttlePercent: statistics?.throttlePercent ?? 0, elapsedMilliseconds: elapsed.milliseconds, note: note),
            record: record)
    }

    func follow() -> AsyncThrowingStream<MigrationStatus, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: MigrationStatus.self, throwing: (any Error).self, bufferingPolicy: .bufferingNewest(64))
        continuation.yield(status)
        if record != nil {
            continuation.finish()
        } else {
            let key = UUID()
            followers[key] = continuation
            continuation.onTermination = { [weak self] _ in Task { await self?.unfollow(key) } }
        }
        return stream
    }
    private func unfollow(_ key: UUID) { followers[key] = nil }

    private func publish() {
        let status = status
        for follower in followers.values { follower.yield(status) }
    }

    private var elapsed: Duration { ContinuousClock.now - began }

    // MARK: The loop

    /// Returns when the migration has ended and its record is made.
    package func run() async -> SourceEnding {
        wasRunning = await local.state == .running
        let events = await local.monitor.events()
        let ending = await withTaskGroup(of: SourceEnding?.self, returning: SourceEnding.self) { group in
            group.addTask {
                await self.pump(events)
                return nil
            }
            group.addTask {
                await self.watchProcess()
                return nil
            }
            group.addTask {
                await self.look()
                return nil
            }
            for await fact in facts {
                let effects = rules.handle(fact, at: elapsed)
                publish()
                if effects.isEmpty { continue }
                tools.logger.debug("migration", metadata: ["id": "\(id)", "fact": "\(fact)", "effects": "\(effects)"])
                if case .finish(let ending)? = effects.last {
                    await perform(effects.dropLast(), after: &group)
                    group.cancelAll()
                    return ending
                }
                group.addTask {
                    await self.perform(effects)
                    return nil
                }
            }
            return .kept(.deadline("The node service is stopping."))
        }
        await conclude(ending)
        return ending
    }

    /// The last effects are carried out before the group is left, so that they are not cancelled half-way.
    private func perform(_ effects: ArraySlice<SourceEffect>, after group: inout TaskGroup<SourceEnding?>) async {
        await perform(Array(effects))
    }

    private func pump(_ events: AsyncStream<QMPEvent>) async {
        for await event in events {
            switch event.kind {
            case .stop: cut = event.microsecondsSince1970
            case .migration(let status):
                switch status {
                case .preSwitchover: tell(.reachedPreSwitchover)
                case .device: tell(.deviceStateBegun)
                case .postcopyActive:
                    // With post-copy `device` is skipped: the state of the devices has been sent when this comes.
                    tell(.deviceStateBegun)
                    tell(.postCopyActive)
                case .postcopyPaused: tell(.postCopyPaused)
                case .completed: tell(.transferCompleted)
                case .cancelled: tell(.transferCancelled)
                case .failed: tell(.transferFailed(await transfer.failureReason()))
                default: break
                }
            default: break
            }
        }
    }

    private func watchProcess() async {
        while !Task.isCancelled {
            if await local.process.hasEnded(within: .seconds(1)) {
                tell(.sourceDied("QEMU of \(order.vm) on \(tools.node) ended: \(local.process.lastWords())"))
                return
            }
        }
    }

    /// Looks at the transfer every 50 ms while something moves, and lets time pass for the rules.
    private func look() async {
        while !Task.isCancelled {
            if rules.phase == .transferring || rules.phase == .postCopy, let statistics = await transfer.statistics() {
                tell(.statistics(statistics))
            }
            tell(.tick)
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: Effects

    private func perform(_ effects: [SourceEffect]) async {
        for effect in effects { await perform(effect) }
    }

    private func perform(_ effect: SourceEffect) async {
        switch effect {
        case .prepareBothEnds(let blackout): await prepareBothEnds(allowedBlackout: blackout)
        case .waitForDestination:
            note = "\(order.destination) receives as many machines as it may at a time; waiting for its turn."
            publish()
            try? await Task.sleep(for: .milliseconds(500))
            tell(.admitted)
        case .stopGuest:
            await local.set(.migrating)
            await attempt { try await self.local.monitor.execute(.stop) }
        case .startTransfer: await startTransfer()
        case .allowBlackout(let blackout):
            note = "Memory changes as fast as it is sent: a pause of up to \(Int(blackout.milliseconds)) ms is allowed now."
            await attempt { try await self.transfer.allow(blackout: blackout) }
        case .throttleEarlier:
            note = "The guest changes memory faster than the link carries it: its vCPUs are slowed down."
            await attempt { try await self.transfer.throttleEarlier() }
        case .startPostCopy:
            note = "Slowing the guest down was not enough: it switches over now and fetches the rest of its memory afterwards."
            await attempt { try await self.transfer.startPostCopy() }
        case .continueSwitchover:
            await tools.hold.wait(at: "pre-switchover")
            guard rules.maySwitchOver else { return }
            isToldToSwitchOver = true
            await attempt { try await self.transfer.continueSwitchover() }
        case .confirmReceived: await confirmReceived()
        case .commitOwnership(let epoch): await commitOwnership(epoch)
        case .resumeDestination(let epoch): await resumeDestination(epoch)
        case .recoverPostCopy: await recoverPostCopy()
        case .cancelTransfer:
            do {
                if rules.phase == .preSwitchover, isToldToSwitchOver {
                    try await transfer.breakOffSwitchover()
                } else {
                    try await transfer.cancel(isSwitchingOver: rules.phase == .deviceState)
                }
            } catch {
                tell(.transferFailed("It could not be cancelled: \(error)"))
            }
        case .discardDestination: await discardDestination()
        case .keepMachine: await keepMachine()
        case .endSource: break  // The owner of this runner ends QEMU when the last frames were forwarded.
        case .finish: break
        }
    }

    /// A command QEMU refuses ends the transfer as a failure of it.
    private func attempt(_ command: () async throws -> Void) async {
        do { try await command() } catch is CancellationError {
        } catch { tell(.transferFailed("\(error)")) }
    }

    private func prepareBothEnds(allowedBlackout: Duration) async {
        await tools.hold.wait(at: "preparing")
        // It may have ended meanwhile; the destination has been told so.
        guard rules.phase == .preparing else { return }
        do {
            // Before anything else: a quick migration stops the guest as soon as the destination is ready, and until then the recorder must have
            // learned what the tap's count means.
            if frames == nil {
                frames = try FrameForwarder(machine: local.machine.definition, migration: id, peer: tools.peer, logger: tools.logger)
            }
            // These take no time, because the destination builds the machine meanwhile.
            async let isReached: Void = reachDestination()
            async let setup = setUpTransfer(allowedBlackout: allowedBlackout)
            ready = try await tools.peer.prepareIncoming(
                IncomingOffer(
                    migration: id, machine: local.machine, source: tools.node, epoch: rules.epoch, acceleration: tools.acceleration,
                    qemuVersion: tools.qemuVersion, postCopy: order.postCopy))
            try await isReached
            transferSetup = await setup
            tell(.destinationReady)
        } catch is CancellationError {
        } catch let error as APIError {
            tell(error.code == .busy ? .destinationBusy : .destinationFailed(error.message))
        } catch {
            tell(.destinationFailed("\(error)"))
        }
    }

    /// QEMU can neither be told how long to try to connect, nor cancelled while it does: that the migration network joins the nodes must be
    /// certain before.
    private func reachDestination() async throws {
        let probe = try await tools.peer.openLinkTest()
        do { try await LinkTest.connect(to: probe) } catch {
            throw APIError(.unreachable, "\(probe.address) does not answer on the migration network. Check that it joins the nodes.")
        }
    }

    /// What QEMU here refuses is told when the transfer is to begin: until then it is no transfer that could fail.
    private func setUpTransfer(allowedBlackout: Duration) async -> Result<Void, any Error> {
        do {
            return .success(try await transfer.prepare(order: order, allowedBlackout: allowedBlackout))
        } catch { return .failure(error) }
    }

    private func startTransfer() async {
        guard let ready, let transferSetup else { return tell(.transferFailed("The destination gave no address.")) }
        await local.set(.migrating)
        await attempt {
            try transferSetup.get()
            try await self.transfer.start(to: ready)
        }
    }

    private func confirmReceived() async {
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end, !Task.isCancelled {
            if let state = try? await tools.peer.incomingState(id), state.phase == .received { return }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func commitOwnership(_ epoch: UInt64) async {
        await tools.hold.wait(at: "committing")
        let successor = OwnershipRecord(vmID: local.machine.definition.id, owner: order.destination, epoch: epoch)
        switch await tools.ownership.handOver(local.machine, to: successor) {
        case .written: tell(.ownershipWritten)
        case .notWritten(let reason): tell(.ownershipNotWritten(reason))
        case .unknown(let reason):
            note = "Whether ownership was written is not certain (\(reason)): \(order.destination) is told to take the machine."
            tell(.ownershipUnknown)
        }
    }

    /// Repeats the order until the destination answers: it owns the machine, and what to do with ours is its to say.
    private func resumeDestination(_ epoch: UInt64) async {
        await tools.hold.wait(at: "resuming")
        let end = ContinuousClock.now + SourceTools.resumePatience
        var first: [CapturedFrame] = []
        while !Task.isCancelled {
            first += await frames?.take(from: cut) ?? []
            do {
                let reply = try await tools.peer.resumeIncoming(ResumeRequest(migration: id, epoch: epoch, frames: first))
                if let returned = reply.returnedEpoch {
                    return tell(.destinationGone(returnedEpoch: returned, "its QEMU ended before the machine ran there."))
                }
                await frames?.noteDelivered(first.count)
                await frames?.begin(cut: cut)
                if let cut { blackout = .microseconds(Int64(Date().timeIntervalSince1970 * 1e6) - cut) }
                return tell(.destinationRuns)
            } catch  where error.code == .refused {
                // It may have read the log, or the record, and gone on by itself.
                if await destinationRuns(epoch) { return tell(.destinationRuns) }
                return tell(.destinationGone(returnedEpoch: nil, error.message))
            } catch {
                note = "\(order.destination) owns \(order.vm) and does not answer; trying again. (\(error.message))"
                publish()
            }
            if ContinuousClock.now > end {
                return tell(.destinationGone(returnedEpoch: nil, "\(order.destination) owns the machine and does not answer."))
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func destinationRuns(_ epoch: UInt64) async -> Bool {
        guard let theirs = try? await tools.peer.ownMachines() else { return false }
        return theirs.contains { $0.machine.name == order.vm && $0.owner == order.destination && $0.epoch >= epoch && $0.state == .running }
    }

    private func recoverPostCopy() async {
        // A link that breaks again while it is taken up again is seen by the loop that is at it.
        guard !isRecovering else { return }
        isRecovering = true
        defer { isRecovering = false }
        note = "The migration link broke while memory was fetched; trying to go on."
        publish()
        while !Task.isCancelled, rules.phase == .postCopy {
            do {
                let ready = try await tools.peer.recoverIncoming(id)
                try await transfer.recover(to: ready)
                if try await transfer.hasRecovered(within: Self.recoveryPatience) { return }
                tools.logger.info("post-copy is not recovered yet: the destination did not take the connection", metadata: ["id": "\(id)"])
            } catch {
                if let state = try? await tools.hastyPeer.incomingState(id), state.phase == .failed || state.phase == .unknown {
                    return tell(.destinationLost("QEMU on \(order.destination) ended before it had all of the memory."))
                }
                tools.logger.info("post-copy is not recovered yet", metadata: ["id": "\(id)", "error": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    /// How long a new connection may take until memory flows again; then another one is made.
    private static let recoveryPatience = Duration.seconds(8)

    private func discardDestination() async {
        do {
            try await tools.hastyPeer.discardIncoming(id, reason: "The source keeps the machine.")
        } catch {
            // The supervisor tells it again until it has heard.
            tools.logger.warning("the destination could not be told to discard its copy", metadata: ["id": "\(id)", "error": "\(error)"])
        }
    }

    private func keepMachine() async {
        do {
            try await transfer.settle()
            // Without quorum it stays paused, and goes on with the others of this node.
            if !wasRunning {
                await local.set(.paused)
            } else if await tools.mayRun() {
                try await local.run()
            } else {
                try await local.pause()
            }
        } catch {
            await local.set(.paused, note: "It could not be resumed after a migration that failed: \(error)")
            tools.logger.error("the machine could not be resumed", metadata: ["vm": "\(order.vm)", "error": "\(error)"])
        }
    }

    /// After a machine has moved, frames keep arriving at its old port until the switches have learned the new one.
    package func forwardLateFrames() async {
        await frames?.close(after: record?.outcome == .completed ? FrameForwarder.afterglow : .zero)
    }

    // MARK: The record

    private func conclude(_ ending: SourceEnding) async {
        if case .moved = ending { visibleGap = await frames?.visibleGap(cut: cut, blackout: blackout) }
        let last = await transfer.statistics() ?? rules.statistics
        // QEMU counts how often it looked for changed pages, which is more than once for a guest that stands still.
        let passes = min(last?.pass ?? 0, order.kind == .quick ? 1 : .max)
        let made = EndingReport(ending: ending, order: order, source: tools.node, blackout: blackout)
        let record = MigrationRecord(
            id: id, order: order, source: tools.node, outcome: made.outcome, owner: made.owner, isRunning: made.isRunning,
            startedAt: startedAt, totalMilliseconds: elapsed.milliseconds, blackoutMilliseconds: blackout?.milliseconds,
            visibleGapMilliseconds: visibleGap?.milliseconds, transferredBytes: last?.transferredBytes ?? 0, passes: passes,
            forwardedFrames: await frames?.forwarded ?? 0, message: made.message)
        self.record = record
        publish()
        for follower in followers.values { follower.finish() }
        followers = [:]
    }
}

/// What a source needs of its node.
package struct SourceTools: Sendable {
    /// How long the order to resume is repeated before the operator is told that the destination does not answer.
    static let resumePatience = Duration.seconds(60)
    var node: NodeName
    var peer: any PeerOperations
    /// The same, for what need not be waited for long.
    var hastyPeer: any PeerOperations
    var ownership: any OwnershipLog
    /// Whether machines may run on this node at all now.
    var mayRun: @Sendable () async -> Bool
    var hold: Hold
    var identityFolder: String
    var acceleration: Acceleration
    var qemuVersion: String
    var logger: Logger

    package init(
        node: NodeName, peer: any PeerOperations, hastyPeer: any PeerOperations, ownership: any OwnershipLog,
        mayRun: @escaping @Sendable () async -> Bool, hold: Hold, identityFolder: String, acceleration: Acceleration, qemuVersion: String,
        logger: Logger
    ) {
        self.node = node
        self.peer = peer
        self.hastyPeer = hastyPeer
        self.ownership = ownership
        self.mayRun = mayRun
        self.hold = hold
        self.identityFolder = identityFolder
        self.acceleration = acceleration
        self.qemuVersion = qemuVersion
        self.logger = logger
    }
}

/// How an ending reads to the operator.
struct EndingReport {
    var outcome: MigrationOutcome
    var owner: NodeName?
    var isRunning: Bool
    var message: String

    init(ending: SourceEnding, order: MigrationOrder, source: NodeName, blackout: Duration?) {
        switch ending {
        case .moved:
            outcome = .completed
            owner = order.destination
            isRunning = true
            message = "\(order.vm) runs on \(order.destination)."
        case .kept(.cancelled):
            outcome = .cancelled
            owner = source
            isRunning = true
            message = "The migration was cancelled. \(order.vm) runs on \(source) as before."
        case .kept(let failure):
            outcome = .failed
            owner = source
            isRunning = true
            message = "\(failure) \(order.vm) runs on \(source) as before."
        case .sourceDied(let reason):
            outcome = .failed
            owner = source
            isRunning = false
            message = "\(reason) \(source) owns \(order.vm) and follows its crash policy; nothing runs on \(order.destination)."
        case .destinationRestarts(let reason):
            outcome = .failed
            owner = order.destination
            isRunning = false
            message = "\(order.destination) owns \(order.vm): \(reason) It follows the crash policy there; the disk is intact."
        case .lost(let reason):
            outcome = .lost
            owner = order.destination
            isRunning = false
            message = "The memory of \(order.vm) is lost: \(reason) Its disk is intact. Start it again with: apus vm start \(order.vm)"
        }
    }
}
