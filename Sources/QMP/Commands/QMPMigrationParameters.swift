/// Parameters of a migration: what `migrate-set-parameters` sets, nil leaving a parameter alone, and what
/// `query-migrate-parameters` answers (`MigrationParameters` in qapi/migration.json of 7.2).
public struct QMPMigrationParameters: Hashable, Sendable, Codable {
    /// The blackout at which QEMU switches over by itself. At most 2,000,000. Default 300.
    public var downtimeLimitMilliseconds: UInt64?
    /// Cap of the memory stream, in bytes a second. Default 128 MiB/s.
    public var maxBandwidthBytesPerSecond: UInt64?
    /// Cap of the background stream in post-copy; 0 for none.
    public var maxPostcopyBandwidthBytesPerSecond: UInt64?
    /// Id of a `tls-creds-x509` object; "" for no TLS.
    public var tlsCredentials: String?
    /// Name that the destination's certificate must carry, when the URI has an address or a path.
    public var tlsHostname: String?
    /// Id of an authorization object (`authz-simple`, `authz-list`) that the client's certificate must pass. Destination only.
    public var tlsAuthorization: String?
    /// Connections with ``QMPMigrationCapability/multifd``, 1 to 255; the same on both ends. Default 2.
    public var multifdChannels: Int?
    /// "none", "zlib" or "zstd".
    public var multifdCompression: String?
    /// Percentage at which auto-converge starts to slow the vCPUs down, and by which it goes on. 1 to 99.
    public var cpuThrottleInitialPercent: Int?
    public var cpuThrottleIncrementPercent: Int?
    public var maxCPUThrottlePercent: Int?
    public var cpuThrottleTailslow: Bool?
    /// Auto-converge acts when the guest dirties more than this share of what was sent. 1 to 100. Default 50.
    public var throttleTriggerThresholdPercent: Int?
    /// RARP announcements after the switchover: first delay, longest delay, number, growth of the delay.
    public var announceInitialMilliseconds: Int?
    public var announceMaxMilliseconds: Int?
    public var announceRounds: Int?
    public var announceStepMilliseconds: Int?

    public init(
        downtimeLimitMilliseconds: UInt64? = nil, maxBandwidthBytesPerSecond: UInt64? = nil,
        maxPostcopyBandwidthBytesPerSecond: UInt64? = nil, tlsCredentials: String? = nil, tlsHostname: String? = nil,
        tlsAuthorization: String? = nil, multifdChannels: Int? = nil, multifdCompression: String? = nil,
        cpuThrottleInitialPercent: Int? = nil, cpuThrottleIncrementPercent: Int? = nil, maxCPUThrottlePercent: Int? = nil,
        cpuThrottleTailslow: Bool? = nil, throttleTriggerThresholdPercent: Int? = nil, announceInitialMilliseconds: Int? = nil,
        announceMaxMilliseconds: Int? = nil, announceRounds: Int? = nil, announceStepMilliseconds: Int? = nil
    ) {
        self.downtimeLimitMilliseconds = downtimeLimitMilliseconds
        self.maxBandwidthBytesPerSecond = maxBandwidthBytesPerSecond
        self.maxPostcopyBandwidthBytesPerSecond = maxPostcopyBandwidthBytesPerSecond
        self.tlsCredentials = tlsCredentials
        self.tlsHostname = tlsHostname
        self.tlsAuthorization = tlsAuthorization
        self.multifdChannels = multifdChannels
        self.multifdCompression = multifdCompression
        self.cpuThrottleInitialPercent = cpuThrottleInitialPercent
        self.cpuThrottleIncrementPercent = cpuThrottleIncrementPercent
        self.maxCPUThrottlePercent = maxCPUThrottlePercent
        self.cpuThrottleTailslow = cpuThrottleTailslow
        self.throttleTriggerThresholdPercent = throttleTriggerThresholdPercent
        self.announceInitialMilliseconds = announceInitialMilliseconds
        self.announceMaxMilliseconds = announceMaxMilliseconds
        self.announceRounds = announceRounds
        self.announceStepMilliseconds = announceStepMilliseconds
    }

    enum CodingKeys: String, CodingKey {
        case downtimeLimitMilliseconds = "downtime-limit"
        case maxBandwidthBytesPerSecond = "max-bandwidth"
        case maxPostcopyBandwidthBytesPerSecond = "max-postcopy-bandwidth"
        case tlsCredentials = "tls-creds"
        case tlsHostname = "tls-hostname"
        case tlsAuthorization = "tls-authz"
        case multifdChannels = "multifd-channels"
        case multifdCompression = "multifd-compression"
        case cpuThrottleInitialPercent = "cpu-throttle-initial"
        case cpuThrottleIncrementPercent = "cpu-throttle-increment"
        case maxCPUThrottlePercent = "max-cpu-throttle"
        case cpuThrottleTailslow = "cpu-throttle-tailslow"
        case throttleTriggerThresholdPercent = "throttle-trigger-threshold"
        case announceInitialMilliseconds = "announce-initial"
        case announceMaxMilliseconds = "announce-max"
        case announceRounds = "announce-rounds"
        case announceStepMilliseconds = "announce-step"
    }
}
