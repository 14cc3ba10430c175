/// What QEMU says about a transfer at one moment (`query-migrate`).
public struct TransferStatistics: Hashable, Sendable {
    /// Guest memory in bytes.
    public var totalBytes: UInt64
    public var transferredBytes: UInt64
    public var remainingBytes: UInt64
    /// Passes begun (`dirty-sync-count`).
    public var pass: Int
    /// Measured at the end of the last pass (`dirty-pages-rate` times page size); 0 during the first.
    public var dirtyBytesPerSecond: UInt64
    /// vCPU slow-down in per cent.
    public var throttlePercent: Int

    public init(
        totalBytes: UInt64, transferredBytes: UInt64, remainingBytes: UInt64, pass: Int, dirtyBytesPerSecond: UInt64,
        throttlePercent: Int
    ) {
        self.totalBytes = totalBytes
        self.transferredBytes = transferredBytes
        self.remainingBytes = remainingBytes
        self.pass = pass
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.throttlePercent = throttlePercent
    }
}

/// Link throughput from successive looks at a transfer.
///
/// A look is often a few milliseconds after the last one; a window of a quarter of a second smooths what buffers and
/// scheduling make of that.
public struct ThroughputMeter: Hashable, Sendable {
    static let window = Duration.milliseconds(250)
    private var samples: [Sample] = []

    private struct Sample: Hashable, Sendable {
        var time: Duration
        var bytes: UInt64
    }

    public init() {}

    public mutating func note(bytes: UInt64, at time: Duration) {
        samples.append(Sample(time: time, bytes: bytes))
        // Keep one sample older than the window, so that the difference spans at least the window.
        while samples.count > 2, samples[1].time <= time - Self.window { samples.removeFirst() }
    }

    /// 0 until two looks were taken.
    public var bytesPerSecond: UInt64 {
        guard let first = samples.first, let last = samples.last, last.time > first.time, last.bytes >= first.bytes else { return 0 }
        return UInt64(Double(last.bytes - first.bytes) / (last.time - first.time).seconds)
    }
}

extension Duration {
    /// The duration in seconds, fractions included.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
    /// The duration in milliseconds, fractions included.
    public var milliseconds: Double { seconds * 1_000 }
}
