import ClusterModel

/// What the nodes' lists of disks tell.
enum DiskFactJudges {
    // MARK: all-disks

    static func allDisks(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.eachNode { node in
            if let problem = node.unreadable.first(where: { $0.what == "disks of the SAN" }) {
                return ValidationFinding(
                    .failure, .node(node.node), reason: "\(node.node) cannot list the disks of the SAN. \(problem.reason)",
                    cure: "Check portal, target, user and secret in /etc/apus/node.yaml of \(node.node), and that it reaches the portal.")
            }
            let shared = node.storage.disks.count { $0.transport != "local" }
            guard !node.storage.disks.isEmpty else {
                return ValidationFinding(.warning, .node(node.node), reason: "\(node.node) sees no disk at all.")
            }
            return ValidationFinding(
                .pass, .node(node.node), reason: "\(node.storage.disks.count) disks, \(shared) of them over a storage network.")
        }
        let tables = facts.answers.filter { !$0.storage.disks.isEmpty }.map { node in
            FactTable(
                "What the disks carry", node: node.node,
                columns: [
                    .init("Disk"), .init("Identity"), .init("Size", isNumber: true), .init("Carries"), .init("Free", isNumber: true),
                    .init("Used by"),
                ],
                rows: node.storage.disks.map { disk in
                    [
                        disk.lun.map { "LUN \($0)" } ?? disk.path, disk.id?.rawValue ?? "", disk.byteCount.map(ByteText.text) ?? "",
                        disk.content?.sentence ?? "", disk.freeByteCount.map(ByteText.text) ?? "", disk.usedBy ?? "",
                    ]
                })
        }
        return .judged(findings, tables: tables) { "\($0) cannot list the disks of the SAN" }
    }

    // MARK: shared-disks

    static func sharedDisks(_ facts: CollectedFacts) -> TestOutcome {
        let disks = facts.networkDisks
        // Who could not look has a finding in all-disks; here it would look as if it missed every disk.
        let looked = facts.answers.filter { node in !node.unreadable.contains { $0.what == "disks of the SAN" } }.map(\.node)
        guard !disks.isEmpty else {
            return TestOutcome([
                ValidationFinding(
                    .warning, reason: "The nodes have no shared disk.",
                    cure: "Give every node access to the same LUNs on the array; without them there is neither a disk "
                        + "witness nor a volume.")
            ])
        }
        var findings: [ValidationFinding] = []
        var clauses: [String] = []
        for disk in disks {
            let missing = looked.filter { node in !disk.views.contains { $0.node == node } }
            let seeing = looked.filter { !missing.contains($0) }
            let text = "\(disk.name) (\(disk.disk.id), \(ByteText.text(disk.disk.byteCount)))"
            guard missing.isEmpty else {
                findings += missing.map { node in
                    ValidationFinding(
                        .failure, .disk(disk.disk.id, node: node),
                        reason: "\(node) does not see \(text), which \(NodeList.text(seeing)) \(seeing.count == 1 ? "sees" : "see").",
                        cure: "Give \(node) access to \(disk.name) on the array (its initiator name is in inventory/iscsi-initiators), "
                            + "or take the LUN from the others.")
                }
                clauses.append("\(NodeList.text(missing)) \(missing.count == 1 ? "does" : "do") not see \(disk.name)")
                continue
            }
            findings += seeing.map { node in
                let numbers = disk.numbers(on: node)
                guard numbers.count < 2 else {
                    return ValidationFinding(
                        .failure, .disk(disk.disk.id, node: node),
                        reason: "\(node) sees \(disk.disk.id) as \(numbers.map { "LUN \($0)" }.joined(separator: " and ")).",
                        cure: "If they are two disks, give each an identity of its own on the array; if it is one, "
                            + "offer it under one number.")
                }
                let paths = disk.views.filter { $0.node == node }.map { $0.facts.pathCount ?? 1 }.reduce(0, +)
                return ValidationFinding(
                    .pass, .disk(disk.disk.id, node: node), reason: "\(node) sees \(text), \(paths) \(paths == 1 ? "path" : "paths").")
            }
        }
        return TestOutcome(findings, headline: clauses.isEmpty ? nil : clauses.joined(separator: ", "))
    }

    // MARK: foreign-content

    static func foreignContent(_ facts: CollectedFacts) -> TestOutcome {
        let named = facts.subject.namedDisks ?? []
        var findings = facts.networkDisks.map { disk -> ValidationFinding in
            let subject = FindingSubject.disk(disk.disk.id)
            let isNamed = named.contains(disk.disk.id)
            let refused = isNamed ? " It was named to be written to; nothing was written to it." : ""
            let contents = disk.views.compactMap { view in view.facts.content.map { "\(view.node): \($0.sentence)" } }
            switch disk.content {
            case .empty: return ValidationFinding(.pass, subject, reason: "\(disk.name) is empty.")
            case .clusterSharedVolume(_, let label):
                return ValidationFinding(.pass, subject, reason: "\(disk.name) is the Cluster Shared Volume \(label).")
            case .foreign(let what):
                if let cluster = facts.subject.cluster, what.hasPrefix("witness disk of the cluster \(cluster) ") {
                    return ValidationFinding(.pass, subject, reason: "\(disk.name) is the witness of this cluster.")
                }
                return ValidationFinding(
                    isNamed ? .failure : .warning, subject,
                    reason: "\(disk.name) (\(ByteText.text(disk.disk.byteCount))) carries something of others: \(what).\(refused)",
                    cure: "If somebody needs it, take the LUN from these nodes. If nobody does: `apus disk init "
                        + "\(disk.disk.id) --label NAME "
                        + "--force` makes a volume of it, or clear it with wipefs.")
            case .damaged(let what):
                return ValidationFinding(
                    .failure, subject, reason: "\(disk.name) cannot be trusted: \(what).\(refused)",
                    cure: what.contains("identity")
                        ? StorageCatalogue.identity.cure
                        : "Find out who wrote to it. `apus disk list` says what is left; restore the machines on it from a backup.")
            case nil where !contents.isEmpty:
                return ValidationFinding(
                    .failure, subject, reason: "The nodes do not agree on what \(disk.name) carries. \(contents.joined(separator: "; ")).",
                    cure: "Either these are two disks with one identity, or something between a node and the array keeps old data.")
            case nil:
                return ValidationFinding(
                    isNamed ? .failure : .warning, subject, reason: "No node could read what \(disk.name) carries.\(refused)",
                    cure: "Give the nodes a session of their own to it: san: in /etc/apus/node.yaml.")
            }
        }
        let told = Set(findings.filter { $0.verdict != .pass }.compactMap(\.subject.disk))
        for id in named where !told.contains(id) {
            guard let obstacle = facts.obstacle(to: id) else { continue }
            findings.append(
                ValidationFinding(
                    .warning, .disk(id), reason: "\(id) was named to be written to, and nothing was written to it. \(obstacle)",
                    cure: "Name disks that every node sees and that nobody uses, or leave --disk out."))
        }
        guard !findings.isEmpty else { return .notApplicable("The nodes have no shared disk.") }
        let failing = findings.filter { $0.verdict == .failure }.compactMap { finding in
            facts.networkDisks.first { $0.disk.id == finding.subject.disk }?.name
        }
        return TestOutcome(
            findings,
            headline: failing.isEmpty ? nil : "\(NodeList.text(failing)) \(failing.count == 1 ? "carries" : "carry") what is not expected")
    }
}
