import ClusterModel

/// What an owner and those who tried to take its disk saw in the same seconds.
public struct DefenceEvidence: Hashable, Sendable {
    public var owner: ReservationParty
    public var holding: ReservationAnswer
    public var challengers: [ReservationAttempt]

    public init(owner: ReservationParty, holding: ReservationAnswer, challengers: [ReservationAttempt]) {
        self.owner = owner
        self.holding = holding
        self.challengers = challengers
    }
}

/// `storage/defence`
public enum DefenceJudge {
    /// Milliseconds, from the timings of the witness (Docs/decisions/witness-arbitration.md).
    public struct Limits: Hashable, Sendable {
        /// The owner's vote is no longer cast when no round was finished for so long.
        public var lease: Double
        /// A challenger takes the disk when it saw no heartbeat for so long.
        public var silence: Double
        public init(lease: Double, silence: Double) {
            self.lease = lease
            self.silence = silence
        }
    }

    public static func judge(_ evidence: DefenceEvidence, on disk: DiskID, _ limits: Limits) -> TestOutcome {
        let findings =
            [holding(evidence, disk, limits)]
            + evidence.challengers.map { watching($0, evidence.owner, pause: evidence.holding.longestPause, disk, limits) }
        let fails = findings.contains { $0.verdict == .failure }
        return TestOutcome(findings, headline: fails ? "disk \(disk) does not stay with its owner" : nil)
    }

    private static func holding(_ evidence: DefenceEvidence, _ disk: DiskID, _ limits: Limits) -> ValidationFinding {
        let node = evidence.owner.node
        let subject = FindingSubject.disk(disk, node: node)
        let answer = evidence.holding
        guard answer.result == .done, let rounds = Distribution(answer.rounds) else {
            return ValidationFinding(
                .failure, subject, reason: "\(node) did not keep the disk while others tried to take it. \(answer.words)")
        }
        let figures = [Figure("Round of the owner", rounds, .milliseconds)]
        let slow = rounds.maximum > limits.lease / 2
        return ValidationFinding(
            slow ? .warning : .pass, subject,
            reason:
                "\(node) kept the disk. \(rounds.count) times it wrote its heartbeat and read the reservation, in \(text(rounds.maximum)) at most"
                + (slow ? "; after \(text(limits.lease)) it would have lost the witness's vote." : "."),
            cure: slow ? "Look at the load of the array and of the path of \(node) to it." : nil, figures: figures)
    }

    private static func watching(
        _ challenger: ReservationAttempt, _ owner: ReservationParty, pause: Double?, _ disk: DiskID, _ limits: Limits
    ) -> ValidationFinding {
        let node = challenger.party.node
        let subject = FindingSubject.disk(disk, node: node)
        guard challenger.answer.result == .done, let seen = challenger.answer.watching else {
            return ValidationFinding(.failure, subject, reason: "\(node) could not watch \(owner.node). \(challenger.answer.words)")
        }
        let figures = [
            Figure("Longest silence seen", seen.longestSilence, .milliseconds), Figure("Refused", Double(seen.refusals), .count),
        ]
        if seen.wins > 0 || !seen.strangers.isEmpty {
            let strangers = seen.strangers.map(\.description).joined(separator: ", ")
            return ValidationFinding(
                .failure, subject,
                reason: seen.wins > 0
                    ? "\(node) could reserve the disk \(seen.wins) times while \(owner.node) held it."
                    : "\(node) read another holder than \(owner.node): \(strangers).",
                cure: "The array loses reservations, or grants one to two nodes: do not use it for a cluster.", figures: figures)
        }
        // An owner that wrote late, because it or the array was busy, was silent: nobody read old data.
        let wasLate = pause.map { $0 * 1.25 > seen.longestSilence } ?? false
        guard seen.moves > 0, seen.longestSilence <= limits.silence || wasLate else {
            return ValidationFinding(
                .failure, subject,
                reason: "\(node) saw no heartbeat of \(owner.node) on the disk for \(text(seen.longestSilence)), although it was written: "
                    + "it would have taken the disk.",
                cure: "\(node) reads old data: switch off caches between it and the array that the nodes do not share.", figures: figures)
        }
        guard seen.longestSilence <= limits.lease else {
            return ValidationFinding(
                .warning, subject,
                reason:
                    "\(node) was refused \(seen.refusals) times, but once saw no heartbeat of \(owner.node) for \(text(seen.longestSilence)). "
                    + "After \(text(limits.silence)) it would have taken the disk.",
                cure: "Look at the load of the array and of the storage network.", figures: figures)
        }
        return ValidationFinding(
            .pass, subject,
            reason:
                "\(node) tried to reserve the disk \(seen.refusals) times, was refused each time, and saw \(owner.node) alive all the time.",
            figures: figures)
    }

    private static func text(_ milliseconds: Double) -> String { "\(Int(milliseconds.rounded())) ms" }
}
