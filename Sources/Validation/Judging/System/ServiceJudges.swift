import ClusterModel

/// Services and ports.
enum ServiceJudges {
    static func services(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            if node.software.services.isEmpty { return [node.unknown("services")] }
            func unit(_ name: String) -> ServiceFacts? { node.software.services.first { $0.name == name } }
            var findings: [ValidationFinding] = []
            if unit("pacemaker.service")?.activeState == "active" {
                findings.append(
                    ValidationFinding(
                        .failure, .node(node.node, item: "pacemaker.service"),
                        reason: "Pacemaker runs on \(node.node): it and Apus cannot both decide what runs where.",
                        cure: "systemctl disable --now pacemaker corosync on \(node.node), or take the node out of the list."))
            }
            if facts.subject.cluster == nil, unit("corosync.service")?.activeState == "active" {
                findings.append(
                    ValidationFinding(
                        .failure, .node(node.node, item: "corosync.service"),
                        reason: "Corosync runs on \(node.node) although it belongs to no cluster of Apus: it serves another cluster.",
                        cure: "systemctl disable --now corosync on \(node.node), once nothing needs that cluster any more."))
            }
            if unit("unattended-upgrades.service")?.activeState == "active" {
                findings.append(
                    ValidationFinding(
                        .warning, .node(node.node, item: "unattended-upgrades.service"),
                        reason:
                            "\(node.node) installs updates by itself; if all nodes do so at the same hour, all restart services at once.",
                        cure: "Let it install on one node at a time, or not restart apusd, corosync and QEMU."))
            }
            if let state = unit("apusd.service")?.enabledState, state != "enabled" {
                findings.append(
                    ValidationFinding(
                        .warning, .node(node.node, item: "apusd.service"),
                        reason: "apusd is \(state) on \(node.node): it does not start at boot.",
                        cure: "systemctl enable apusd on \(node.node)."))
            }
            return findings.isEmpty ? [ValidationFinding(.pass, .node(node.node), reason: "Nothing stands in the way.")] : findings
        }
        return .judged(findings) { "on \($0) another cluster's services run" }
    }

    static func ports(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            var taken = node.network.listeners.filter { $0.transport == "tcp" && (49_152...49_215).contains($0.port) }
            // A member's own Corosync has these; before that nobody should.
            if facts.subject.cluster == nil { taken += node.network.listeners.filter { $0.transport == "udp" } }
            guard !taken.isEmpty else { return [ValidationFinding(.pass, .node(node.node), reason: "The ports are free.")] }
            return taken.map { listener in
                let isCorosync = listener.transport == "udp"
                return ValidationFinding(
                    isCorosync ? .failure : .warning, .node(node.node, item: "\(listener.transport) \(listener.port)"),
                    reason:
                        "\(listener.program ?? "A program") on \(node.node) listens on \(listener.transport.uppercased()) port \(listener.port) of "
                        + "\(listener.address), which \(isCorosync ? "Corosync needs" : "incoming migrations may need").",
                    cure: "`ss -lnp\(isCorosync ? "u" : "t") sport = :\(listener.port)` on \(node.node) says which program it is; stop it.")
            }
        }
        return .judged(findings) { "ports that Corosync needs are taken on \($0)" }
    }
}
