import ClusterModel

/// `storage/identity`: whether disks can be told from each other, and known again.
public enum DiskNamesJudge {
    /// - Parameter answers: In the order of the nodes.
    public static func judge(_ answers: [(node: NodeName, evidence: DiskNamesQuestion.Evidence)]) -> TestOutcome {
        var findings: [ValidationFinding] = []
        var clauses: [String] = []
        func add(_ clause: String) { if !clauses.contains(clause) { clauses.append(clause) } }

        // Two units with one name: which nodes see which numbers under it.
        var doubles: [DiskID: [(node: NodeName, luns: [Int])]] = [:]
        for (node, evidence) in answers {
            for (id, alike) in Dictionary(grouping: evidence.first, by: \.id) {
                guard let id, alike.count > 1 else { continue }
                doubles[id, default: []].append((node, alike.map(\.lun).sorted()))
            }
        }
        for id in doubles.keys.sorted() {
            let views = doubles[id] ?? []
            let names = NodeList.text((views.first?.luns ?? []).map { "LUN \($0)" })
            findings.append(
                ValidationFinding(
                    .failure, .disk(id),
                    reason: "\(names) claim the same identity \(id), as \(NodeList.text(views.map(\.node))) "
                        + "\(views.count == 1 ? "sees" : "see") it: what is written to one could be read from the other.",
                    cure: "Give each LUN a serial number and a designator of its own on the array; a copied LUN needs new ones."))
            add("\(names) have one identity")
        }

        for (node, evidence) in answers {
            for name in evidence.first where name.id == nil {
                findings.append(
                    ValidationFinding(
                        .warning, .node(node, item: "LUN \(name.lun)"),
                        reason: "LUN \(name.lun) says nothing on \(node) by which it could be known again; it is not used.",
                        cure: "Give it a serial number on the array (VPD page 80h), better a designator with the maker's number (page 83h)."))
            }
            let again = Dictionary(evidence.again.map { ($0.lun, $0) }, uniquingKeysWith: { first, _ in first })
            for name in evidence.first {
                guard let id = name.id, let second = again[name.lun], second != name else { continue }
                findings.append(
                    ValidationFinding(
                        .failure, .disk(id, node: node),
                        reason: "LUN \(name.lun) named itself \(id) (serial \(name.serial)) at first and "
                            + "\(second.id?.rawValue ?? "nothing") (serial \(second.serial)) over a new session of \(node).",
                        cure: "The array changes a LUN's identity between sessions; its maker must repair that."))
                add("the identity of LUN \(name.lun) changes")
            }
        }

        // One name for two disks that different nodes see.
        var known: [DiskID: (node: NodeName, name: DiskName)] = [:]
        for (node, evidence) in answers {
            for name in evidence.first {
                guard let id = name.id, doubles[id] == nil else { continue }
                guard let other = known[id] else {
                    known[id] = (node, name)
                    continue
                }
                guard other.name.serial != name.serial || other.name.byteCount != name.byteCount else { continue }
                findings.append(
                    ValidationFinding(
                        .failure, .disk(id, node: node),
                        reason: "\(id) has serial \(name.serial) and \(ByteText.text(name.byteCount)) on \(node), serial "
                            + "\(other.name.serial) and \(ByteText.text(other.name.byteCount)) on \(other.node): these are two disks.",
                        cure: "Give each LUN a serial number and a designator of its own on the array."))
                add("nodes see two disks as \(id)")
            }
        }

        let told = Set(findings.compactMap(\.subject.disk))
        let order = answers.flatMap { $0.evidence.first }.sorted { ($0.lun, $0.serial) < ($1.lun, $1.serial) }
        var passed: Set<DiskID> = []
        for name in order {
            guard let id = name.id, !told.contains(id), passed.insert(id).inserted else { continue }
            findings.append(
                ValidationFinding(
                    .pass, .disk(id), reason: "LUN \(name.lun), serial \(name.serial.isEmpty ? "none" : name.serial): the same on every node, twice."))
        }
        guard !findings.isEmpty else { return .notApplicable("The nodes see no disks over sessions of their own.") }
        return TestOutcome(findings, headline: clauses.isEmpty ? nil : clauses.joined(separator: ", "))
    }
}
