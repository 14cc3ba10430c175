import ClusterModel

/// Addresses, and what they are for.
enum AddressJudges {
    /// In the order of reports.
    static let roles = ["cluster", "cluster2", "migration", "storage"]

    static func word(_ role: String) -> String {
        switch role {
        case "cluster": "cluster network"
        case "cluster2": "second cluster network"
        default: "\(role) network"
        }
    }

    static func subject(_ node: NodeInventory, _ role: String) -> FindingSubject {
        FindingSubject(node: node.node, network: word(role))
    }

    static func networks(_ facts: CollectedFacts) -> TestOutcome {
        let used = roles.filter { role in facts.answers.contains { $0.role(role) != nil } }
        var findings: [ValidationFinding] = []
        for node in facts.answers {
            // Without its adapters nothing can be said of the node's addresses.
            if node.network.roles.isEmpty || node.network.adapters.isEmpty {
                findings.append(node.unknown("network adapters"))
                continue
            }
            findings += used.map { presence($0, of: node, in: facts) }
        }
        return TestOutcome(
            findings, tables: used.isEmpty ? [] : [table(facts, used)], headline: headline(findings))
    }

    private static func presence(_ role: String, of node: NodeInventory, in facts: CollectedFacts) -> ValidationFinding {
        let subject = subject(node, role)
        guard let entry = node.role(role) else {
            let others = facts.answers.filter { $0.role(role) != nil }.map(\.node)
            return ValidationFinding(
                .failure, subject,
                reason:
                    "\(node.node) has no address on the \(word(role)); \(NodeList.text(others)) \(others.count == 1 ? "has" : "have") one.",
                cure: role == "storage"
                    ? "Write the portal of the SAN into node.yaml of \(node.node) (san.portal), as on the other nodes."
                    : "Write addresses.\(role) into node.yaml of \(node.node), or take it out of that of the other nodes; restart apusd.")
        }
        guard let name = entry.adapter else {
            return ValidationFinding(
                .failure, subject, reason: "No adapter of \(node.node) bears \(entry.address), its address on the \(word(role)).",
                cure: "Give \(entry.address) to an adapter of \(node.node) (`ip address show` lists them), or correct addresses.\(role) in "
                    + "its node.yaml and restart apusd.")
        }
        let adapter = node.network.adapters.first { $0.name == name }
        if adapter?.isUp == false || adapter?.hasCarrier == false {
            return ValidationFinding(
                .failure, subject, reason: "\(name) of \(node.node), which bears \(entry.address), has no link.",
                cure: "Check cable, transceiver and switch port of \(name) on \(node.node); `ip link set \(name) up` if it was taken down.")
        }
        return ValidationFinding(
            .pass, subject, reason: "\(node.node) has \(entry.address) on \(name), in \(entry.subnet ?? "an unknown network").")
    }

    private static func table(_ facts: CollectedFacts, _ used: [String]) -> FactTable {
        let rows = used.flatMap { role in
            facts.answers.compactMap { node -> [String]? in
                guard let entry = node.role(role) else { return nil }
                let adapter = node.network.adapters.first { $0.name == entry.adapter }
                return [
                    word(role).capitalizedFirst, node.node.rawValue, entry.address, entry.subnet ?? "", entry.adapter ?? "",
                    adapter?.mtu.map(String.init) ?? "",
                ]
            }
        }
        return FactTable(
            "Networks and their roles",
            columns: [
                .init("Role"), .init("Node"), .init("Address"), .init("Network"), .init("Adapter"), .init("MTU", isNumber: true),
            ], rows: rows)
    }

    private static func headline(_ findings: [ValidationFinding]) -> String? {
        let failed = findings.filter { $0.verdict == .failure }
        guard let first = failed.first else { return nil }
        let networks = Set(failed.compactMap(\.subject.network))
        let nodes = failed.compactMap { $0.subject.node?.rawValue }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return "\(NodeList.text(nodes)) \(nodes.count == 1 ? "is" : "are") not on "
            + (networks.count == 1 ? "the \(first.subject.network ?? "network")" : "all networks")
    }

    // MARK: Subnets

    static func sameSubnet(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = []
        for role in roles {
            let entries = facts.answers.compactMap { node in node.role(role).map { (node: node, entry: $0) } }
            let common = CollectedFacts.mostFrequent(entries.compactMap(\.entry.subnet))
            let holders = entries.filter { $0.entry.subnet == common }.map(\.node.node)
            findings += entries.map { node, entry in
                let subject = subject(node, role)
                guard let subnet = entry.subnet, let common else {
                    return ValidationFinding(
                        .warning, subject, reason: "\(entry.address) of \(node.node) is on no adapter, so its network is not known.",
                        cure: "See network/networks, which tells more about it.")
                }
                guard subnet != common else { return ValidationFinding(.pass, subject, reason: "\(entry.address) is in \(common).") }
                let length = common.split(separator: "/").last.map(String.init) ?? ""
                let isOnlyLength = subnet.split(separator: "/").first == common.split(separator: "/").first
                let device = entry.adapter ?? "its adapter"
                return ValidationFinding(
                    .failure, subject,
                    reason:
                        "\(entry.address) of \(node.node) is in \(subnet), but the \(word(role)) of \(NodeList.text(holders)) is \(common).",
                    cure: isOnlyLength
                        ? "Correct the prefix length on \(node.node): ip address replace \(entry.address)/\(length) dev \(device), and take "
                            + "the one with the wrong length away; write it into the network settings too."
                        : "Give \(node.node) an address in \(common) on \(device), and write it into its node.yaml as addresses.\(role).")
            }
        }
        findings += facts.answers.filter { node in !findings.contains { $0.subject.node == node.node } }.map {
            $0.unknown("network adapters")
        }
        let apart = findings.filter { $0.verdict == .failure }
        let networks = Set(apart.compactMap(\.subject.network)).sorted()
        return .judged(findings) { "\($0) and the others are in different subnets of the \(NodeList.text(networks))" }
    }

    // MARK: Redundancy

    static func redundancy(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                guard let first = node.role("cluster"), let name = first.adapter,
                    let adapter = node.network.adapters.first(where: { $0.name == name })
                else { return node.unknown("network adapters") }
                guard let second = node.role("cluster2"), let other = second.adapter else { return single(node, first, adapter) }
                let base = adapter.lower ?? name
                let otherBase = node.network.adapters.first { $0.name == other }.flatMap(\.lower) ?? other
                if base == otherBase, !node.isBond(base) {
                    return ValidationFinding(
                        .warning, .node(node.node), reason: "Both cluster networks of \(node.node) use \(base): one cable cuts both.",
                        cure: "Move \(second.address) of \(node.node) to another adapter, on another switch.")
                }
                if let subnet = first.subnet, subnet == second.subnet {
                    return ValidationFinding(
                        .warning, .node(node.node),
                        reason: "Both cluster networks of \(node.node) are in \(subnet): Linux sends all of it over one of the adapters.",
                        cure: "Give the second cluster network a subnet of its own on all nodes.")
                }
                return ValidationFinding(
                    .pass, .node(node.node), reason: "\(node.node) reaches the others by \(name) and by \(other), on two networks.")
            })
    }

    private static func single(_ node: NodeInventory, _ first: AddressRole, _ adapter: AdapterFacts) -> ValidationFinding {
        let base = adapter.lower ?? adapter.name
        if node.isBond(base) {
            let ports = node.network.adapters.filter { $0.upper == base && $0.hasCarrier == true }
            return ports.count >= 2
                ? ValidationFinding(
                    .pass, .node(node.node), reason: "\(base) of \(node.node) bonds \(NodeList.text(ports.map(\.name))), all with a link.")
                : ValidationFinding(
                    .warning, .node(node.node),
                    reason:
                        "\(base) of \(node.node) is a bond of which \(ports.count) \(ports.count == 1 ? "port has" : "ports have") a link.",
                    cure: "Check the cables and switch ports of the bond's other adapters on \(node.node).")
        }
        let migration = node.role("migration")
        let spare = migration.flatMap { $0.subnet != nil && $0.subnet != first.subnet ? $0 : nil }
        return ValidationFinding(
            .warning, .node(node.node),
            reason: "\(node.node) hears the other nodes by one adapter only, \(base) in \(first.subnet ?? first.address): "
                + "when it, its cable or its switch fails, the node is cut off.",
            cure: spare.map {
                "Connect \(node.node) by a second network with its own switch and name it as addresses.cluster2 in node.yaml; where there is none, the "
                    + "migration network does: addresses.cluster2: \($0.address). The same on all nodes."
            })
    }
}

extension NodeInventory {
    func role(_ name: String) -> AddressRole? { network.roles.first { $0.role == name } }
    func isBond(_ adapter: String) -> Bool { network.adapters.first { $0.name == adapter }?.kind == "bond" }
}
