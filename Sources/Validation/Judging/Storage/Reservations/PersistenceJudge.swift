import ClusterModel

/// What a disk made of a holder whose session broke and that logged in again.
public struct PersistenceEvidence: Hashable, Sendable {
    public var holder: ReservationParty
    public var witness: ReservationParty
    public var capabilities: ReservationAnswer
    /// What the other node read and could do while the holder had no session.
    public var lookAfterDrop: ReservationAnswer
    public var strangerWrite: ReservationAnswer
    /// The holder after its new login: a write before it did anything else, then after it took over what its last session left.
    public var writeAfterLogin: ReservationAnswer
    public var adoption: ReservationAnswer
    public var lookAfterAdoption: ReservationAnswer
    public var writeAfterAdoption: ReservationAnswer

    public init(
        holder: ReservationParty, witness: ReservationParty, capabilities: ReservationAnswer, lookAfterDrop: ReservationAnswer,
        strangerWrite: ReservationAnswer, writeAfterLogin: ReservationAnswer, adoption: ReservationAnswer,
        lookAfterAdoption: ReservationAnswer, writeAfterAdoption: ReservationAnswer
    ) {
        self.holder = holder
        self.witness = witness
        self.capabilities = capabilities
        self.lookAfterDrop = lookAfterDrop
        self.strangerWrite = strangerWrite
        self.writeAfterLogin = writeAfterLogin
        self.adoption = adoption
        self.lookAfterAdoption = lookAfterAdoption
        self.writeAfterAdoption = writeAfterAdoption
    }
}

/// `storage/persistence`. Restarting the target is nothing that a test may do; what the array says it would keep then is told.
public enum PersistenceJudge {
    /// - Parameter tellsPower: Whether what the array says of its own restart is told too; once is enough.
    public static func judge(_ evidence: PersistenceEvidence, on disk: DiskID, tellsPower: Bool = true) -> TestOutcome {
        var findings = [session(evidence, disk)]
        if findings[0].verdict != .failure { findings.append(login(evidence, disk)) }
        if tellsPower { findings.append(power(evidence, disk)) }
        let fails = findings.contains { $0.verdict == .failure }
        return TestOutcome(findings, headline: fails ? "disk \(disk) loses reservations with a session" : nil)
    }

    /// A node that only lost its session must stay protected: it is not dead, and others must not write.
    private static func session(_ evidence: PersistenceEvidence, _ disk: DiskID) -> ValidationFinding {
        let (holder, other) = (evidence.holder, evidence.witness)
        let subject = FindingSubject.disk(disk, node: other.node)
        let look = evidence.lookAfterDrop
        let cure =
            "The array drops registrations with the session: look for an option that keeps them, or update its firmware. "
            + "Do not use the disk for a cluster before this test passes."
        guard look.result == .done else {
            return ValidationFinding(.failure, subject, reason: "\(other.node) could not read keys and reservation. \(look.words)")
        }
        guard look.keys.contains(holder.key), look.holder == holder.key else {
            return ValidationFinding(
                .failure, subject,
                reason:
                    "When the session of \(holder.node) broke, the disk forgot its \(look.keys.contains(holder.key) ? "reservation" : "key"): "
                    + "nothing keeps other nodes from writing while \(holder.node) is about to come back.",
                cure: cure)
        }
        guard evidence.strangerWrite.isRefusal else {
            return ValidationFinding(
                .failure, subject,
                reason: evidence.strangerWrite.result == .done
                    ? "When the session of \(holder.node) broke, \(other.node) could write although it was not registered and the disk was reserved."
                    : "\(other.node) could not write, but it was no reservation that kept it from that. \(evidence.strangerWrite.words)",
                cure: cure)
        }
        return ValidationFinding(
            .pass, subject,
            reason: "Key and reservation of \(holder.node) stayed when its session broke, and kept \(other.node) from writing.")
    }

    private static func login(_ evidence: PersistenceEvidence, _ disk: DiskID) -> ValidationFinding {
        let node = evidence.holder.node
        let subject = FindingSubject.disk(disk, node: node)
        guard evidence.adoption.result == .done else {
            return ValidationFinding(
                .failure, subject,
                reason: "After a new login \(node) could not take over what its last session left. \(evidence.adoption.words)")
        }
        guard evidence.lookAfterAdoption.keys == [evidence.holder.key], evidence.lookAfterAdoption.holder == evidence.holder.key,
            evidence.writeAfterAdoption.result == .done
        else {
            return ValidationFinding(
                .failure, subject,
                reason: "After a new login \(node) took over what its last session left, but it does not hold the disk as before. "
                    + evidence.writeAfterAdoption.words)
        }
        let survives = evidence.writeAfterLogin.result == .done
        return ValidationFinding(
            .pass, subject,
            reason: survives
                ? "After a new login \(node) was still registered."
                : "The disk binds a registration to the session: after a new login \(node) had to register again, and took over what it had held.",
            figures: [
                Figure("Registration after a new login", survives ? "kept" : "bound to the session"),
                Figure("Takeover of the last session", evidence.adoption.milliseconds, .milliseconds),
            ])
    }

    private static func power(_ evidence: PersistenceEvidence, _ disk: DiskID) -> ValidationFinding {
        let answer = evidence.capabilities
        let name = "Can keep registrations over a restart of the array"
        guard answer.result == .done, let canPersist = answer.canPersist else {
            return ValidationFinding(
                .warning, .disk(disk),
                reason: "The disk does not tell what becomes of registrations when the array restarts. \(answer.words)",
                cure: "Look it up in the array's manual. After a restart of the array, make sure that no node is left that had been fenced."
            )
        }
        guard !canPersist else {
            return ValidationFinding(
                .pass, .disk(disk), reason: "The array can keep registrations over a restart of its own. Apus does not rely on it.",
                figures: [Figure(name, "yes")])
        }
        return ValidationFinding(
            .warning, .disk(disk),
            reason:
                "The array forgets all registrations when it restarts. Apus registers its nodes again, but until then a node that had been "
                + "fenced could write.",
            cure:
                "Use an array with persistence through power loss (APTPL); or, after a restart of the array, make sure that no node is left "
                + "that had been fenced.",
            figures: [Figure(name, "no")])
    }
}

extension ReservationAnswer {
    var isRefusal: Bool { result == .conflict || result == .preempted }
}
