/// Why a machine shut down or was reset (`ShutdownCause` in qapi/run-state.json).
public enum QMPShutdownCause: QMPNamedValue {
    case notGiven, hostError, hostQMPQuit, hostQMPSystemReset, hostSignal, hostUI
    case guestShutdown, guestReset, guestPanic, subsystemReset, snapshotLoad
    case other(String)

    public static let known: [Self] = [
        .notGiven, .hostError, .hostQMPQuit, .hostQMPSystemReset, .hostSignal, .hostUI,
        .guestShutdown, .guestReset, .guestPanic, .subsystemReset, .snapshotLoad,
    ]
    public var name: String {
        switch self {
        case .notGiven: "none"
        case .hostError: "host-error"
        case .hostQMPQuit: "host-qmp-quit"
        case .hostQMPSystemReset: "host-qmp-system-reset"
        case .hostSignal: "host-signal"
        case .hostUI: "host-ui"
        case .guestShutdown: "guest-shutdown"
        case .guestReset: "guest-reset"
        case .guestPanic: "guest-panic"
        case .subsystemReset: "subsystem-reset"
        case .snapshotLoad: "snapshot-load"
        case .other(let name): name
        }
    }
}

/// What QEMU did about a failed disk request (`BlockErrorAction` in qapi/block-core.json).
public enum QMPIOErrorAction: QMPNamedValue {
    case ignore
    /// The guest was told.
    case report
    /// The machine was paused; `cont` repeats the request.
    case stop
    case other(String)

    public static let known: [Self] = [.ignore, .report, .stop]
    public var name: String {
        switch self {
        case .ignore: "ignore"
        case .report: "report"
        case .stop: "stop"
        case .other(let name): name
        }
    }
}

/// The state of a background job (`JobStatus` in qapi/job.json).
public enum QMPJobStatus: QMPNamedValue {
    case undefined, created, running, paused, ready, standby, waiting, pending, aborting, concluded, null
    case other(String)

    public static let known: [Self] = [
        .undefined, .created, .running, .paused, .ready, .standby, .waiting, .pending, .aborting, .concluded, .null,
    ]
    public var name: String {
        switch self {
        case .undefined: "undefined"
        case .created: "created"
        case .running: "running"
        case .paused: "paused"
        case .ready: "ready"
        case .standby: "standby"
        case .waiting: "waiting"
        case .pending: "pending"
        case .aborting: "aborting"
        case .concluded: "concluded"
        case .null: "null"
        case .other(let name): name
        }
    }
}
