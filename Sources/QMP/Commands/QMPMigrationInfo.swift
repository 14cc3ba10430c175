/// Where a migration is, seen from one end (`MigrationStatus` in qapi/migration.json of 7.2).
public enum QMPMigrationStatus: QMPNamedValue {
    /// QEMU's "none", or no status at all: no migration was tried.
    case notStarted
    case setup
    case cancelling
    case cancelled
    case active
    case postcopyActive
    /// The link of a post-copy broke; the machine stands until it is recovered.
    case postcopyPaused
    case postcopyRecover
    case completed
    case failed
    case colo
    /// The guest is paused and all is ready; QEMU waits for `migrate-continue`.
    case preSwitchover
    /// The rest of memory and the state of the devices are sent.
    case device
    case waitUnplug
    case other(String)

    public static let known: [Self] = [
        .notStarted, .setup, .cancelling, .cancelled, .active, .postcopyActive, .postcopyPaused, .postcopyRecover, .completed,
        .failed, .colo, .preSwitchover, .device, .waitUnplug,
    ]
    public var name: String {
        switch self {
        case .notStarted: "none"
        case .setup: "setup"
        case .cancelling: "cancelling"
        case .cancelled: "cancelled"
        case .active: "active"
        case .postcopyActive: "postcopy-active"
        case .postcopyPaused: "postcopy-paused"
        case .postcopyRecover: "postcopy-recover"
        case .completed: "completed"
        case .failed: "failed"
        case .colo: "colo"
        case .preSwitchover: "pre-switchover"
        case .device: "device"
        case .waitUnplug: "wait-unplug"
        case .other(let name): name
        }
    }

    /// Whether QEMU will not change it by itself any more.
    public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }
}

/// Reply of `query-migrate`. On the destination most members stay nil. There QEMU sends ``QMPEvent/Kind/resume`` before it says
/// ``QMPMigrationStatus/completed`` (seen with 7.2).
public struct QMPMigrationInfo: Hashable, Sendable, Decodable {
    public var status: QMPMigrationStatus
    /// Since the start; of the whole migration once it completed.
    public var totalMilliseconds: Int64?
    /// How long the guest was paused, measured by QEMU; set once it completed.
    public var downtimeMilliseconds: Int64?
    /// What QEMU expects while it runs. Negative or huge while it knows no rate.
    public var expectedDowntimeMilliseconds: Int64?
    public var setupMilliseconds: Int64?
    public var memory: Memory?
    public var cpuThrottlePercent: Int?
    /// Why it failed. Not always set: see the log of both QEMUs.
    public var errorText: String?
    /// Why a migration is not possible now, for instance because of a device; nil when nothing is in the way.
    public var blockedReasons: [String]?
    /// Where the destination listens.
    public var socketAddresses: [SocketAddress]?

    /// Statistics of guest memory (`MigrationStats`).
    public struct Memory: Hashable, Sendable, Decodable {
        public var transferredBytes: UInt64
        public var remainingBytes: UInt64
        public var totalBytes: UInt64
        /// Pages of zeros, sent as a mark.
        public var zeroPages: UInt64
        public var normalPages: UInt64
        public var normalBytes: UInt64
        /// How fast the guest changes memory, as of the last pass.
        public var dirtyPagesPerSecond: UInt64
        /// Throughput in Mbit/s, as of QEMU's last measuring interval of 100 ms.
        public var megabitsPerSecond: Double
        public var pagesPerSecond: UInt64
        /// Passes over memory so far.
        public var passes: UInt64
        public var pageSizeBytes: UInt64
        public var postcopyRequests: UInt64
        public var multifdBytes: UInt64
        public var precopyBytes: UInt64
        /// Sent while the guest was paused.
        public var downtimeBytes: UInt64
        public var postcopyBytes: UInt64

        /// ``dirtyPagesPerSecond`` in bytes; the highest number when it would not fit.
        public var dirtyBytesPerSecond: UInt64 {
            let (bytes, overflow) = dirtyPagesPerSecond.multipliedReportingOverflow(by: pageSizeBytes)
            return overflow ? .max : bytes
        }

        enum CodingKeys: String, CodingKey {
            case transferredBytes = "transferred"
            case remainingBytes = "remaining"
            case totalBytes = "total"
            case zeroPages = "duplicate"
            case normalPages = "normal"
            case normalBytes = "normal-bytes"
            case dirtyPagesPerSecond = "dirty-pages-rate"
            case megabitsPerSecond = "mbps"
            case pagesPerSecond = "pages-per-second"
            case passes = "dirty-sync-count"
            case pageSizeBytes = "page-size"
            case postcopyRequests = "postcopy-requests"
            case multifdBytes = "multifd-bytes"
            case precopyBytes = "precopy-bytes"
            case downtimeBytes = "downtime-bytes"
            case postcopyBytes = "postcopy-bytes"
        }
    }

    /// A listening socket (`SocketAddress` in qapi/sockets.json).
    public struct SocketAddress: Hashable, Sendable, Decodable {
        /// "inet", "unix", "vsock" or "fd".
        public var type: String
        public var host: String?
        public var port: String?
        public var path: String?
    }

    private enum Keys: String, CodingKey {
        case status, downtime, ram
        case total = "total-time"
        case expectedDowntime = "expected-downtime"
        case setup = "setup-time"
        case cpuThrottle = "cpu-throttle-percentage"
        case errorText = "error-desc"
        case blockedReasons = "blocked-reasons"
        case socketAddress = "socket-address"
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Keys.self)
        status = try members.decodeIfPresent(QMPMigrationStatus.self, forKey: .status) ?? .notStarted
        totalMilliseconds = try members.decodeIfPresent(Int64.self, forKey: .total)
        downtimeMilliseconds = try members.decodeIfPresent(Int64.self, forKey: .downtime)
        expectedDowntimeMilliseconds = try members.decodeIfPresent(Int64.self, forKey: .expectedDowntime)
        setupMilliseconds = try members.decodeIfPresent(Int64.self, forKey: .setup)
        memory = try members.decodeIfPresent(Memory.self, forKey: .ram)
        cpuThrottlePercent = try members.decodeIfPresent(Int.self, forKey: .cpuThrottle)
        errorText = try members.decodeIfPresent(String.self, forKey: .errorText)
        blockedReasons = try members.decodeIfPresent([String].self, forKey: .blockedReasons)
        socketAddresses = try members.decodeIfPresent([SocketAddress].self, forKey: .socketAddress)
    }
}
