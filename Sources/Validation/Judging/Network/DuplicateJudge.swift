import ClusterModel

/// `network/duplicate-addresses`.
public enum DuplicateJudge {
    /// What a node heard when it asked for its own addresses.
    public static func judge(_ node: NodeName, _ answers: [DuplicateQuestion.Answer], in facts: CollectedFacts) -> TestOutcome {
        var findings = answers.map { finding(node, $0, facts) }
        findings += cloned(node, facts)
        let twice = findings.filter { $0.verdict == .failure }
        return TestOutcome(
            findings, headline: twice.isEmpty ? nil : "\(NodeList.text(twice.compactMap(\.subject.item))) of \(node) is used twice")
    }

    private static func finding(_ node: NodeName, _ answer: DuplicateQuestion.Answer, _ facts: CollectedFacts) -> ValidationFinding {
        let (address, adapter) = (answer.place.address, answer.place.adapter)
        let subject = FindingSubject.node(node, item: address)
        if let problem = answer.problem {
            return ValidationFinding(
                .warning, subject, reason: "\(node) could not ask for \(address) on \(adapter). \(problem)",
                cure: "Look at what the reason names on \(node), then run this test again.")
        }
        // Linux answers for any of its addresses on any adapter (arp_ignore, ip-sysctl), so a node may hear itself.
        let own = Set(facts.inventories[node]?.network.adapters.compactMap { $0.macAddress?.lowercased() } ?? [])
        let others = answer.claimants.filter { !own.contains($0.lowercased()) }
        guard !others.isEmpty else {
            return ValidationFinding(.pass, subject, reason: "Nobody but \(node) answers for \(address) on \(adapter).")
        }
        let known = others.compactMap { claimant -> String? in
            for other in facts.answers where other.node != node {
                if let found = other.network.adapters.first(where: { $0.macAddress?.lowercased() == claimant.lowercased() }) {
                    return "\(found.name) of \(other.node)"
                }
            }
            return nil
        }
        let who =
            known.isEmpty ? "a device with hardware address \(NodeList.text(others))" : NodeList.text(known) + " (\(NodeList.text(others)))"
        return ValidationFinding(
            .failure, subject, reason: "\(address) of \(node) is used twice: \(who) answers for it too, on the network of \(adapter).",
            cure: known.isEmpty
                ? "Find the device with hardware address \(NodeList.text(others)) in the switch's address table, and give it or \(node) another address."
                : "Take \(address) away from \(NodeList.text(known)), or give \(node) another address in its node.yaml.")
    }

    /// Adapters of two nodes with one hardware address: nodes that were copied from one image. A switch sends to either one or the other.
    private static func cloned(_ node: NodeName, _ facts: CollectedFacts) -> [ValidationFinding] {
        guard let inventory = facts.inventories[node] else { return [] }
        return inventory.network.roles.compactMap { role -> ValidationFinding? in
            guard let name = role.adapter, let mac = inventory.network.adapters.first(where: { $0.name == name })?.macAddress else {
                return nil
            }
            for other in facts.answers where other.node != node {
                for entry in other.network.roles {
                    let twin = other.network.adapters.first { $0.name == entry.adapter && $0.macAddress == mac }
                    guard let twin else { continue }
                    return ValidationFinding(
                        .failure, .node(node, item: name),
                        reason: "\(name) of \(node) and \(twin.name) of \(other.node) have the same hardware address \(mac).",
                        cure:
                            "Give one of them another one: in the settings of the machine below it, or with `ip link set \(name) address`.")
                }
            }
            return nil
        }
    }
}
