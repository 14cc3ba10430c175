import ClusterModel

extension DiskFactJudges {
    // MARK: space

    /// In parts of the whole: below the first nothing of size can be made, below the second it will not be long.
    private static let (full, nearlyFull) = (0.02, 0.10)

    static func space(_ facts: CollectedFacts) -> TestOutcome {
        var findings = facts.networkDisks.compactMap { disk -> ValidationFinding? in
            let subject = FindingSubject.disk(disk.disk.id)
            if disk.content == .empty {
                return ValidationFinding(
                    .pass, subject, reason: "\(disk.name) is empty and has \(ByteText.text(disk.disk.byteCount)).",
                    figures: [Figure("Free", Double(disk.disk.byteCount), .bytes)])
            }
            // The least that any node saw: machines may have been made while the nodes looked.
            guard case .clusterSharedVolume(_, let label) = disk.content, disk.disk.byteCount > 0,
                let free = disk.views.compactMap(\.facts.freeByteCount).min()
            else { return nil }
            let part = Double(free) / Double(disk.disk.byteCount)
            let verdict: Verdict = part < full ? .failure : part < nearlyFull ? .warning : .pass
            return ValidationFinding(
                verdict, subject,
                reason: "Volume \(label) on \(disk.name) has \(ByteText.text(free)) of \(ByteText.text(disk.disk.byteCount)) left.",
                figures: [Figure("Free", Double(free), .bytes)])
        }
        for node in facts.answers {
            for share in node.storage.shares where facts.subject.shares.contains(share.path) {
                let subject = FindingSubject.node(node.node, item: share.path)
                guard let free = share.freeBytes else {
                    findings.append(node.unknown("room on \(share.path)", subject: subject))
                    continue
                }
                // A witness on a share takes some MiB; a gibibyte tells that somebody looks after it.
                let verdict: Verdict = free < 64 << 20 ? .failure : free < 1 << 30 ? .warning : .pass
                findings.append(
                    ValidationFinding(
                        verdict, subject, reason: "Share \(share.path) has \(ByteText.text(free)) left, as \(node.node) sees it.",
                        cure: verdict == .pass ? nil : "Make room on \(share.source).", figures: [Figure("Free", Double(free), .bytes)]))
            }
        }
        guard !findings.isEmpty else { return .notApplicable("There is neither an empty shared disk, nor a volume, nor a share.") }
        let failing = findings.filter { $0.verdict == .failure }
        return TestOutcome(findings, headline: failing.isEmpty ? nil : "\(failing.count == 1 ? "a volume or share is" : "volumes or shares are") full")
    }

    // MARK: witness-size

    /// Headers, a heartbeat for each node, and two slots that each hold the whole configuration (see the layout of a witness disk).
    static let smallestWitness: UInt64 = 25 << 20

    static func witnessSize(_ facts: CollectedFacts) -> TestOutcome {
        let disks = facts.networkDisks.filter { disk in facts.answers.allSatisfy { node in disk.views.contains { $0.node == node.node } } }
        let disk: CollectedFacts.NetworkDisk?
        if let cluster = facts.subject.cluster {
            disk = disks.first { if case .foreign(let what) = $0.content { what.hasPrefix("witness disk of the cluster \(cluster) ") } else { false } }
            guard disk != nil else { return .notApplicable("The cluster has no witness on a disk.") }
        } else {
            // As forming a cluster chooses: the first, and it must be empty.
            disk = disks.first
        }
        guard let disk else {
            guard facts.subject.nodes.count % 2 == 0 else {
                return TestOutcome([ValidationFinding(.pass, reason: "\(facts.subject.nodes.count) nodes form a majority without a witness.")])
            }
            return TestOutcome([
                ValidationFinding(
                    .warning, reason: "There is no shared disk for a witness, and \(facts.subject.nodes.count) nodes need one.",
                    cure: "Give all nodes an empty LUN of \(ByteText.text(64 << 20)), or use a share: --witness share:PATH.")
            ])
        }
        if facts.subject.cluster == nil, let content = disk.content, content != .empty {
            return TestOutcome([
                ValidationFinding(
                    .warning, .disk(disk.disk.id),
                    reason: "\(disk.name), the first shared disk, would become the witness and carries something: \(content.sentence).",
                    cure: "Choose another disk with --witness disk:ID when the cluster is formed, or clear this one if nobody needs it.")
            ])
        }
        let isLarge = disk.disk.byteCount >= smallestWitness
        let text = "\(disk.name) (\(disk.disk.id)) \(facts.subject.cluster == nil ? "would become" : "is") the witness and has "
            + "\(ByteText.text(disk.disk.byteCount))"
        return TestOutcome(
            [
                ValidationFinding(
                    isLarge ? .pass : .failure, .disk(disk.disk.id),
                    reason: isLarge ? text + "." : text + "; it takes \(ByteText.text(smallestWitness)).",
                    cure: isLarge
                        ? nil : "Enlarge \(disk.name) to \(ByteText.text(64 << 20)) on the array, or choose another one with --witness disk:ID.",
                    figures: [Figure("Size", Double(disk.disk.byteCount), .bytes)])
            ], headline: isLarge ? nil : "\(disk.name) is too small for a witness")
    }
}
