/// What the machine is doing (`RunState` in qapi/run-state.json).
public enum QMPRunState: QMPNamedValue {
    case debug, incomingMigration, internalError, ioError, paused, postMigrate, preLaunch, finishMigrate, restoreVM, running, saveVM
    case shutdown, suspended, watchdog, guestPanicked, colo
    case other(String)

    public static let known: [Self] = [
        .debug, .incomingMigration, .internalError, .ioError, .paused, .postMigrate, .preLaunch, .finishMigrate, .restoreVM,
        .running, .saveVM, .shutdown, .suspended, .watchdog, .guestPanicked, .colo,
    ]
    public var name: String {
        switch self {
        case .debug: "debug"
        case .incomingMigration: "inmigrate"
        case .internalError: "internal-error"
        case .ioError: "io-error"
        case .paused: "paused"
        case .postMigrate: "postmigrate"
        case .preLaunch: "prelaunch"
        case .finishMigrate: "finish-migrate"
        case .restoreVM: "restore-vm"
        case .running: "running"
        case .saveVM: "save-vm"
        case .shutdown: "shutdown"
        case .suspended: "suspended"
        case .watchdog: "watchdog"
        case .guestPanicked: "guest-panicked"
        case .colo: "colo"
        case .other(let name): name
        }
    }
}

/// Reply of `query-status`.
public struct QMPStatus: Hashable, Sendable, Decodable {
    public var status: QMPRunState
    /// Whether the vCPUs execute.
    public var running: Bool
}

/// Reply of `query-name`.
public struct QMPMachineName: Hashable, Sendable, Decodable {
    /// From `-name`; nil without it.
    public var name: String?
}

/// Reply of `query-memory-size-summary`, in bytes.
public struct QMPMemorySize: Hashable, Sendable, Decodable {
    public var baseBytes: UInt64
    public var pluggedBytes: UInt64?
    enum CodingKeys: String, CodingKey {
        case baseBytes = "base-memory"
        case pluggedBytes = "plugged-memory"
    }
}

/// Reply of `query-kvm`.
public struct QMPKVMState: Hashable, Sendable, Decodable {
    /// This machine runs on KVM.
    public var enabled: Bool
    /// This QEMU was built with KVM. Says nothing about the host.
    public var present: Bool
}

/// A vCPU, as `query-cpus-fast` lists it.
public struct QMPVirtualCPU: Hashable, Sendable, Decodable {
    public var index: Int
    public var qomPath: String
    /// The host's thread that runs it; with TCG several may share one.
    public var threadID: Int
    enum CodingKeys: String, CodingKey {
        case index = "cpu-index"
        case qomPath = "qom-path"
        case threadID = "thread-id"
    }
}

extension QMPCommands {
    public struct QueryStatus: QMPCommand {
        public typealias Reply = QMPStatus
        public static let name = "query-status"
    }
    public struct QueryVersion: QMPCommand {
        public typealias Reply = QEMUVersion
        public static let name = "query-version"
    }
    public struct QueryName: QMPCommand {
        public typealias Reply = QMPMachineName
        public static let name = "query-name"
    }
    public struct QueryMemorySizeSummary: QMPCommand {
        public typealias Reply = QMPMemorySize
        public static let name = "query-memory-size-summary"
    }
    public struct QueryKVM: QMPCommand {
        public typealias Reply = QMPKVMState
        public static let name = "query-kvm"
    }
    public struct QueryCPUsFast: QMPCommand {
        public typealias Reply = [QMPVirtualCPU]
        public static let name = "query-cpus-fast"
    }
    public struct Stop: QMPCommand { public static let name = "stop" }
    public struct Cont: QMPCommand { public static let name = "cont" }
    public struct Quit: QMPCommand { public static let name = "quit" }
    public struct SystemPowerdown: QMPCommand { public static let name = "system_powerdown" }
    public struct SystemReset: QMPCommand { public static let name = "system_reset" }

    /// A command of the human monitor. Its reply is text for people and changes between versions of QEMU; also its errors come
    /// as text, as a success.
    public struct HumanMonitorCommand: QMPCommand {
        public typealias Reply = String
        public static let name = "human-monitor-command"
        public var commandLine: String
        enum CodingKeys: String, CodingKey { case commandLine = "command-line" }
    }
}

extension QMPCommand where Self == QMPCommands.QueryStatus { public static var queryStatus: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryVersion { public static var queryVersion: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryName { public static var queryName: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryMemorySizeSummary {
    public static var queryMemorySizeSummary: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.QueryKVM { public static var queryKVM: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryCPUsFast { public static var queryCPUsFast: Self { Self() } }
extension QMPCommand where Self == QMPCommands.Stop {
    /// Pauses the vCPUs and waits for disk requests to end.
    public static var stop: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.Cont {
    /// Resumes the vCPUs. On a machine that waits for its migration it only sets that it will run afterwards.
    public static var cont: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.Quit {
    /// Ends QEMU at once. ``QMPClient/quit(within:)`` also waits for the end.
    public static var quit: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.SystemPowerdown {
    /// Presses the power button; the guest decides what follows.
    public static var systemPowerdown: Self { Self() }
}
extension QMPCommand where Self == QMPCommands.SystemReset { public static var systemReset: Self { Self() } }
extension QMPCommand where Self == QMPCommands.HumanMonitorCommand {
    public static func humanMonitorCommand(_ commandLine: String) -> Self { Self(commandLine: commandLine) }
}

extension QMPClient {
    /// Ends QEMU and waits until the connection has ended. QEMU may leave before its reply is read: that is success too.
    public nonisolated func quit(within deadline: Duration = .seconds(5)) async throws(QMPError) {
        do throws(QMPError) {
            try await execute(.quit, within: deadline)
        } catch {
            guard case .disconnected(.closedByQEMU, _) = error else { throw error }
            return
        }
        // The process tears its devices down now; the socket closes last.
        _ = try await whenClosed(within: deadline)
    }
}
