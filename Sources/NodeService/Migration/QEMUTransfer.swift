import ClusterAPI
import ClusterModel
import Foundation
import MigrationRules
import QMP

/// The source QEMU's side of a memory transfer: which knobs are turned, and in which order QEMU wants them.
struct QEMUTransfer: Sendable {
    /// Channels beside the main one. Measured on two cores: two keep a TLS stream and a page scan busy, more only compete.
    static let multifdChannels = 2
    /// QEMU's default cap is 128 MiB/s (migration.json, `max-bandwidth`); without a cap of the operator's we mean none.
    private static let noCap: UInt64 = 1 << 40

    let monitor: QMPClient
    let identityFolder: String
    let migration: UUID

    private var credentials: String { "migration-tls" }

    func start(
        to ready: IncomingReady, destination: NodeName, order: MigrationOrder, allowedBlackout: Duration
    ) async throws {
        try await MigrationSetup.addCredentials(credentials, endpoint: .client, identityFolder: identityFolder, to: monitor)
        try await monitor.execute(MigrationSetup.capabilities(of: order.postCopy, autoConverge: order.autoConverge && order.kind == .live))
        try await monitor.execute(
            MigrateSetParameters(
                downtimeLimitMilliseconds: UInt64(allowedBlackout.milliseconds),
                maxBandwidth: order.bandwidthBitsPerSecond.map { max($0 / 8, 1) } ?? Self.noCap,
                tlsCreds: credentials, tlsHostname: destination.rawValue,
                multifdChannels: order.postCopy ? nil : Self.multifdChannels,
                throttleTriggerThreshold: 100))
        try await monitor.execute(Migrate(uri: "tcp:\(ready.hostAndPort)"))
    }

    func allow(blackout: Duration) async throws {
        try await monitor.execute(MigrateSetParameters(downtimeLimitMilliseconds: UInt64(blackout.milliseconds)))
    }

    /// Half of what the link carries instead of all of it.
    func throttleEarlier() async throws {
        try await monitor.execute(MigrateSetParameters(throttleTriggerThreshold: 50))
    }

    func startPostCopy() async throws { try await monitor.execute(MigrateStartPostcopy()) }
    func continueSwitchover() async throws { try await monitor.execute(MigrateContinue(state: .preSwitchover)) }
    func cancel() async throws { try await monitor.execute(MigrateCancel()) }

    /// Post-copy whose link broke: connect again and go on (migration.json, `resume`).
    func recover(to ready: IncomingReady) async throws {
        try await monitor.execute(Migrate(uri: "tcp:\(ready.hostAndPort)", resume: true))
    }

    /// nil when QEMU does not answer; its death is reported elsewhere.
    func statistics() async -> TransferStatistics? {
        guard let reply = try? await monitor.execute(QueryMigrate(), within: .seconds(2)), let ram = reply.ram else { return nil }
        return TransferStatistics(
            totalBytes: ram.total, transferredBytes: ram.transferred, remainingBytes: ram.remaining, pass: Int(clamping: ram.dirtySyncCount),
            dirtyBytesPerSecond: ram.dirtyPagesRate.multipliedReportingOverflow(by: ram.pageSize).partialValue,
            throttlePercent: Int(clamping: reply.cpuThrottlePercentage ?? 0))
    }

    func failureReason() async -> String {
        let reply = try? await monitor.execute(QueryMigrate(), within: .seconds(2))
        return reply?.errorDescription ?? "QEMU gave no reason; see its log."
    }

    /// Waits until a transfer that was cancelled or failed has ended, so that the guest may be resumed.
    func settle() async throws {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            switch try await monitor.execute(QueryMigrate()).status {
            case nil, .some(.none), .cancelled, .failed, .completed: return
            default: try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}

/// What both ends of a transfer set alike.
enum MigrationSetup {
    /// - Parameter postCopy: Excludes multifd, which QEMU 7.2 does not combine with it.
    static func capabilities(of postCopy: Bool, autoConverge: Bool) -> MigrateSetCapabilities {
        MigrateSetCapabilities([
            .events: true,
            // The destination acknowledges the whole machine before the source counts as done.
            .returnPath: true,
            .pauseBeforeSwitchover: true,
            .lateBlockActivate: true,
            .multifd: !postCopy,
            .postcopyRam: postCopy,
            .postcopyPreempt: postCopy,
            .autoConverge: autoConverge,
        ])
    }

    /// The credentials object is made once per QEMU; certificates may have been renewed since, so an old one is replaced.
    static func addCredentials(
        _ id: String, endpoint: TLSEndpoint, identityFolder: String, to monitor: QMPClient
    ) async throws {
        _ = try? await monitor.execute(ObjectDel(id: id))
        try await monitor.execute(
            ObjectAdd.tlsCredentials(id: id, folder: identityFolder + "/qemu", endpoint: endpoint, verifyPeer: true))
    }
}

extension IncomingReady {
    /// `ADDRESS:PORT`, an IPv6 address in brackets as QEMU wants it.
    var hostAndPort: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

extension QEMUCondition {
    /// Joins what `query-status` and `query-migrate` say (run-state.json, migration.json).
    init(status: QMPRunState, migration: QMPMigrationStatus?) {
        switch status {
        case .running: self = migration == .active || migration == .setup ? .sending : .running
        case .ioError: self = .ioError
        case .shutdown: self = .shutdown
        case .inmigrate: self = .receiving
        case .postmigrate: self = migration == .postcopyActive ? .postCopySource : .sent
        case .finishMigrate:
            switch migration {
            case .postcopyActive, .postcopyPaused, .postcopyRecover: self = .postCopySource
            default: self = .switchingOver
            }
        default: self = migration == .active || migration == .setup ? .sending : .paused
        }
    }
}
