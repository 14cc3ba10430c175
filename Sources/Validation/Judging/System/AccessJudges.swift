import ClusterModel

/// Users, files, certificates and room.
enum AccessJudges {
    static func users(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = []
        for node in facts.answers {
            if node.system.users.isEmpty { findings.append(node.unknown("users")) }
            for user in node.system.users where user.uid == nil {
                findings.append(
                    ValidationFinding(
                        .failure, .node(node.node, item: user.name),
                        reason: "\(node.node) has no user \(user.name), as whom machines are to run.",
                        cure: "useradd --system --no-create-home --groups kvm \(user.name) on \(node.node)."))
            }
        }
        let names = facts.answers.flatMap { $0.system.users.filter { $0.uid != nil }.map(\.name) }
        for name in Set(names).sorted() {
            findings += facts.compare(
                "user number of \(name)", item: name, cure: "Give \(name) the same number on all nodes with usermod -u."
            ) { node in
                node.system.users.first { $0.name == name }?.uid.map(String.init)
            }.filter { finding in !findings.contains { $0.subject == finding.subject } }
        }
        return .judged(findings) { "\($0) lacks the user that machines run as" }
    }

    static func permissions(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            if node.system.files.isEmpty { return [node.unknown("permissions")] }
            let complaints = node.system.files.compactMap { complaint($0, node.node) }
            let there = node.system.files.count { $0.owner != nil }
            return complaints.isEmpty
                ? [ValidationFinding(.pass, .node(node.node), reason: "\(there) files and folders are as they should be.")] : complaints
        }
        return .judged(findings) { "files of \($0) are open to others or belong to them" }
    }

    private static func complaint(_ file: FileFacts, _ node: NodeName) -> ValidationFinding? {
        let subject = FindingSubject.node(node, item: file.path)
        guard let owner = file.owner, let mode = file.mode else {
            return file.isRequired
                ? ValidationFinding(
                    .failure, subject, reason: "\(file.path) is missing on \(node).", cure: "Create it, or correct its path in node.yaml.")
                : nil
        }
        if owner != file.expectedOwner {
            return ValidationFinding(
                .failure, subject, reason: "\(file.path) on \(node) belongs to \(owner), not to \(file.expectedOwner).",
                cure: "chown \(file.expectedOwner) \(file.path) on \(node).")
        }
        let extra = mode & 0o777 & ~file.expectedMode
        guard extra != 0 else { return nil }
        // What is to be read by its owner alone is a secret, and it is out; anything else that others may write can be replaced by them.
        let isSecret = file.expectedMode & 0o077 == 0
        return ValidationFinding(
            isSecret || extra & 0o022 != 0 ? .failure : .warning, subject,
            reason: "\(file.path) on \(node) has mode \(octal(mode & 0o777)); at most \(octal(file.expectedMode)) is right.",
            cure: "chmod \(octal(file.expectedMode)) \(file.path) on \(node)."
                + (isSecret ? " If others could log in there, replace the secret too." : ""))
    }

    private static func octal(_ mode: UInt32) -> String {
        let text = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - text.count)) + text
    }

    private static let day: Int64 = 86_400_000

    static func certificates(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            if node.system.certificates.isEmpty { return [node.unknown("certificates")] }
            return node.system.certificates.map { certificate in
                let subject = FindingSubject.node(node.node, item: certificate.purpose)
                if certificate.fitsKey == false {
                    let why = node.unreadable.first { $0.what == "certificates" }.map { " \($0.reason)" } ?? ""
                    return ValidationFinding(
                        .failure, subject, reason: "The \(certificate.purpose) of \(node.node) cannot be used.\(why)",
                        cure: "Put back the key that belongs to \(certificate.path), or evict \(node.node) and let it join again.")
                }
                if certificate.notAfter <= node.collectedAt {
                    return ValidationFinding(
                        .failure, subject, reason: "The \(certificate.purpose) of \(node.node) has expired (\(certificate.path)).")
                }
                if certificate.notBefore > node.collectedAt {
                    return ValidationFinding(
                        .failure, subject, reason: "The \(certificate.purpose) of \(node.node) is not valid yet by its own clock.",
                        cure: "Correct the clock of \(node.node).")
                }
                let (left, overflow) = certificate.notAfter.rawValue.subtractingReportingOverflow(node.collectedAt.rawValue)
                let days = overflow ? Int64.max : left / day
                return ValidationFinding(
                    days < 30 ? .warning : .pass, subject,
                    reason: "The \(certificate.purpose) is valid for \(days == .max ? "a long time" : "another \(days) days").")
            }
        }
        return .judged(findings) { "certificates of \($0) are not valid" }
    }

    private static let mebibyte: UInt64 = 1 << 20
    /// Below the first it cannot work, below the second it will not for long.
    private static let room: [String: (failure: UInt64, warning: UInt64)] = [
        "state": (64 * mebibyte, 1_024 * mebibyte), "runtime": (16 * mebibyte, 64 * mebibyte), "log": (0, 256 * mebibyte),
    ]

    static func space(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node in
            node.system.fileSystems.map { fileSystem -> ValidationFinding in
                let subject = FindingSubject.node(node.node, item: fileSystem.path)
                guard let free = fileSystem.freeBytes else { return node.unknown("room in \(fileSystem.path)", subject: subject) }
                let limits = room[fileSystem.purpose] ?? (0, 64 * mebibyte)
                let what = "The \(fileSystem.purpose) folder \(fileSystem.path) of \(node.node)"
                if fileSystem.isReadOnly == true {
                    return ValidationFinding(
                        .failure, subject, reason: "\(what) is on a file system that is mounted read-only.",
                        cure: "`dmesg` on \(node.node) says why it was; repair it with fsck and mount it again.")
                }
                if let inodes = fileSystem.freeInodes, inodes < 1_000 {
                    return ValidationFinding(.failure, subject, reason: "\(what) has room for \(inodes) more files only.")
                }
                let verdict: Verdict = free < limits.failure ? .failure : free < limits.warning ? .warning : .pass
                return ValidationFinding(
                    verdict, subject,
                    reason:
                        "\(what) has \(ByteText.text(free)) left\(verdict == .pass ? "" : ", \(ByteText.text(limits.warning)) are wanted").",
                    figures: [Figure("Free", Double(free), .bytes)])
            }
        }
        return .judged(findings) { "file systems of \($0) are full or read-only" }
    }
}
