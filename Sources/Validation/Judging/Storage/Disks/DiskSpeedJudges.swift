import ClusterModel

/// How fast the nodes reach a disk.
public enum DiskSpeedJudges {
    /// In milliseconds. A disk that answers slower makes every machine on it slow.
    private static let slowMedian = 15.0
    /// A disk's holder proves every second that it is there: an answer that takes as long as that makes it look dead.
    private static let tooSlow = 1_000.0
    /// A node whose median is so many times the best node's has a worse way to the disk, unless all are fast anyway.
    private static let (timesSlower, fastAnyway) = (3.0, 3.0)

    /// `storage/latency`.
    ///
    /// - Parameter answers: In the order of the nodes.
    public static func latency(_ disk: DiskID, _ answers: [(node: NodeName, evidence: DiskLatencyQuestion.Evidence)]) -> TestOutcome {
        let spread = answers.map { answer in
            (node: answer.node, reads: Distribution(answer.evidence.reads), writes: Distribution(answer.evidence.writes))
        }
        func slower(_ all: [Distribution?]) -> Double? { all.compactMap { $0?.median }.max() }
        let best = spread.compactMap { slower([$0.reads, $0.writes]) }.min() ?? 0
        var slow: [NodeName] = []
        let findings = spread.map { node, reads, writes -> ValidationFinding in
            let subject = FindingSubject.disk(disk, node: node)
            guard let reads, let writes else {
                slow.append(node)
                return ValidationFinding(.failure, subject, reason: "\(node) finished no read or no write of \(disk) in time.")
            }
            let figures = [
                Figure("Read latency", reads, .milliseconds), Figure("Write latency", writes, .milliseconds),
                Figure("Median write", writes.median, .milliseconds),
            ]
            let text =
                "Of \(reads.count) reads and \(writes.count) forced writes of 4 KiB by \(node) half took less than "
                + "\(MillisecondText.text(reads.median)) and \(MillisecondText.text(writes.median)), the slowest "
                + "\(MillisecondText.text(max(reads.maximum, writes.maximum)))."
            let median = max(reads.median, writes.median)
            if max(reads.maximum, writes.maximum) >= tooSlow {
                // One answer that is late may be the doing of a moment, or of a busy node; every tenth is the disk's.
                let isAlwaysSlow = max(reads.p90, writes.p90) >= tooSlow
                if isAlwaysSlow { slow.append(node) }
                return ValidationFinding(
                    isAlwaysSlow ? .failure : .warning, subject,
                    reason: text + " A node that waits a second for a disk is taken for dead"
                        + (isAlwaysSlow ? ", and here one in ten answers takes as long." : "."),
                    cure: "Look at the array's own latency and at errors of the storage network, and whether \(node) itself is busy; move "
                        + "load away from this LUN.", figures: figures)
            }
            if median > fastAnyway, median > best * timesSlower {
                return ValidationFinding(
                    .warning, subject, reason: text + " Another node is more than \(Int(timesSlower)) times as fast.",
                    cure: "Compare path, link speed and errors of \(node)'s storage network with those of the faster "
                        + "node.", figures: figures)
            }
            if median > slowMedian {
                return ValidationFinding(
                    .warning, subject, reason: text + " Machines on this disk will be slow.",
                    cure: "All nodes are slow, so it is the array: look at its load and cache, or use a faster LUN.", figures: figures)
            }
            return ValidationFinding(.pass, subject, reason: text, figures: figures)
        }
        return TestOutcome(findings, headline: slow.isEmpty ? nil : "\(disk) is too slow for \(NodeList.text(slow))")
    }

    /// In bytes a second: what a single spinning disk gives with ease.
    private static let littleThroughput = 20.0 * 1_048_576

    /// `storage/throughput`.
    public static func throughput(_ disk: DiskID, _ answers: [(node: NodeName, evidence: DiskThroughputQuestion.Evidence)]) -> TestOutcome {
        let speeds = answers.map { answer in
            (
                node: answer.node,
                speed: answer.evidence.milliseconds > 0 ? Double(answer.evidence.byteCount) / answer.evidence.milliseconds * 1_000 : 0
            )
        }
        let best = speeds.map(\.speed).max() ?? 0
        let findings = speeds.map { node, speed -> ValidationFinding in
            let subject = FindingSubject.disk(disk, node: node)
            let figures = [Figure("Read throughput", speed, .bytesPerSecond)]
            let text = "\(node) reads \(ByteText.text(UInt64(speed))) a second."
            guard speed > 0 else {
                return ValidationFinding(.failure, subject, reason: "\(node) read nothing of \(disk) in time.", figures: figures)
            }
            if speed < littleThroughput {
                return ValidationFinding(
                    .warning, subject, reason: text + " That is less than one disk gives.",
                    cure: "Look at link speed and errors of the storage network of \(node), and at the load of the "
                        + "array.", figures: figures)
            }
            if speed < best / 3 {
                return ValidationFinding(
                    .warning, subject, reason: text + " Another node reads more than three times as much.",
                    cure: "Compare link speed, paths and queue depth of \(node) with those of the faster node.", figures: figures)
            }
            return ValidationFinding(.pass, subject, reason: text, figures: figures)
        }
        let mute = findings.filter { $0.verdict == .failure }.compactMap(\.subject.node)
        return TestOutcome(findings, headline: mute.isEmpty ? nil : "\(NodeList.text(mute)) cannot read \(disk)")
    }
}

/// Milliseconds in a sentence.
enum MillisecondText {
    /// `0.24 ms`, `3.1 ms`, `120 ms`, `1.2 s`.
    static func text(_ milliseconds: Double) -> String {
        func rounded(_ value: Double, _ digits: Double) -> String {
            let number = (value * digits).rounded() / digits
            return number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
        }
        guard milliseconds.isFinite else { return "an unknown time" }
        if milliseconds >= 1_000 { return rounded(milliseconds / 1_000, 10) + " s" }
        return rounded(milliseconds, milliseconds >= 10 ? 1 : milliseconds >= 1 ? 10 : 100) + " ms"
    }
}
