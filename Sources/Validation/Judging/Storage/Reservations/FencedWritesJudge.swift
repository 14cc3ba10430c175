import ClusterModel

/// A node that writes without a pause, and another that fences it.
public struct FencedWritesEvidence: Hashable, Sendable {
    public var writer: ReservationParty
    public var fencer: ReservationParty
    public var writing: ReservationAnswer
    public var landing: ReservationAnswer
    public init(writer: ReservationParty, fencer: ReservationParty, writing: ReservationAnswer, landing: ReservationAnswer) {
        self.writer = writer
        self.fencer = fencer
        self.writing = writing
        self.landing = landing
    }
}

/// `storage/fenced-writes`
public enum FencedWritesJudge {
    public static func judge(_ all: [FencedWritesEvidence], on disk: DiskID) -> TestOutcome {
        let findings = all.map { finding($0, disk) }
        let late = zip(all, findings).filter { $0.1.verdict == .failure }.map(\.0.writer.node)
        return TestOutcome(
            findings,
            headline: late.isEmpty ? nil : "writes of \(NodeList.text(late)) to disk \(disk) are not stopped by a fence as they must")
    }

    private static func finding(_ evidence: FencedWritesEvidence, _ disk: DiskID) -> ValidationFinding {
        let (writer, fencer) = (evidence.writer.node, evidence.fencer.node)
        let subject = FindingSubject.disk(disk, node: writer)
        let cure = "The array lets writes of a fenced node through: update its firmware, or do not use it for a cluster."
        guard evidence.landing.result == .done, let landing = evidence.landing.landing else {
            return ValidationFinding(.failure, subject, reason: "\(fencer) could not fence \(writer). \(evidence.landing.words)")
        }
        let figures =
            [Figure("Fence under load", evidence.landing.milliseconds, .milliseconds)]
            + (evidence.landing.barrier.map { [Figure("Fenced by", $0.rawValue)] } ?? [])
        if let last = landing.changes.max() {
            return ValidationFinding(
                .failure, subject,
                reason:
                    "\(landing.changes.count) writes of \(writer) landed after \(fencer) had fenced it, the last one \(Int(last.rounded())) ms later.",
                cure: cure, figures: figures)
        }
        guard evidence.writing.isRefusal else {
            return ValidationFinding(
                .failure, subject,
                reason: evidence.writing.result == .done
                    ? "\(writer) could go on writing after \(fencer) had fenced it."
                    : "\(writer) stopped writing, but it was no reservation that kept it from that. \(evidence.writing.words)",
                cure: cure, figures: figures)
        }
        let count = evidence.writing.writing?.acknowledged ?? 0
        guard landing.sawWrites, count > 0, landing.readings > 1 else {
            return ValidationFinding(
                .warning, subject, reason: "\(fencer) saw no write of \(writer) before it fenced it: what was under way then is not known.",
                cure: "Run this test again when the array is less busy.", figures: figures)
        }
        return ValidationFinding(
            .pass, subject,
            reason: "\(writer) had written \(count) blocks when \(fencer) fenced it; none landed afterwards, and \(writer) was refused.",
            figures: figures)
    }
}
