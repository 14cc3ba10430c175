import ClusterModel

/// Whether the nodes are alike in what programs build on.
enum PlatformJudges {
    static func architecture(_ facts: CollectedFacts) -> TestOutcome {
        .judged(
            facts.compare("architecture", differs: .failure) { $0.hardware.processors.architecture },
            failing: { "\($0) has another processor architecture" })
    }

    static func versions(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = []
        findings += facts.compare("Apus", differs: .failure, item: "apus", cure: "Install the same version of Apus on all nodes.") {
            $0.software.apusVersion
        }
        findings += facts.compare(
            "QEMU", item: "qemu",
            cure: "Update QEMU on the node with the older version, after draining it: machines move to a newer QEMU, but not back."
        ) { $0.software.qemuVersion }
        findings += facts.eachNode { node in
            guard node.software.corosyncVersion == nil else {
                return facts.compare("Corosync", item: "corosync") { $0.software.corosyncVersion }.first { $0.subject.node == node.node }
                    ?? node.unknown("Corosync")
            }
            return ValidationFinding(
                .failure, .node(node.node, item: "corosync"), reason: "\(node.node) has no Corosync.",
                cure: "apt-get install corosync on \(node.node).")
        }
        return .judged(findings) { "\($0) has other versions than the other nodes, or lacks Corosync" }
    }

    static func modules(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.eachNode { node in
            let modules = Set(node.software.modules)
            if modules.isEmpty { return node.unknown("kernel modules") }
            let missing = ["tun", "bridge"].filter { !modules.contains($0) }
            if let first = missing.first {
                return ValidationFinding(
                    .failure, .node(node.node),
                    reason: "The kernel of \(node.node) lacks \(NodeList.text(missing)): machines there would have no network.",
                    cure: "modprobe \(first) on \(node.node), and name it in /etc/modules-load.d/apus.conf.")
            }
            if !modules.contains("kvm") {
                return ValidationFinding(
                    .warning, .node(node.node), reason: "The kernel of \(node.node) lacks kvm: machines there are emulated and slow.",
                    cure: "modprobe kvm_intel or kvm_amd on \(node.node), after enabling virtualization in its firmware.")
            }
            return ValidationFinding(.pass, .node(node.node), reason: "There are \(NodeList.text(node.software.modules)).")
        }
        return .judged(findings) { "the kernel of \($0) lacks modules" }
    }

    /// Certificates and logs are still good with a clock that is off by a second; more means that nothing corrects it.
    private static let mostOffset = 1_000.0

    static func timeSynchronization(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                let time = node.system.time
                if let offset = time.offsetMilliseconds, abs(offset) > mostOffset {
                    return ValidationFinding(
                        .warning, .node(node.node),
                        reason: "\(time.service ?? "The time service") of \(node.node) is off by \(Int(offset)) ms.",
                        cure: "chronyc makestep on \(node.node) corrects the clock at once.",
                        figures: [Figure("Offset", abs(offset), .milliseconds)])
                }
                switch (time.isSynchronized, time.service) {
                case (nil, _): return node.unknown("clock", fact: "clock")
                case (true?, let service):
                    return ValidationFinding(
                        .pass, .node(node.node), reason: "The clock is kept right\(service.map { " by \($0)" } ?? "").")
                case (false?, let service?):
                    return ValidationFinding(
                        .warning, .node(node.node), reason: "\(service) runs on \(node.node), but the kernel's clock is not synchronized.",
                        cure: "`chronyc sources` or `timedatectl timesync-status` on \(node.node) says which server does not answer.")
                case (false?, nil):
                    return ValidationFinding(
                        .warning, .node(node.node), reason: "Nothing keeps the clock of \(node.node) right.")
                }
            })
    }

    static func securityModules(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = []
        if facts.answers.contains(where: { $0.system.selinuxMode != nil }) {
            findings += facts.compare("SELinux mode", item: "SELinux") { $0.system.selinuxMode ?? "absent" }
        }
        if facts.answers.contains(where: { $0.system.appArmorMode != nil }) {
            findings += facts.compare("AppArmor mode", item: "AppArmor") { $0.system.appArmorMode ?? "absent" }
        }
        return findings.isEmpty ? .notApplicable("No node has SELinux or AppArmor.") : TestOutcome(findings)
    }
}
