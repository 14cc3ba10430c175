import Foundation

/// How a migration ended and what it cost; kept in the history of the source and shown to the operator.
public struct MigrationRecord: Hashable, Sendable, Codable {
    public var id: UUID
    public var order: MigrationOrder
    public var source: NodeName
    public var outcome: MigrationOutcome
    /// The node that may run the machine now. nil only when that could not be found out; the message says why.
    public var owner: NodeName?
    /// Whether the machine runs there now.
    public var isRunning: Bool
    public var startedAt: Date
    /// From the order to the end.
    public var totalMilliseconds: Double
    /// From the guest's stop on the source to its resumption.
    public var blackoutMilliseconds: Double?
    /// Longest silence of the guest on the network around the switchover: from its last frame on the source to its first on the
    /// destination. nil when it sent nothing to measure with.
    public var visibleGapMilliseconds: Double?
    public var transferredBytes: UInt64
    public var passes: Int
    /// Frames that reached the source after the guest stopped there and were handed to it on the destination.
    public var forwardedFrames: Int
    /// What happened and what the operator can do: sentences.
    public var message: String

    public init(
        id: UUID, order: MigrationOrder, source: NodeName, outcome: MigrationOutcome, owner: NodeName?, isRunning: Bool,
        startedAt: Date, totalMilliseconds: Double, blackoutMilliseconds: Double? = nil, visibleGapMilliseconds: Double? = nil,
        transferredBytes: UInt64 = 0, passes: Int = 0, forwardedFrames: Int = 0, message: String
    ) {
        self.id = id
        self.order = order
        self.source = source
        self.outcome = outcome
        self.owner = owner
        self.isRunning = isRunning
        self.startedAt = startedAt
        self.totalMilliseconds = totalMilliseconds
        self.blackoutMilliseconds = blackoutMilliseconds
        self.visibleGapMilliseconds = visibleGapMilliseconds
        self.transferredBytes = transferredBytes
        self.passes = passes
        self.forwardedFrames = forwardedFrames
        self.message = message
    }
}

public enum MigrationOutcome: String, Hashable, Sendable, Codable, CaseIterable {
    /// The machine was moved.
    case completed
    /// The machine stayed, or was started again, as the message says.
    case failed
    /// The operator stopped it; the machine stayed.
    case cancelled
    /// Post-copy lost one of its ends: the memory of the machine is gone, its disk is intact.
    case lost
}

/// What `apus vm migrate --plan` answers: a prediction from measured rates; nothing was moved.
public struct MigrationPlan: Hashable, Sendable, Codable {
    public var order: MigrationOrder
    public var source: NodeName
    /// What stands in the way; each a sentence. Empty when the migration may start.
    public var refusals: [String]
    /// Guest memory that holds something, as far as known; all of it must cross the link once.
    public var memoryBytes: UInt64
    /// Measured through QEMU's `calc-dirty-rate`.
    public var dirtyBytesPerSecond: UInt64
    /// Measured by sending data to the destination over the migration network, after the bandwidth cap.
    public var linkBytesPerSecond: UInt64
    public var predictedTotalMilliseconds: Double?
    public var predictedBlackoutMilliseconds: Double?
    public var predictedPasses: Int?
    public var willConverge: Bool
    /// The prediction in words, with the numbers.
    public var summary: String

    public init(
        order: MigrationOrder, source: NodeName, refusals: [String], memoryBytes: UInt64, dirtyBytesPerSecond: UInt64,
        linkBytesPerSecond: UInt64, predictedTotalMilliseconds: Double?, predictedBlackoutMilliseconds: Double?,
        predictedPasses: Int?, willConverge: Bool, summary: String
    ) {
        self.order = order
        self.source = source
        self.refusals = refusals
        self.memoryBytes = memoryBytes
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.linkBytesPerSecond = linkBytesPerSecond
        self.predictedTotalMilliseconds = predictedTotalMilliseconds
        self.predictedBlackoutMilliseconds = predictedBlackoutMilliseconds
        self.predictedPasses = predictedPasses
        self.willConverge = willConverge
        self.summary = summary
    }
}

/// A migration as the API shows it, under way or ended.
public struct MigrationStatus: Hashable, Sendable, Codable {
    public var id: UUID
    public var order: MigrationOrder
    public var source: NodeName
    public var progress: MigrationProgress
    /// Set once it ended.
    public var record: MigrationRecord?
    public init(id: UUID, order: MigrationOrder, source: NodeName, progress: MigrationProgress, record: MigrationRecord? = nil) {
        self.id = id
        self.order = order
        self.source = source
        self.progress = progress
        self.record = record
    }
}
