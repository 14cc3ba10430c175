import ClusterModel

/// The source's side of one migration: what happened goes in, what to do comes out.
///
/// The source decides alone, because it owns the machine until it has written otherwise on the shared disk. Its promises:
///
/// - Before ownership is committed the machine runs here, or can be made to: every failure leads to ``SourceEffect/keepMachine``.
/// - Ownership is committed only when the destination has acknowledged the whole machine (QEMU's return path), so nothing that can
///   fail is left but telling the destination to run it.
/// - From the moment the commit is sent this node never runs the machine again, unless the write certainly did not happen or the
///   destination hands ownership back. An unknown outcome is driven forward, never back: a write that is late cannot surprise us.
///
/// No clock and no I/O: time comes in with each fact, counted from the order.
public struct SourceMigration: Hashable, Sendable {
    public let order: MigrationOrder
    public let source: NodeName
    /// The epoch under which this node owns the machine.
    public let epoch: UInt64
    public private(set) var phase = MigrationPhase.queued
    public private(set) var statistics: TransferStatistics?
    public private(set) var ladder: ConvergenceLadder
    private var meter = ThroughputMeter()
    private var enteredPhase = Duration.zero
    private var lastMovement = Duration.zero
    private var lastTransferred: UInt64 = 0
    private var cancelAsked = false
    private var givenUp: SourceFailure?
    private var postCopyBegun = false
    /// Its link broke, or its last page was sent, before the destination ran.
    private var postCopyIsPaused = false
    private var postCopyIsComplete = false
    private var committed = false

    public init(order: MigrationOrder, source: NodeName, epoch: UInt64) {
        self.order = order
        self.source = source
        self.epoch = epoch
        ladder = ConvergenceLadder(order: order)
    }

    /// The last moment at which the operator may change their mind.
    public var canBeCancelled: Bool {
        switch phase {
        case .queued, .preparing, .transferring, .preSwitchover: !cancelAsked
        default: false
        }
    }

    /// Whether the switchover that QEMU waits for is still wanted; asked again just before it is told to go on.
    public var maySwitchOver: Bool { phase == .preSwitchover && !cancelAsked && givenUp == nil }

    public var bytesPerSecond: UInt64 { meter.bytesPerSecond }

    /// The pause to expect if it switched over now; nil while nothing moves.
    public var predictedBlackout: Duration? {
        guard let statistics, meter.bytesPerSecond > 0 else { return nil }
        return .seconds(Double(statistics.remainingBytes) / Double(meter.bytesPerSecond)) + switchoverOverhead
    }

    /// Applies one fact.
    ///
    /// - Parameter now: Time since the order was accepted.
    /// - Returns: What to do, in this order. Facts that come too late, for instance an answer after a cancel, have no effects.
    public mutating func handle(_ fact: SourceFact, at now: Duration) -> [SourceEffect] {
        switch (fact, phase) {
        case (.admitted, .queued):
            enter(.preparing, at: now)
            return [.prepareBothEnds(allowedBlackout: ladder.allowedBlackout)]
        case (.destinationReady, .preparing):
            enter(.transferring, at: now)
            lastMovement = now
            // A quick migration stops the guest first, so that one pass is all there is to send.
            return (order.kind == .quick ? [.stopGuest] : []) + [.startTransfer]
        case (.destinationBusy, .preparing):
            // The time of waiting for its turn does not count against the preparation.
            enter(.queued, at: now)
            return [.waitForDestination]
        case (.destinationFailed(let reason), .preparing):
            return fail(.destination(order.destination, reason), at: now)
        case (.destinationFailed(let reason), .transferring), (.destinationFailed(let reason), .preSwitchover):
            return fail(.destination(order.destination, reason), at: now)
        case (.statistics(let statistics), .transferring):
            return take(statistics, at: now)
        case (.statistics(let statistics), _):
            self.statistics = statistics
            meter.note(bytes: statistics.transferredBytes, at: now)
            if statistics.transferredBytes > lastTransferred {
                lastTransferred = statistics.transferredBytes
                lastMovement = now
            }
            return []
        case (.reachedPreSwitchover, .transferring):
            enter(.preSwitchover, at: now)
            return maySwitchOver ? [.continueSwitchover] : []
        case (.deviceStateBegun, .preSwitchover):
            enter(.deviceState, at: now)
            return []
        case (.postCopyActive, .deviceState):
            // From here QEMU cannot go back (migration.json: postcopy-active). The machine still runs nowhere until ownership is written.
            enter(.committing, at: now)
            postCopyBegun = true
            committed = true
            return [.confirmReceived, .commitOwnership(epoch: epoch + 1)]
        case (.transferCompleted, .deviceState):
            enter(.committing, at: now)
            committed = true
            return [.commitOwnership(epoch: epoch + 1)]
        case (.transferCompleted, .committing), (.transferCompleted, .resuming):
            // Memory flows while ownership is written, and little of it may have been missing.
            postCopyIsComplete = true
            return []
        case (.transferCompleted, .postCopy):
            enter(.completed, at: now)
            return [.endSource, .finish(.moved)]
        case (.transferFailed(let reason), .transferring), (.transferFailed(let reason), .preSwitchover),
            (.transferFailed(let reason), .deviceState):
            return fail(givenUp ?? (cancelAsked ? .cancelled : .transfer(reason)), at: now)
        case (.transferCancelled, .transferring), (.transferCancelled, .preSwitchover), (.transferCancelled, .deviceState):
            return fail(givenUp ?? (cancelAsked ? .cancelled : .transfer("QEMU ended the transfer.")), at: now)
        case (.sourceDied(let reason), .queued), (.sourceDied(let reason), .preparing), (.sourceDied(let reason), .transferring),
            (.sourceDied(let reason), .preSwitchover), (.sourceDied(let reason), .deviceState):
            enter(.failed, at: now)
            return [.discardDestination, .finish(.sourceDied(reason))]
        case (.sourceDied(let reason), .postCopy):
            enter(.failed, at: now)
            return [.discardDestination, .finish(.lost(reason))]
        case (.ownershipWritten, .committing):
            enter(.resuming, at: now)
            return [.resumeDestination(epoch: epoch + 1)]
        case (.ownershipUnknown, .committing):
            // Forward only. The order to resume is our word that we let go: the destination writes the same record itself, and should
            // our own write land late it says nothing else.
            enter(.resuming, at: now)
            return [.resumeDestination(epoch: epoch + 1)]
        case (.ownershipNotWritten(let reason), .committing):
            committed = false
            if postCopyBegun {
                enter(.failed, at: now)
                return [.discardDestination, .finish(.lost("Ownership could not be written on the shared disk: \(reason)"))]
            }
            return fail(.ownership(reason), at: now)
        case (.destinationRuns, .committing), (.destinationRuns, .resuming):
            if postCopyBegun, !postCopyIsComplete {
                enter(.postCopy, at: now)
                lastMovement = now
                return postCopyIsPaused ? [.recoverPostCopy] : []
            }
            enter(.completed, at: now)
            return [.endSource, .finish(.moved)]
        case (.destinationGone(let returned, let reason), .committing), (.destinationGone(let returned, let reason), .resuming):
            guard let returned else {
                enter(.failed, at: now)
                return [.endSource, .finish(.destinationRestarts(reason))]
            }
            if postCopyBegun {
                enter(.failed, at: now)
                return [.endSource, .finish(.lost(reason))]
            }
            committed = false
            enter(.failed, at: now)
            return [.keepMachine(epoch: returned), .finish(.kept(.destination(order.destination, reason)))]
        case (.destinationLost(let reason), .postCopy):
            enter(.failed, at: now)
            return [.endSource, .finish(.lost(reason))]
        case (.postCopyPaused, .postCopy):
            return [.recoverPostCopy]
        case (.postCopyPaused, .committing), (.postCopyPaused, .resuming):
            // Ownership first, and the order to run: both cross the cluster's network, and no page is missed before the machine runs.
            postCopyIsPaused = true
            return []
        case (.cancelAsked, _):
            return cancel(at: now)
        case (.tick, _):
            return watch(at: now)
        default:
            return []
        }
    }

    private mutating func enter(_ next: MigrationPhase, at now: Duration) {
        phase = next
        enteredPhase = now
    }

    private mutating func take(_ now: TransferStatistics, at time: Duration) -> [SourceEffect] {
        statistics = now
        meter.note(bytes: now.transferredBytes, at: time)
        if now.transferredBytes > lastTransferred {
            lastTransferred = now.transferredBytes
            lastMovement = time
        }
        guard order.kind == .live, !cancelAsked, givenUp == nil else { return [] }
        switch ladder.step(now, bytesPerSecond: meter.bytesPerSecond) {
        case .allowBlackout(let blackout): return [.allowBlackout(blackout)]
        case .throttleEarlier: return [.throttleEarlier]
        case .startPostCopy: return [.startPostCopy]
        case .giveUp:
            givenUp = .cannotConverge(
                order.vm, dirtyBytesPerSecond: now.dirtyBytesPerSecond, linkBytesPerSecond: meter.bytesPerSecond,
                allowedMilliseconds: order.maxBlackoutMilliseconds)
            return [.cancelTransfer]
        case nil: return []
        }
    }

    private mutating func cancel(at now: Duration) -> [SourceEffect] {
        guard canBeCancelled else { return [] }
        switch phase {
        case .queued:
            enter(.cancelled, at: now)
            return [.finish(.kept(.cancelled))]
        case .preparing:
            return fail(.cancelled, at: now)
        default:
            cancelAsked = true
            enteredPhase = now
            return [.cancelTransfer]
        }
    }

    private mutating func fail(_ failure: SourceFailure, at now: Duration) -> [SourceEffect] {
        let wasTransferring = phase != .preparing
        enter(failure == .cancelled ? .cancelled : .failed, at: now)
        // QEMU has resumed a guest that ran when its transfer ended; one that we stopped, or that waits in postmigrate, has not.
        return (wasTransferring ? [.keepMachine(epoch: epoch)] : []) + [.discardDestination, .finish(.kept(failure))]
    }
}

extension SourceMigration {
    /// How long each phase may last without a sign of life.
    public enum Deadline {
        public static let queue = Duration.seconds(3_600)
        public static let preparing = Duration.seconds(30)
        /// Without a byte moving.
        public static let stalled = Duration.seconds(10)
        public static let preSwitchover = Duration.seconds(5)
        /// What is left at the switchover fits into the allowed blackout; four times that and three seconds is generous.
        public static func deviceState(_ order: MigrationOrder) -> Duration {
            .seconds(3) + .milliseconds(4 * order.maxBlackoutMilliseconds)
        }
        /// Post-copy waits this long for the link to come back.
        public static let postCopyStalled = Duration.seconds(60)
    }

    private mutating func watch(at now: Duration) -> [SourceEffect] {
        let inPhase = now - enteredPhase
        switch phase {
        case .queued where inPhase > Deadline.queue:
            enter(.failed, at: now)
            return [.finish(.kept(.deadline("It waited an hour for other migrations to end.")))]
        case .preparing where inPhase > Deadline.preparing:
            return fail(.destination(order.destination, "It was not ready within \(Int(Deadline.preparing.seconds)) s."), at: now)
        case .transferring where now - max(lastMovement, enteredPhase) > Deadline.stalled && givenUp == nil:
            return giveUp(.linkStalled(order.vm, order.destination), at: now)
        case .preSwitchover where inPhase > Deadline.preSwitchover && givenUp == nil:
            return giveUp(.deadline("QEMU on \(source) did not go on at the switchover."), at: now)
        case .deviceState where inPhase > Deadline.deviceState(order) && givenUp == nil:
            // The destination may have everything by now. It does not run it without ownership, so cancelling is safe.
            return giveUp(.linkStalled(order.vm, order.destination), at: now)
        case .postCopy where now - lastMovement > Deadline.postCopyStalled:
            enter(.failed, at: now)
            return [
                .endSource, .discardDestination,
                .finish(.lost("The migration link carried nothing for \(Int(Deadline.postCopyStalled.seconds)) s during post-copy.")),
            ]
        default:
            return []
        }
    }

    private mutating func giveUp(_ failure: SourceFailure, at now: Duration) -> [SourceEffect] {
        givenUp = failure
        enteredPhase = now
        return [.cancelTransfer]
    }
}
