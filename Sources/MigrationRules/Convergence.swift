import ClusterModel

/// The ladder a live migration climbs when copying does not catch up with the guest: a longer pause within the operator's limit,
/// slower vCPUs, post-copy if allowed, and at the end giving up with the numbers.
public struct ConvergenceLadder: Hashable, Sendable {
    /// The pause QEMU may cause now. It begins low, so that a quiet guest gets a short pause, and rises when passes do not help.
    public private(set) var allowedBlackout: Duration
    private let limit: Duration
    private let autoConverge: Bool
    private let postCopy: Bool
    /// Passes seen since the last rung was climbed.
    private var lastPass = 0
    private var passesAtTop = 0
    private var postCopyStarted = false

    public enum Step: Hashable, Sendable {
        case allowBlackout(Duration)
        /// Slow the vCPUs as soon as they change more than half of what the link carries.
        case throttleEarlier
        case startPostCopy
        case giveUp
    }

    /// A first allowance that most guests meet and nobody notices.
    static let firstAllowance = Duration.milliseconds(60)
    /// Passes without convergence, at the operator's limit, before the next rung.
    static let patience = 2
    /// Passes after which a migration that is still throttled ends. A guest that is slowed down ever further is worse off than one that stays.
    static let lastPatience = 25

    public init(order: MigrationOrder) {
        limit = .milliseconds(order.maxBlackoutMilliseconds)
        allowedBlackout = min(Self.firstAllowance, limit)
        autoConverge = order.autoConverge
        postCopy = order.postCopy
    }

    /// Decides at the end of each pass.
    ///
    /// - Parameter bytesPerSecond: What the link carried lately.
    public mutating func step(_ statistics: TransferStatistics, bytesPerSecond: UInt64) -> Step? {
        guard statistics.pass > lastPass, !postCopyStarted else { return nil }
        let isFirstLook = lastPass == 0
        lastPass = statistics.pass
        // The first pass says nothing about convergence: all memory is sent once whatever the guest does.
        guard !isFirstLook, statistics.pass > 1 else { return nil }
        if allowedBlackout < limit {
            // When the whole of the limit does not suffice, a little more than before will not.
            let isFar = Double(statistics.remainingBytes) > Double(bytesPerSecond) * limit.seconds
            allowedBlackout = isFar ? limit : min(allowedBlackout * 2, limit)
            return .allowBlackout(allowedBlackout)
        }
        passesAtTop += 1
        let losing = statistics.dirtyBytesPerSecond >= bytesPerSecond / 2
        if passesAtTop == Self.patience, autoConverge, losing { return .throttleEarlier }
        let throttleHelpsNoMore = !autoConverge || statistics.throttlePercent >= 90
        if passesAtTop >= Self.patience, postCopy, losing, throttleHelpsNoMore || passesAtTop >= 2 * Self.patience {
            postCopyStarted = true
            return .startPostCopy
        }
        if passesAtTop >= Self.lastPatience || (passesAtTop >= 2 * Self.patience && losing && !autoConverge) { return .giveUp }
        return nil
    }
}
