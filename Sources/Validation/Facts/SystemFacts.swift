import ClusterModel

/// How the operating system is set up.
public struct SystemFacts: Hashable, Sendable, Codable {
    public var limits = LimitFacts()
    /// Kernel settings that matter here, by their sysctl(8) names.
    public var sysctl: [String: String] = [:]
    public var time = TimeFacts()
    /// `enforcing`, `permissive`, `disabled`; nil where there is none.
    public var selinuxMode: String?
    /// `enabled` or `disabled`; nil where there is none.
    public var appArmorMode: String?
    public var watchdogs: [WatchdogFacts] = []
    public var users: [UserFacts] = []
    public var files: [FileFacts] = []
    public var fileSystems: [FileSystemFacts] = []
    public var certificates: [CertificateState] = []
    public var crashDump = CrashDumpFacts()
    /// `/proc/sys/kernel/random/entropy_avail`: 256 once seeded (random(4)).
    public var entropyBits: Int?
    public init() {}
}

/// What processes of the cluster may take. nil means unlimited when the limit was read.
public struct LimitFacts: Hashable, Sendable, Codable {
    /// Whether the limits below were read.
    public var wereRead = false
    public var lockedMemoryBytes: UInt64?
    public var openFiles: UInt64?
    public var processes: UInt64?
    public var realTimePriority: Int?
    /// Whether a thread could really be given real-time scheduling: a cgroup without a budget refuses it.
    public var canScheduleRealTime: Bool?
    public init() {}
}

public struct TimeFacts: Hashable, Sendable, Codable {
    /// `chrony`, `systemd-timesyncd`, `ntpd`; nil when none runs.
    public var service: String?
    public var source: String?
    public var stratum: Int?
    /// Whether the kernel's clock is disciplined: adjtimex(2) without STA_UNSYNC.
    public var isSynchronized: Bool?
    /// What that service believes to be off. Milliseconds.
    public var offsetMilliseconds: Double?
    public var timeZone: String?
    /// `tsc`, `kvm-clock`.
    public var clockSource: String?
    public init() {}
}

public struct WatchdogFacts: Hashable, Sendable, Codable {
    /// `/dev/watchdog0`.
    public var path: String
    public var identity: String?
    public var isSoftware: Bool?
    public var timeoutSeconds: Int?
    /// Who feeds it; nil when nobody does.
    public var usedBy: String?
    public init(path: String) { self.path = path }
}

public struct UserFacts: Hashable, Sendable, Codable {
    public var name: String
    /// nil when there is no such user.
    public var uid: UInt32?
    public var gid: UInt32?
    public var groups: [String]
    public init(name: String, uid: UInt32?, gid: UInt32?, groups: [String]) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }
}

/// Owner and mode of a file or folder, beside what they should be.
public struct FileFacts: Hashable, Sendable, Codable {
    public var path: String
    /// nil when it is not there.
    public var owner: String?
    public var group: String?
    /// Permission bits, for instance 0o600.
    public var mode: UInt32?
    public var expectedOwner: String
    /// The most that may be allowed.
    public var expectedMode: UInt32
    /// Whether the node cannot do without it.
    public var isRequired: Bool
    public init(path: String, expectedOwner: String, expectedMode: UInt32, isRequired: Bool) {
        self.path = path
        self.expectedOwner = expectedOwner
        self.expectedMode = expectedMode
        self.isRequired = isRequired
    }
}

public struct FileSystemFacts: Hashable, Sendable, Codable {
    /// What the folder is for: "state", "runtime", "log".
    public var purpose: String
    public var path: String
    public var kind: String?
    public var totalBytes: UInt64?
    public var freeBytes: UInt64?
    public var freeInodes: UInt64?
    public var isReadOnly: Bool?
    public init(purpose: String, path: String) {
        self.purpose = purpose
        self.path = path
    }
}

public struct CertificateState: Hashable, Sendable, Codable {
    public var path: String
    /// "node certificate", "authority".
    public var purpose: String
    public var subject: String
    public var notBefore: WallTime
    public var notAfter: WallTime
    /// SHA-256 of the certificate in hexadecimal.
    public var fingerprint: String
    /// Whether the private key beside it belongs to it; nil for an authority without key here.
    public var fitsKey: Bool?
    public init(
        path: String, purpose: String, subject: String, notBefore: WallTime, notAfter: WallTime, fingerprint: String, fitsKey: Bool?
    ) {
        self.path = path
        self.purpose = purpose
        self.subject = subject
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.fingerprint = fingerprint
        self.fitsKey = fitsKey
    }
}

public struct CrashDumpFacts: Hashable, Sendable, Codable {
    /// Memory reserved by `crashkernel=`; 0 when none.
    public var reservedBytes: UInt64?
    public var isKernelLoaded: Bool?
    public var corePattern: String?
    /// `kernel.panic`: seconds until a restart; 0 means never.
    public var panicTimeoutSeconds: Int?
    public init() {}
}
