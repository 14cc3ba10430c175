import ClusterModel

/// Whether a disk does what it says it did.
public enum DiskTruthJudges {
    // MARK: coherence

    /// One write by one node, and what the others read when it had been answered.
    public struct CoherenceRound: Hashable, Sendable {
        public var writer: NodeName
        public var reader: NodeName
        public var wrote: UInt64
        public var read: ScratchPattern.Reading
        public init(writer: NodeName, reader: NodeName, wrote: UInt64, read: ScratchPattern.Reading) {
            self.writer = writer
            self.reader = reader
            self.wrote = wrote
            self.read = read
        }
    }

    public static func coherence(_ disk: DiskID, _ nodes: [NodeName], _ rounds: [CoherenceRound]) -> TestOutcome {
        var stale: [NodeName] = []
        let findings = nodes.compactMap { reader -> ValidationFinding? in
            let own = rounds.filter { $0.reader == reader }
            guard !own.isEmpty else { return nil }
            let subject = FindingSubject.disk(disk, node: reader)
            guard let wrong = own.first(where: { $0.read != .whole($0.wrote) }) else {
                return ValidationFinding(
                    .pass, subject, reason: "\(reader) read \(own.count) writes of other nodes as soon as they were answered.")
            }
            stale.append(reader)
            let count = own.count { $0.read != .whole($0.wrote) }
            let what =
                switch wrong.read {
                case .whole(let old): "write \(old) in place of \(wrong.wrote)"
                case .mixed: "parts of two writes"
                case .other: "nothing of it"
                }
            return ValidationFinding(
                .failure, subject,
                reason: "\(count) of \(own.count) times \(reader) did not read what another node had just written: after a write of "
                    + "\(wrong.writer) it read \(what).",
                cure: "Something between \(reader) and the array, or two controllers of the array, keep copies of "
                    + "their own: switch that cache "
                    + "off. If the nodes do not see the same disk at all, storage/identity tells.")
        }
        guard !findings.isEmpty else { return TestOutcome() }
        return TestOutcome(findings, headline: stale.isEmpty ? nil : "\(NodeList.text(stale)) read old data from \(disk)")
    }

    // MARK: atomicity

    public static func atomicity(
        _ disk: DiskID, writer: NodeName, writes: Int, _ answers: [(node: NodeName, evidence: DiskWatchQuestion.Evidence)]
    ) -> TestOutcome {
        var clauses: [String] = []
        let findings = answers.map { reader, evidence -> ValidationFinding in
            let subject = FindingSubject.disk(disk, node: reader)
            let figures = [
                Figure("Writes", Double(writes), .count), Figure("Reads", Double(evidence.reads), .count),
                Figure("Writes seen", Double(evidence.seen), .count),
            ]
            let text = "\(writer) wrote one block \(writes) times while \(reader) read it \(evidence.reads) times"
            if evidence.mixedTwice > 0 {
                clauses.append("\(disk) mixes two writes of one block")
                return ValidationFinding(
                    .failure, subject,
                    reason: "\(text): \(evidence.mixedTwice) times it held parts of two writes, "
                        + "and still did when read again.",
                    figures: figures)
            }
            if evidence.backwards > 0 {
                clauses.append("\(reader) reads old data from \(disk)")
                return ValidationFinding(
                    .failure, subject, reason: "\(text): \(evidence.backwards) times an older write came back after a newer one.",
                    cure: StorageCatalogue.coherence.cure, figures: figures)
            }
            if writes == 0 || evidence.seen < 2 {
                return ValidationFinding(
                    .warning, subject, reason: "\(text), which is too few to tell anything.",
                    cure: "Run this test again when the disk has less to do; see storage/latency.", figures: figures)
            }
            if evidence.mixedOnce > 0 {
                let often = evidence.mixedOnce == 1 ? "once" : "\(evidence.mixedOnce) times"
                return ValidationFinding(
                    .warning, subject,
                    reason: "\(text): \(often) it saw a write half done, whole when read again. Apus reads again when a checksum does "
                        + "not fit, so nothing is lost by it.",
                    cure: "Ask the array's maker whether reads and writes of one block exclude each other.", figures: figures)
            }
            return ValidationFinding(
                .pass, subject,
                reason: "\(text) and saw \(evidence.seen) of the writes, each "
                    + "whole.", figures: figures)
        }
        return TestOutcome(findings, headline: clauses.first)
    }

    // MARK: flush

    /// What a quarter of the samples does not exceed.
    private static func quick(_ samples: [Double]) -> Double {
        let sorted = samples.sorted()
        return sorted.isEmpty ? .infinity : sorted[sorted.count / 4]
    }

    /// - Parameter node: Who asked the disk.
    public static func flush(_ disk: DiskID, node: NodeName, _ evidence: DiskFlushQuestion.Evidence) -> TestOutcome {
        let subject = FindingSubject.disk(disk, node: node)
        let roundTrip = Distribution(evidence.roundTrips)
        let flush = Distribution(evidence.flushes)
        var figures: [Figure] = []
        if let flush { figures.append(Figure("Flush", flush, .milliseconds)) }
        if let forced = Distribution(evidence.forcedWrites) { figures.append(Figure("Forced write", forced, .milliseconds)) }
        if let plain = Distribution(evidence.plainWrites) { figures.append(Figure("Write", plain, .milliseconds)) }
        if let roundTrip { figures.append(Figure("Round trip", roundTrip.median, .milliseconds)) }
        let cache =
            switch evidence.hasWriteCache {
            case true?: "says that it keeps writes in a cache"
            case false?: "says that it keeps no writes in a cache"
            case nil: "does not say whether it keeps writes in a cache"
            }
        figures.append(Figure("Write cache", evidence.hasWriteCache.map { $0 ? "on" : "off" } ?? "unknown"))

        if let problem = evidence.flushProblem {
            guard evidence.hasWriteCache != false else {
                return TestOutcome([
                    ValidationFinding(
                        .pass, subject,
                        reason: "\(disk) \(cache), and knows no flush, which it then does not need. "
                            + "\(problem)", figures: figures)
                ])
            }
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, subject, reason: "\(disk) \(cache), and refuses to flush it. \(problem)",
                        cure: "Switch the write cache of this LUN off on the array; what stands in it is lost with "
                            + "the power.", figures: figures)
                ], headline: "\(disk) cannot be flushed")
        }
        guard let flush, let roundTrip else {
            return TestOutcome(
                [ValidationFinding(.failure, subject, reason: "\(disk) answered no flush in time.", figures: figures)],
                headline: "\(disk) cannot be flushed")
        }
        let written = ByteText.text(evidence.dirtyByteCount)
        let took =
            "a flush after \(written) were written took \(MillisecondText.text(flush.median)), a command that does nothing "
            + "\(MillisecondText.text(roundTrip.median))"
        // No medium takes in megabytes in the time of a command that does nothing: what was flushed was not in a volatile cache, or was not
        // flushed at all.
        // The quicker ones of each are compared: a busy machine makes some of them slow, and none quick.
        let isInstant = Self.quick(evidence.flushes) < max(0.5, 2 * Self.quick(evidence.roundTrips))
        if isInstant, evidence.hasWriteCache != false, evidence.hasProtectedCache != true {
            return TestOutcome([
                ValidationFinding(
                    .warning, subject,
                    reason: "\(disk) \(cache), but flushing it takes no time: \(took). Either the cache survives a "
                        + "loss of power and the disk "
                        + "does not say so, or flushes are ignored and a loss of power loses what was acknowledged.",
                    cure: "Find out whether the array's cache has a battery. If it has none, switch the write cache "
                        + "off, or make flushes count "
                        + "(on a Linux target: no tmpfs, no `sync=disabled`, no `cache=unsafe` behind the LUN).", figures: figures)
            ])
        }
        let forced =
            evidence.forcedProblem.map { " It takes no forced writes, so each is followed by a flush. \($0)" } ?? ""
        let protected = evidence.hasProtectedCache == true ? " and that its cache survives a loss of power" : ""
        return TestOutcome([
            ValidationFinding(.pass, subject, reason: "\(disk) \(cache)\(protected); \(took).\(forced)", figures: figures)
        ])
    }
}
