/// How a machine is moved.
public enum MigrationKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Copied while it runs; paused only for the rest.
    case live
    /// Paused, copied once, resumed.
    case quick
}

/// What the operator asks for.
public struct MigrationOrder: Hashable, Sendable, Codable {
    public var vm: VMName
    public var destination: NodeName
    public var kind: MigrationKind
    /// The longest pause the operator accepts. A live migration does not switch over while it predicts a longer one.
    public var maxBlackoutMilliseconds: Int
    /// Cap for the memory stream; nil for none.
    public var bandwidthBitsPerSecond: UInt64?
    /// Whether the guest's vCPUs may be slowed down so that copying catches up.
    public var autoConverge: Bool
    /// Whether the machine may run on the destination before all its memory is there. Losing either node in that time loses its memory.
    public var postCopy: Bool

    public init(
        vm: VMName, destination: NodeName, kind: MigrationKind, maxBlackoutMilliseconds: Int = 300,
        bandwidthBitsPerSecond: UInt64? = nil, autoConverge: Bool = true, postCopy: Bool = false
    ) {
        self.vm = vm
        self.destination = destination
        self.kind = kind
        self.maxBlackoutMilliseconds = maxBlackoutMilliseconds
        self.bandwidthBitsPerSecond = bandwidthBitsPerSecond
        self.autoConverge = autoConverge
        self.postCopy = postCopy
    }
}

/// How far a migration is.
public enum MigrationPhase: String, Hashable, Sendable, Codable, CaseIterable {
    /// Waiting for others to end: each node sends and receives a limited number at a time.
    case queued
    /// Pre-flight, and the destination builds the machine.
    case preparing
    /// Memory is copied while the guest runs (live), or in one pass while it is paused (quick).
    case transferring
    /// The guest is paused on the source, all is ready; the last moment to cancel.
    case preSwitchover = "pre-switchover"
    /// The last memory and the state of the devices are sent.
    case deviceState = "device-state"
    /// The ownership record is being written on the shared disk.
    case committing
    /// The destination owns the machine and is told to run it.
    case resuming
    /// The machine runs on the destination and fetches the memory that is missing.
    case postCopy = "post-copy"
    case completed
    case failed
    case cancelled

    public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }
}

/// A look at a migration under way.
public struct MigrationProgress: Hashable, Sendable, Codable {
    public var phase: MigrationPhase
    /// Passes over memory so far, the current one included; 1 is the first full pass.
    public var pass: Int
    /// Guest memory, in bytes.
    public var totalBytes: UInt64
    /// Sent over the link so far, in bytes.
    public var transferredBytes: UInt64
    public var remainingBytes: UInt64
    /// Link throughput over the last measuring interval.
    public var bytesPerSecond: UInt64
    /// How fast the guest changes memory, as QEMU measured at the end of the last pass.
    public var dirtyBytesPerSecond: UInt64
    /// The pause to expect if it switched over now.
    public var predictedBlackoutMilliseconds: Double?
    /// How much the guest's vCPUs are slowed down, in per cent.
    public var throttlePercent: Int
    public var elapsedMilliseconds: Double
    /// What was just decided and why, when there is something to say: a sentence.
    public var note: String?

    public init(
        phase: MigrationPhase, pass: Int = 0, totalBytes: UInt64 = 0, transferredBytes: UInt64 = 0, remainingBytes: UInt64 = 0,
        bytesPerSecond: UInt64 = 0, dirtyBytesPerSecond: UInt64 = 0, predictedBlackoutMilliseconds: Double? = nil,
        throttlePercent: Int = 0, elapsedMilliseconds: Double = 0, note: String? = nil
    ) {
        self.phase = phase
        self.pass = pass
        self.totalBytes = totalBytes
        self.transferredBytes = transferredBytes
        self.remainingBytes = remainingBytes
        self.bytesPerSecond = bytesPerSecond
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.predictedBlackoutMilliseconds = predictedBlackoutMilliseconds
        self.throttlePercent = throttlePercent
        self.elapsedMilliseconds = elapsedMilliseconds
        self.note = note
    }
}
