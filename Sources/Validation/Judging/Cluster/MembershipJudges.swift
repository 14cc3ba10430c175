import ClusterModel

/// Whether the cluster holds together: quorum, members, configuration, certificates, what is pending.
public enum MembershipJudges {
    static let nobodyKnows = TestOutcome(
        [
            ValidationFinding(
                .failure, reason: "No node could say how the cluster is.",
                cure: "Look at apus cluster status on each node, and at journalctl -u apusd.")
        ], headline: "no node knows how the cluster is")

    // MARK: Quorum

    public static func quorum(_ evidence: ClusterEvidence) -> TestOutcome {
        guard let best = evidence.best else { return nobodyKnows }
        let quorum = best.quorum
        var findings: [ValidationFinding] = []
        guard best.isOpen else {
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, reason: "No partition of the cluster has quorum: \(best.standing)",
                        cure: "Bring back the nodes or the witness that are missing. If they are gone for good: "
                            + "apus cluster start --force-quorum.")
                ], headline: "the cluster has no quorum")
        }
        for (node, member) in evidence.answers where !member.isOpen {
            findings.append(
                ValidationFinding(
                    .failure, .node(node), reason: "\(node) is in a partition without quorum, and runs nothing: \(member.standing)",
                    cure: "Look at the cluster network of \(node): apus cluster status on it, and network/udp."))
        }
        if quorum.model != quorum.recommended {
            let count = "\(best.nodes.count) \(best.nodes.count == 1 ? "node" : "nodes")"
            findings.append(
                ValidationFinding(
                    .warning, reason: "The quorum model is \(quorum.model); \(count) ask for \(quorum.recommended).",
                    cure: "apus cluster quorum set --model auto lets the model follow the number of nodes."))
        }
        findings += quorum.warnings.map { warning in
            // Each names its own cure after what is wrong; this one is for those that have none.
            ValidationFinding(
                .warning, FindingSubject(item: "settings"), reason: warning,
                cure: "See apus cluster quorum, which explains each vote and what may fail next.")
        }
        if quorum.mayFailAtOnce == 0, best.nodes.count > 1 {
            findings.append(
                ValidationFinding(
                    .warning, FindingSubject(item: "next loss"), reason: quorum.tolerance,
                    cure: "Bring back what is missing; apus cluster quorum shows every vote."))
        }
        findings.append(
            ValidationFinding(
                .pass, FindingSubject(item: "votes"),
                reason: "\(quorum.model): \(quorum.votesPresent) of \(quorum.votesTotal) votes are here, \(quorum.votesNeeded) needed. "
                    + quorum.tolerance,
                figures: [
                    Figure("Votes", "\(quorum.votesPresent) of \(quorum.votesTotal)"), Figure("Needed", "\(quorum.votesNeeded)"),
                ]))
        return .judged(findings, failing: { "\($0) \($0.contains(" and ") ? "have" : "has") no quorum" })
    }

    // MARK: Witness

    public static func witness(
        _ node: NodeName, _ member: MemberEvidence?, _ reading: WitnessReadQuestion.Evidence
    ) -> TestOutcome {
        let line = member?.witness
        let name = line.map { "\($0.witness)" } ?? "the witness"
        if let problem = reading.problem {
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, .node(node), reason: "\(node) does not reach \(name). \(problem)",
                        cure: "Give \(node) access to it (masking on the array, zoning, mounts), or choose another witness with "
                            + "apus cluster quorum set --witness.")
                ], headline: "\(node) does not reach the witness")
        }
        let figures = [Figure("Read", reading.milliseconds, .milliseconds)]
        func warning(_ reason: String, _ cure: String) -> TestOutcome {
            TestOutcome([ValidationFinding(.warning, .node(node), reason: reason, cure: cure, figures: figures)])
        }
        if !reading.defects.isEmpty {
            return warning(
                "A copy of the configuration on \(name) is damaged: \(reading.defects.joined(separator: " "))",
                "The holder writes it anew by itself within a second. If this stays, look at the disk's own log, or choose another witness."
            )
        }
        switch line?.condition {
        case .lost:
            return warning(
                "The configuration says that \(name) is lost, and \(node) can read it.",
                "It gets its vote back within seconds; if not, look at the events: apus events.")
        case .maintenance:
            return warning(
                "\(name.capitalizedFirst) is in maintenance and has no vote.", "apus cluster quorum set --witness-maintenance off")
        case .present, nil: break
        }
        let holder = line?.holder.map { " \($0) holds it." } ?? ""
        return TestOutcome([
            ValidationFinding(
                .pass, .node(node),
                reason: "Reads \(name), which holds the configuration up to change \(reading.lastIndex).\(holder)", figures: figures)
        ])
    }

    // MARK: Nodes

    public static func nodes(_ evidence: ClusterEvidence) -> TestOutcome {
        guard let best = evidence.best else { return nobodyKnows }
        let findings = best.nodes.map { line -> ValidationFinding in
            let name = line.name
            let subject = FindingSubject.node(name)
            if line.presence == .up, evidence.nodes.contains(name), evidence.members[name] == nil {
                return ValidationFinding(
                    .failure, subject,
                    reason: "\(name) counts as up and does not say how it is\(line.isPresent ? "" : "; the others do not see it").",
                    cure: "Make sure that \(name) is on and its service runs: systemctl status apusd.")
            }
            switch line.presence {
            case .lost:
                return ValidationFinding(
                    .failure, subject,
                    reason: "\(name) vanished and was not fenced yet: what it ran is started nowhere until it is proven off.",
                    cure: "Make sure that \(name) is off, then start it again, or evict it: apus node evict \(name) --force")
            case .fenced:
                return ValidationFinding(
                    .failure, subject, reason: "\(name) is down: it vanished, and is fenced from the disks.",
                    cure: "Start \(name), or evict it if it does not come back: apus node evict \(name) --force")
            case .stopped:
                return ValidationFinding(
                    .warning, subject, reason: "\(name) is down: an administrator stopped it.", cure: "apus node start \(name)")
            case .up: break
            }
            guard line.isPresent else {
                return ValidationFinding(
                    .failure, subject, reason: "\(name) counts as up, but is not in the ring of the others.",
                    cure: "Look at apus cluster status on \(name), and at network/udp.")
            }
            switch line.service {
            case .active: return ValidationFinding(.pass, subject, reason: "Up, \(line.votes) \(line.votes == 1 ? "vote" : "votes").")
            case .draining: return ValidationFinding(.warning, subject, reason: "\(name) is being drained.", cure: whileAtWork(name))
            case .paused:
                return ValidationFinding(
                    .warning, subject, reason: "\(name) is paused: no machine is placed on it.", cure: whileAtWork(name))
            }
        }
        return .judged(findings, failing: { "\($0) \($0.contains(" and ") ? "are" : "is") down" })
    }
    private static func whileAtWork(_ node: NodeName) -> String { "Nothing, while work on \(node) goes on." }

    // MARK: Configuration

    /// - Parameter witness: The last change that the witness holds; nil without a witness, or when nobody can read it.
    public static func configuration(_ evidence: ClusterEvidence, witnessIndex: UInt64?) -> TestOutcome {
        guard let best = evidence.best else { return nobodyKnows }
        // The copy that most nodes of the newest change have.
        let newest = evidence.answers.filter { $0.member.index == best.index }
        let common = CollectedFacts.mostFrequent(newest.map(\.member.digest)) ?? best.digest
        let holders = newest.filter { $0.member.digest == common }.map(\.node)
        var differing: [String] = []
        var findings = evidence.answers.map { node, member -> ValidationFinding in
            let figures = [Figure("Change", "\(member.index)"), Figure("Hash", member.digest)]
            guard member.index == best.index else {
                return ValidationFinding(
                    .warning, .node(node),
                    reason: "\(node) has the configuration up to change \(member.index), \(NodeList.text(holders)) up to \(best.index).",
                    cure: "Restart the node service of \(node) if it does not catch up: systemctl restart apusd.", figures: figures)
            }
            guard member.digest == common else {
                differing.append(node.rawValue)
                return ValidationFinding(
                    .failure, .node(node),
                    reason:
                        "The configuration of \(node) is another one than that of \(NodeList.text(holders)), both after change \(best.index).",
                    cure: "Stop \(node) with apus node stop \(node), evict it and add it again, so that it takes over the others' copy; "
                        + "do all nodes run the same Apus version?", figures: figures)
            }
            return ValidationFinding(.pass, .node(node), reason: "The same as the others, up to change \(member.index).", figures: figures)
        }
        if let witnessIndex {
            let subject = FindingSubject(item: "witness")
            // It is refreshed every second, and entries count only with it when its vote is needed.
            findings.append(
                witnessIndex >= best.index
                    ? ValidationFinding(.pass, subject, reason: "The witness holds the configuration up to change \(witnessIndex).")
                    : ValidationFinding(
                        .warning, subject, reason: "The witness holds the configuration up to change \(witnessIndex) of \(best.index).",
                        cure: "It is refreshed every second. If it stays behind, look at the holder's log: journalctl -u apusd."))
        }
        let names = NodeList.text(differing)
        return TestOutcome(
            findings, headline: differing.isEmpty ? nil : "the configuration of \(names) differs from the others'")
    }

    // MARK: Certificates

    private static let soon: Int64 = 30 * 86_400_000

    public static func certificates(_ evidence: ClusterEvidence, now: WallTime) -> TestOutcome {
        guard let best = evidence.best else { return nobodyKnows }
        let findings = best.nodes.compactMap { line -> ValidationFinding? in
            let name = line.name
            let subject = FindingSubject.node(name)
            let renew =
                "Restart the node service of \(name), which renews it: systemctl restart apusd. If it stays: evict and add the node again."
            guard let member = evidence.members[name] else { return nil }
            if let problem = member.certificateProblem {
                return ValidationFinding(.failure, subject, reason: "\(name) cannot use its certificates. \(problem)", cure: renew)
            }
            if let authority = member.ownAuthority, let trusted = best.authority, authority != trusted {
                return ValidationFinding(
                    .failure, subject, reason: "\(name) trusts another authority than the cluster's configuration names.",
                    cure: "Evict \(name) and add it again: apus node evict \(name), apus node add.")
            }
            if line.isRevoked {
                return ValidationFinding(.failure, subject, reason: "The certificate of \(name) was revoked.", cure: renew)
            }
            if let own = member.ownCertificate, own.serial != line.certificate.serial {
                return ValidationFinding(
                    .warning, subject,
                    reason: "\(name) shows certificate \(own.serial), the configuration has \(line.certificate.serial) for it.",
                    cure: renew)
            }
            let left = line.certificate.notAfter.rawValue.subtractingReportingOverflow(now.rawValue).partialValue
            if left <= 0 { return ValidationFinding(.failure, subject, reason: "The certificate of \(name) has expired.", cure: renew) }
            let days = left / 86_400_000
            if left < soon {
                return ValidationFinding(
                    .warning, subject,
                    reason: "The certificate of \(name) ends in \(days) \(days == 1 ? "day" : "days"), although nodes renew theirs.",
                    cure: renew)
            }
            return ValidationFinding(.pass, subject, reason: "Of the cluster's authority, good for \(days) days.")
        }
        return .judged(findings, failing: { "certificates of \($0) cannot be used" })
    }

    // MARK: What is pending

    public static func fences(_ evidence: ClusterEvidence, now: WallTime) -> TestOutcome {
        guard let best = evidence.best else { return nobodyKnows }
        var findings: [ValidationFinding] = best.nodes.filter { $0.presence == .lost }.map { line in
            let machines = best.machines.filter { $0.owner == line.name }.count
            let held = machines == 0 ? "" : " \(machines) \(machines == 1 ? "machine waits" : "machines wait") for it."
            return ValidationFinding(
                .failure, .node(line.name),
                reason: "\(line.name) vanished, and nothing proves yet that it cannot write to the disks any more.\(held)",
                cure: "Make sure that \(line.name) is off; then confirm it with apus node evict \(line.name) --force, or start it again.")
        }
        for operation in best.operations {
            let age = now.rawValue.subtractingReportingOverflow(operation.beganAt.rawValue).partialValue / 60_000
            let what = operation.kind.rawValue.replacing("-", with: " ") + (operation.subject.map { " \($0)" } ?? "")
            // Every change of this kind takes seconds; one that waits for minutes was left by a node that died.
            guard age >= 10 else { continue }
            findings.append(
                ValidationFinding(
                    .warning, FindingSubject(item: what),
                    reason:
                        "\(what.capitalizedFirst) was begun by \(operation.driver) \(age) minutes ago and has not ended (\(operation.step)).",
                    cure: "See apus events; restart the node service of \(operation.driver), which finishes it or takes it back."))
        }
        if findings.isEmpty { findings.append(ValidationFinding(.pass, reason: "Nothing waits to be fenced, finished or confirmed.")) }
        return .judged(findings, failing: { "\($0) \($0.contains(" and ") ? "are" : "is") not fenced" })
    }
}
