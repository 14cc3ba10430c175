/// A switch of `migrate-set-capabilities` (`MigrationCapability` in qapi/migration.json).
///
/// Both ends must agree on ``multifd``, ``postcopyRAM``, ``postcopyPreempt``, ``returnPath`` and the like; set the destination's
/// before `migrate-incoming`.
public enum QMPMigrationCapability: QMPNamedValue {
    /// Sends ``QMPEvent/Kind/migration(_:)`` and ``QMPEvent/Kind/migrationPass(_:)``.
    case events
    /// Slows the vCPUs down when copying does not keep up.
    case autoConverge
    /// Waits in ``QMPMigrationStatus/preSwitchover``, guest paused, for `migrate-continue`.
    case pauseBeforeSwitchover
    /// Sends memory over several connections.
    case multifd
    case postcopyRAM
    /// Sends requested pages over a connection of their own. New in 7.2.
    case postcopyPreempt
    /// Lets the destination answer the source.
    case returnPath
    /// Refuses when `-uuid` differs between the ends.
    case validateUUID
    /// The destination takes its disks only when it resumes.
    case lateBlockActivate
    case zeroBlocks, xbzrle, compress, releaseRAM, postcopyBlocktime, dirtyBitmaps, backgroundSnapshot, zeroCopySend, ignoreShared
    case other(String)

    public static let known: [Self] = [
        .events, .autoConverge, .pauseBeforeSwitchover, .multifd, .postcopyRAM, .postcopyPreempt, .returnPath, .validateUUID,
        .lateBlockActivate, .zeroBlocks, .xbzrle, .compress, .releaseRAM, .postcopyBlocktime, .dirtyBitmaps, .backgroundSnapshot,
        .zeroCopySend, .ignoreShared,
    ]
    public var name: String {
        switch self {
        case .events: "events"
        case .autoConverge: "auto-converge"
        case .pauseBeforeSwitchover: "pause-before-switchover"
        case .multifd: "multifd"
        case .postcopyRAM: "postcopy-ram"
        case .postcopyPreempt: "postcopy-preempt"
        case .returnPath: "return-path"
        case .validateUUID: "validate-uuid"
        case .lateBlockActivate: "late-block-activate"
        case .zeroBlocks: "zero-blocks"
        case .xbzrle: "xbzrle"
        case .compress: "compress"
        case .releaseRAM: "release-ram"
        case .postcopyBlocktime: "postcopy-blocktime"
        case .dirtyBitmaps: "dirty-bitmaps"
        case .backgroundSnapshot: "background-snapshot"
        case .zeroCopySend: "zero-copy-send"
        case .ignoreShared: "x-ignore-shared"
        case .other(let name): name
        }
    }
}

/// A capability and whether it is on.
public struct QMPMigrationCapabilityState: Hashable, Sendable, Codable {
    public var capability: QMPMigrationCapability
    public var state: Bool
    public init(capability: QMPMigrationCapability, state: Bool) {
        self.capability = capability
        self.state = state
    }
}

extension QMPCommands {
    public struct Migrate: QMPCommand {
        public static let name = "migrate"
        public var uri: String
        /// Resumes a post-copy migration that is paused; absent otherwise.
        public var resume: Bool?
    }
    public struct MigrateIncoming: QMPCommand {
        public static let name = "migrate-incoming"
        public var uri: String
    }
    public struct MigrateCancel: QMPCommand { public static let name = "migrate_cancel" }
    public struct MigrateContinue: QMPCommand {
        public static let name = "migrate-continue"
        public var state: QMPMigrationStatus
    }
    public struct MigrateStartPostcopy: QMPCommand { public static let name = "migrate-start-postcopy" }
    public struct MigrateRecover: QMPCommand {
        public static let name = "migrate-recover"
        // The main loop of a destination in post-copy may wait for memory that only this command makes come.
        public static let isOutOfBand = true
        public var uri: String
    }
    public struct MigratePause: QMPCommand {
        public static let name = "migrate-pause"
        public static let isOutOfBand = true
    }
    public struct MigrateSetCapabilities: QMPCommand {
        public static let name = "migrate-set-capabilities"
        public var capabilities: [QMPMigrationCapabilityState]
    }
    public struct QueryMigrateCapabilities: QMPCommand {
        public typealias Reply = [QMPMigrationCapabilityState]
        public static let name = "query-migrate-capabilities"
    }
    public struct MigrateSetParameters: QMPCommand {
        public static let name = "migrate-set-parameters"
        public var parameters: QMPMigrationParameters
        public func encode(to encoder: any Encoder) throws { try parameters.encode(to: encoder) }
    }
    public struct YankMigration: QMPCommand {
        public static let name = "yank"
        public func encode(to encoder: any Encoder) throws { try Instances().encode(to: encoder) }
        private struct Instances: Encodable {
            var instances = [["type": "migration"]]
        }
    }
    public struct QueryMigrateParameters: QMPCommand {
        public typealias Reply = QMPMigrationParameters
        public static let name = "query-migrate-parameters"
    }
    public struct QueryMigrate: QMPCommand {
        public typealias Reply = QMPMigrationInfo
        public static let name = "query-migrate"
    }
}

extension QMPCommand where Self == QMPCommands.Migrate {
    /// Starts sending to `uri`, for example "tcp:10.0.0.2:4444" or "unix:/run/x.sock". The reply means that it started.
    ///
    /// When QEMU refuses the URI, `queryMigrate` says ``QMPMigrationStatus/failed`` although nothing was tried (seen with 7.2).
    public static func migrate(to uri: String) -> Self { Self(uri: uri, resume: nil) }
    /// Goes on with a post-copy migration in ``QMPMigrationStatus/postcopyPaused``, after the destination's `migrateRecover`.
    public static func resumePostcopy(to uri: String) -> Self { Self(uri: uri, resume: true) }
}
extension QMPCommand where Self == QMPCommands.MigrateIncoming {
    /// Listens at `uri`, in a QEMU started with `-incoming defer`. With port 0 ``QMPMigrationInfo/socketAddresses`` tells the port.
    public static func migrateIncoming(at uri: String) -> Self { Self(uri: uri) }
}
extension QMPCommand where Self == QMPCommands.MigrateCancel {
    /// Without effect when nothing is being sent. The source runs on; see ``QMPMigrationStatus/cancelled`` for when it is done.
    public static var migrateCancel: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.YankMigration {
    /// Shuts down every connection of a migration, which frees threads that hang in them (yank.json). A cancelled migration shuts down
    /// the main one alone, and with multifd waits for the others until TCP gives up. Refused when no migration has a connection.
    public static var yankMigration: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.MigrateContinue {
    /// Leaves `state`; only ``QMPMigrationStatus/preSwitchover`` is useful. Refused in another one.
    public static func migrateContinue(from state: QMPMigrationStatus = .preSwitchover) -> Self { Self(state: state) }
}
extension QMPCommand where Self == QMPCommands.MigrateStartPostcopy { public static var migrateStartPostcopy: Self { Self() } }
extension QMPCommand where Self == QMPCommands.MigrateRecover {
    /// On the destination of a paused post-copy migration: listens at `uri` for the source's new attempt.
    public static func migrateRecover(at uri: String) -> Self { Self(uri: uri) }
}
extension QMPCommand where Self == QMPCommands.MigratePause {
    /// Cuts a post-copy migration whose link hangs, so that it can be recovered over another one.
    public static var migratePause: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.MigrateSetCapabilities {
    /// Those not named stay as they are.
    public static func migrateSetCapabilities(_ states: [QMPMigrationCapability: Bool]) -> Self {
        // In a defined order, so that logs and transcripts compare.
        let sorted = states.sorted { $0.key.name < $1.key.name }
        return Self(capabilities: sorted.map { QMPMigrationCapabilityState(capability: $0.key, state: $0.value) })
    }
}
extension QMPCommand where Self == QMPCommands.QueryMigrateCapabilities {
    public static var queryMigrateCapabilities: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.MigrateSetParameters {
    /// Those that are nil stay as they are.
    public static func migrateSetParameters(_ parameters: QMPMigrationParameters) -> Self { Self(parameters: parameters) }
}
extension QMPCommand where Self == QMPCommands.QueryMigrateParameters { public static var queryMigrateParameters: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryMigrate { public static var queryMigrate: Self { Self() } }
