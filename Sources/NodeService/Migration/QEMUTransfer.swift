import ClusterAPI
import ClusterModel
import Foundation
import MigrationRules
import NodeIdentity
import QMP

/// The source QEMU's side of a memory transfer: which knobs are turned, and in which order QEMU wants them.
struct QEMUTransfer: Sendable {
    /// QEMU's default cap is 128 MiB/s (migration.json, `max-bandwidth`); without a cap of the operator's we mean none.
    private static let noCap: UInt64 = 1 << 40

    let monitor: QMPClient
    let identityFolder: String
    let migration: UUID

    /// Sets everything but the destination's address, so that this need not wait until the destination is ready. May be repeated.
    func prepare(order: MigrationOrder, allowedBlackout: Duration) async throws {
        try await MigrationSetup.addCredentials(endpoint: .client, identityFolder: identityFolder, to: monitor)
        try await monitor.execute(
            .migrateSetCapabilities(
                MigrationSetup.capabilities(postCopy: order.postCopy, autoConverge: order.autoConverge && order.kind == .live)))
        try await monitor.execute(
            .migrateSetParameters(
                QMPMigrationParameters(
                    downtimeLimitMilliseconds: UInt64(allowedBlackout.milliseconds),
                    maxBandwidthBytesPerSecond: order.bandwidthBitsPerSecond.map { max($0 / 8, 1) } ?? Self.noCap,
                    tlsCredentials: MigrationSetup.credentials, tlsHostname: order.destination.rawValue, cpuThrottleInitialPercent: 20,
                    cpuThrottleIncrementPercent: 10, throttleTriggerThresholdPercent: 100)))
    }

    /// Begins to send, after ``prepare(order:allowedBlackout:)``.
    func start(to ready: IncomingReady) async throws {
        try await monitor.execute(.migrate(to: "tcp:\(ready.hostAndPort)"))
    }

    func allow(blackout: Duration) async throws {
        try await monitor.execute(
            .migrateSetParameters(QMPMigrationParameters(downtimeLimitMilliseconds: UInt64(blackout.milliseconds))))
    }

    /// Half of what the link carries instead of all of it, and in larger steps: QEMU takes one in two to three seconds, and each of them is
    /// another pass over the same memory.
    func throttleEarlier() async throws {
        try await monitor.execute(
            .migrateSetParameters(
                QMPMigrationParameters(
                    cpuThrottleInitialPercent: 40, cpuThrottleIncrementPercent: 20, throttleTriggerThresholdPercent: 50)))
    }

    func startPostCopy() async throws { try await monitor.execute(.migrateStartPostcopy) }
    func continueSwitchover() async throws { try await monitor.execute(.migrateContinue()) }

    /// Cancels, and tears down a connection that hangs.
    ///
    /// - Parameter isSwitchingOver: Whether the state of the devices is being sent. QEMU's main loop waits for that, and would carry out a
    ///   cancellation only when it is over. A broken connection makes QEMU take back its disks and resume the guest by itself.
    func cancel(isSwitchingOver: Bool) async throws {
        if isSwitchingOver { return try await breakConnections() }
        try await monitor.execute(.migrateCancel)
        let end = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < end {
            let status = try await monitor.execute(.queryMigrate).status
            if status.isFinal || status == .notStarted { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        try await breakConnections()
    }

    /// Ends a switchover that QEMU was told to begin and does not report.
    ///
    /// It may hear of both at once. A cancellation that meets the state of the devices makes QEMU 7.2 resume the guest without its disks,
    /// which ends it (block/io.c, "Assertion `!(bs->open_flags & BDRV_O_INACTIVE)' failed"); a broken connection does not. One that still
    /// waits to be told is cancelled.
    func breakOffSwitchover() async throws {
        try await breakConnections()
        let end = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < end {
            guard try await monitor.execute(.queryMigrate).status == .preSwitchover else { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        try await monitor.execute(.migrateCancel)
    }

    private func breakConnections() async throws {
        do throws(QMPError) {
            try await monitor.execute(.yankMigration)
        } catch {
            // Refused: it has ended meanwhile and has no connection any more.
            guard case .refused = error else { throw error }
        }
    }

    /// Post-copy whose link broke: connect again and go on (migration.json, `resume`).
    func recover(to ready: IncomingReady) async throws {
        try await monitor.execute(.resumePostcopy(to: "tcp:\(ready.hostAndPort)"))
    }

    /// Waits until memory flows again. A connection that cannot be made leaves QEMU paused, and no event tells (migration.c, `migrate_fd_connect`).
    func hasRecovered(within deadline: Duration) async throws -> Bool {
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            switch try await monitor.execute(.queryMigrate).status {
            case .postcopyPaused, .postcopyRecover: break
            default: return true
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// nil when QEMU does not answer; its death is reported elsewhere.
    func statistics() async -> TransferStatistics? {
        guard let reply = try? await monitor.execute(.queryMigrate, within: .seconds(2)), let memory = reply.memory else { return nil }
        return TransferStatistics(
            totalBytes: memory.totalBytes, transferredBytes: memory.transferredBytes, remainingBytes: memory.remainingBytes,
            pass: Int(clamping: memory.passes), dirtyBytesPerSecond: memory.dirtyBytesPerSecond,
            throttlePercent: reply.cpuThrottlePercent ?? 0)
    }

    func failureReason() async -> String {
        let reply = try? await monitor.execute(.queryMigrate, within: .seconds(2))
        return reply?.errorText ?? "QEMU gave no reason; see its log."
    }

    /// Waits until a transfer that was cancelled or failed has ended, so that the guest may be resumed.
    func settle() async throws {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            let status = try await monitor.execute(.queryMigrate).status
            if status.isFinal || status == .notStarted { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

/// What both ends of a transfer set alike.
enum MigrationSetup {
    static let credentials = "migration-tls"

    /// One connection carries all. With multifd, QEMU 7.2 does not always survive that its connections are torn down: its migration thread
    /// waits for a channel that has ended, and refuses every later migration with "duplicate yank instance"
    /// (Docs/decisions/tls-for-memory-streams.md).
    static func capabilities(postCopy: Bool, autoConverge: Bool) -> [QMPMigrationCapability: Bool] {
        [
            .events: true,
            // The destination acknowledges the whole machine before the source counts as done.
            .returnPath: true,
            .pauseBeforeSwitchover: true,
            .lateBlockActivate: true,
            .multifd: false,
            .postcopyRAM: postCopy,
            .postcopyPreempt: postCopy,
            .autoConverge: autoConverge,
        ]
    }

    /// Certificates may have been renewed since the last migration of this QEMU, so an old object is replaced.
    static func addCredentials(endpoint: QMPTLSEndpoint, identityFolder: String, to monitor: QMPClient) async throws {
        do { try await monitor.execute(.objectDel(id: credentials)) } catch .refused {
            // There was none: the first migration of this QEMU.
        }
        try await monitor.execute(
            .tlsCredentialsX509(
                id: credentials, directory: identityFolder + "/qemu", endpoint: endpoint, priority: NodeIdentity.streamPriority))
    }
}

extension IncomingReady {
    /// `ADDRESS:PORT`, an IPv6 address in brackets as QEMU wants it.
    var hostAndPort: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

extension QEMUCondition {
    /// Joins what `query-status` and `query-migrate` say (run-state.json, migration.json).
    init(status: QMPRunState, migration: QMPMigrationStatus) {
        let isSending = migration == .active || migration == .setup
        switch status {
        case .running: self = isSending ? .sending : .running
        case .ioError: self = .ioError
        case .shutdown: self = .shutdown
        case .incomingMigration: self = .receiving
        case .postMigrate: self = migration == .completed ? .sent : .postCopySource
        case .finishMigrate:
            switch migration {
            case .postcopyActive, .postcopyPaused, .postcopyRecover: self = .postCopySource
            default: self = .switchingOver
            }
        default: self = isSending ? .sending : .paused
        }
    }
}
