import ClusterModel

/// What can be said beforehand about a migration, from rates that were measured.
public struct MigrationPrediction: Hashable, Sendable {
    public var willConverge: Bool
    public var passes: Int
    public var total: Duration
    /// With ``willConverge`` false: the pause it would take to switch over after the last pass that was predicted.
    public var blackout: Duration
    public var explanation: String
}

/// Time that a switchover takes beside the remaining memory: the state of the devices, the ownership record, two messages.
///
/// Measured with QEMU 7.2 under TCG on two busy cores; a fast host needs less.
public let switchoverOverhead = Duration.milliseconds(40)

/// Plays the passes of a migration forward.
///
/// - Parameters:
///   - memoryBytes: Memory that holds something and must cross the link once.
///   - dirtyBytesPerSecond: How fast the guest changes memory. It is taken as constant and never dirties more than `memoryBytes`.
///   - linkBytesPerSecond: Throughput of the link after the bandwidth cap.
///   - order: Kind and allowed blackout.
public func predictMigration(
    memoryBytes: UInt64, dirtyBytesPerSecond: UInt64, linkBytesPerSecond: UInt64, order: MigrationOrder
) -> MigrationPrediction {
    let link = max(Double(linkBytesPerSecond), 1)
    let firstPass = time(toSend: Double(memoryBytes), at: link)
    let speed = "the link carries \(mebibytes(linkBytesPerSecond)) MiB/s"
    if order.kind == .quick {
        let blackout = firstPass + switchoverOverhead
        return MigrationPrediction(
            willConverge: true, passes: 1, total: blackout, blackout: blackout,
            explanation: "Quick migration sends \(mebibytes(memoryBytes)) MiB while \(order.vm) is paused; \(speed).")
    }

    let allowed = Duration.milliseconds(order.maxBlackoutMilliseconds)
    let dirty = Double(dirtyBytesPerSecond)
    var toSend = Double(memoryBytes)
    var elapsed = Duration.zero
    var passes = 0
    while passes < 50 {
        let passTime = time(toSend: toSend, at: link)
        passes += 1
        elapsed += passTime
        let left = min(dirty * passTime.seconds, Double(memoryBytes))
        let blackout = time(toSend: left, at: link) + switchoverOverhead
        if blackout <= allowed {
            return MigrationPrediction(
                willConverge: true, passes: passes, total: elapsed + blackout, blackout: blackout,
                explanation: "\(order.vm) changes \(mebibytes(dirtyBytesPerSecond)) MiB/s, \(speed): "
                    + "it converges after \(passes) \(passes == 1 ? "pass" : "passes").")
        }
        // A pass that leaves as much as it sent repeats itself for ever.
        if left >= toSend * 0.95 {
            toSend = left
            break
        }
        toSend = left
    }
    let blackout = time(toSend: toSend, at: link) + switchoverOverhead
    return MigrationPrediction(
        willConverge: false, passes: passes, total: elapsed + blackout, blackout: blackout,
        explanation:
            "\(order.vm) will not converge: it changes \(mebibytes(dirtyBytesPerSecond)) MiB/s and \(speed), so a switchover would "
            + "pause it for \(Int(blackout.milliseconds)) ms, more than the allowed \(order.maxBlackoutMilliseconds) ms. "
            + advice(for: order))
}

/// Capped at three years: a link that carries next to nothing must not overflow a number.
private func time(toSend bytes: Double, at bytesPerSecond: Double) -> Duration {
    .seconds(min(bytes / bytesPerSecond, 1e8))
}

private func advice(for order: MigrationOrder) -> String {
    var ways: [String] = []
    if order.bandwidthBitsPerSecond != nil { ways.append("raise the bandwidth cap") }
    ways.append("allow a longer pause with --max-blackout")
    if order.autoConverge { ways.append("let auto-converge slow the guest down, which the migration tries by itself") }
    if !order.postCopy { ways.append("allow --post-copy") }
    ways.append("use --quick")
    return "You can " + ways.joined(separator: ", or ") + "."
}

func mebibytes(_ bytes: UInt64) -> UInt64 { bytes >> 20 }
