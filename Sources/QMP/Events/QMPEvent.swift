import Foundation

/// Something that QEMU reports by itself (qmp-spec.txt, section 2.5).
public struct QMPEvent: Hashable, Sendable {
    /// As QEMU spells it, for example "STOP".
    public var name: String
    /// Microseconds since 1970 on the clock of QEMU's host. nil when QEMU could not read its clock.
    public var microsecondsSince1970: Int64?
    /// All data of the event, also of those that ``kind`` does not know.
    public var data: [String: QMPValue]
    public var kind: Kind

    public init(name: String, microsecondsSince1970: Int64?, data: [String: QMPValue], kind: Kind) {
        self.name = name
        self.microsecondsSince1970 = microsecondsSince1970
        self.data = data
        self.kind = kind
    }

    /// ``microsecondsSince1970`` as a date.
    public var date: Date? {
        microsecondsSince1970.map { Date(timeIntervalSince1970: Double($0) / 1_000_000) }
    }

    /// The events that are used here, with their data (QEMU QMP reference manual 7.2).
    public enum Kind: Hashable, Sendable {
        /// The vCPUs stopped. Its time is the cut of a switchover.
        case stop
        case resume
        /// The machine shut down; with `-no-shutdown` QEMU stays.
        case shutdown(reason: QMPShutdownCause, byGuest: Bool)
        case reset(reason: QMPShutdownCause, byGuest: Bool)
        /// The power button was pressed (`system_powerdown`); the guest may ignore it.
        case powerdown
        case suspend
        case wakeup
        case watchdog(action: String)
        case guestPanicked(action: String)
        /// Sent only after the capability ``QMPMigrationCapability/events`` was switched on.
        case migration(QMPMigrationStatus)
        /// A pass over memory begins; the first is 1. Sent like ``migration(_:)``.
        case migrationPass(Int)
        case blockIOError(QMPBlockIOError)
        case deviceDeleted(id: String?, path: String)
        /// The guest refused to let go of a device.
        case deviceUnplugGuestError(id: String?, path: String)
        case jobStatusChange(id: String, status: QMPJobStatus)
        /// Not QEMU's: the subscriber was too slow, and this many events before the next one were dropped.
        case eventsLost(Int)
        /// Any other event; see ``QMPEvent/name`` and ``QMPEvent/data``.
        case other
    }

    static func eventsLost(_ count: Int, before next: QMPEvent) -> QMPEvent {
        QMPEvent(
            name: "EVENTS_LOST", microsecondsSince1970: next.microsecondsSince1970,
            data: ["count": .integer(Int64(count))], kind: .eventsLost(count))
    }
}

/// A request of a disk failed.
public struct QMPBlockIOError: Hashable, Sendable, Decodable {
    /// The name of the drive; empty for one that was made with `-blockdev`.
    public var device: String
    public var nodeName: String?
    /// "read" or "write".
    public var operation: String
    public var action: QMPIOErrorAction
    /// Whether the storage is full.
    public var isNoSpace: Bool?
    /// The operating system's text, for people: "Operation not permitted", "Input/output error".
    public var reason: String

    enum CodingKeys: String, CodingKey {
        case device, operation, action, reason
        case nodeName = "node-name"
        case isNoSpace = "nospace"
    }
}

extension QMPEvent: Decodable {
    private enum Keys: String, CodingKey { case event, timestamp, data }
    private struct Timestamp: Decodable { var seconds, microseconds: Int64 }
    private struct Cause: Decodable {
        var reason: QMPShutdownCause
        var guest: Bool
    }
    private struct Action: Decodable { var action: String }
    private struct Migration: Decodable { var status: QMPMigrationStatus }
    private struct MigrationPass: Decodable { var pass: Int }
    private struct Device: Decodable {
        var device: String?
        var path: String
    }
    private struct Job: Decodable {
        var id: String
        var status: QMPJobStatus
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Keys.self)
        name = try members.decode(String.self, forKey: .event)
        microsecondsSince1970 = try Self.microseconds(try members.decode(Timestamp.self, forKey: .timestamp), in: members)
        data = try members.decodeIfPresent([String: QMPValue].self, forKey: .data) ?? [:]
        switch name {
        case "STOP": kind = .stop
        case "RESUME": kind = .resume
        case "POWERDOWN": kind = .powerdown
        case "SUSPEND": kind = .suspend
        case "WAKEUP": kind = .wakeup
        case "SHUTDOWN":
            let cause = try members.decode(Cause.self, forKey: .data)
            kind = .shutdown(reason: cause.reason, byGuest: cause.guest)
        case "RESET":
            let cause = try members.decode(Cause.self, forKey: .data)
            kind = .reset(reason: cause.reason, byGuest: cause.guest)
        case "WATCHDOG": kind = .watchdog(action: try members.decode(Action.self, forKey: .data).action)
        case "GUEST_PANICKED": kind = .guestPanicked(action: try members.decode(Action.self, forKey: .data).action)
        case "MIGRATION": kind = .migration(try members.decode(Migration.self, forKey: .data).status)
        case "MIGRATION_PASS": kind = .migrationPass(try members.decode(MigrationPass.self, forKey: .data).pass)
        case "BLOCK_IO_ERROR": kind = .blockIOError(try members.decode(QMPBlockIOError.self, forKey: .data))
        case "DEVICE_DELETED":
            let device = try members.decode(Device.self, forKey: .data)
            kind = .deviceDeleted(id: device.device, path: device.path)
        case "DEVICE_UNPLUG_GUEST_ERROR":
            let device = try members.decode(Device.self, forKey: .data)
            kind = .deviceUnplugGuestError(id: device.device, path: device.path)
        case "JOB_STATUS_CHANGE":
            let job = try members.decode(Job.self, forKey: .data)
            kind = .jobStatusChange(id: job.id, status: job.status)
        default: kind = .other
        }
    }

    /// - Returns: nil for -1, with which QEMU says that it could not read its clock.
    private static func microseconds(_ time: Timestamp, in members: KeyedDecodingContainer<Keys>) throws -> Int64? {
        if time.seconds == -1, time.microseconds == -1 { return nil }
        let (micros, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow, time.seconds >= 0, (0..<1_000_000).contains(time.microseconds), micros <= .max - 1_000_000 else {
            throw DecodingError.dataCorruptedError(forKey: .timestamp, in: members, debugDescription: "no time of day")
        }
        return micros + time.microseconds
    }
}
