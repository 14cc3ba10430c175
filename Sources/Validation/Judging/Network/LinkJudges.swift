import ClusterModel

/// Adapters and bridges.
enum LinkJudges {
    /// Mbit/s. Below it a machine's memory takes minutes to move, and a disk's data longer than its guest waits.
    private static let slow = 1_000

    static func linkSpeed(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = []
        for role in AddressJudges.roles {
            let links = facts.answers.compactMap { node -> (node: NodeInventory, adapter: AdapterFacts)? in
                guard let name = node.role(role)?.adapter, let adapter = node.network.adapters.first(where: { $0.name == name }) else {
                    return nil
                }
                return (node, adapter)
            }
            let fastest = links.max { ($0.adapter.speedMbitPerSecond ?? 0) < ($1.adapter.speedMbitPerSecond ?? 0) }
            findings += links.map { speed(of: $0.adapter, on: $0.node, role, fastest: fastest) }
        }
        // A node that bears none of its addresses says so once.
        findings += facts.answers.filter { node in !findings.contains { $0.subject.node == node.node } }.map {
            $0.unknown("network adapters")
        }
        return TestOutcome(findings)
    }

    private static func speed(
        of adapter: AdapterFacts, on node: NodeInventory, _ role: String, fastest: (node: NodeInventory, adapter: AdapterFacts)?
    ) -> ValidationFinding {
        let subject = AddressJudges.subject(node, role)
        let name = "\(adapter.name) of \(node.node)"
        guard let speed = adapter.speedMbitPerSecond, speed > 0 else {
            // virtio and its like carry what the machine below gives them.
            let isVirtual = adapter.driver.map { $0.hasPrefix("virtio") } ?? (adapter.kind != "physical")
            return isVirtual
                ? ValidationFinding(.notApplicable, subject, reason: "\(name) is virtual and has no speed of its own.")
                : ValidationFinding(
                    .warning, subject, reason: "\(name) does not tell its speed.",
                    cure: "`ethtool \(adapter.name)` on \(node.node) tells more; without a link there is no speed.")
        }
        let figures = [Figure("Link speed", Double(speed) * 1e6, .bitsPerSecond)]
        func warning(_ reason: String, cure: String? = nil) -> ValidationFinding {
            ValidationFinding(.warning, subject, reason: reason, cure: cure, figures: figures)
        }
        if adapter.isFullDuplex == false {
            return warning(
                "\(name) runs at \(text(speed)) half duplex: it cannot send and receive at the same time.",
                cure: "Let both ends negotiate: ethtool -s \(adapter.name) autoneg on on \(node.node), and the same on its switch port.")
        }
        if let fastest, let best = fastest.adapter.speedMbitPerSecond, best > speed {
            return warning(
                "\(name) runs at \(text(speed)), \(fastest.adapter.name) of \(fastest.node.node) on the same network at \(text(best)).",
                cure: "Check cable, transceiver and switch port of \(name); `ethtool \(adapter.name)` says what both ends offer.")
        }
        if speed < slow, role == "migration" || role == "storage" {
            return warning(
                "\(name) carries the \(AddressJudges.word(role)) at \(text(speed)); 1 Gbit/s is the least that makes sense.",
                cure: "Use an adapter with at least 1 Gbit/s for the \(AddressJudges.word(role)).")
        }
        return ValidationFinding(
            .pass, subject, reason: "\(adapter.name) runs at \(text(speed))\(adapter.isFullDuplex == true ? ", full duplex" : "").",
            figures: figures)
    }

    /// `100 Mbit/s`, `2.5 Gbit/s`.
    static func text(_ megabits: Int) -> String {
        guard megabits >= 1_000 else { return "\(megabits) Mbit/s" }
        let tenths = megabits / 100
        return tenths % 10 == 0 ? "\(tenths / 10) Gbit/s" : "\(tenths / 10).\(tenths % 10) Gbit/s"
    }

    // MARK: Bridges

    static func bridges(_ facts: CollectedFacts) -> TestOutcome {
        let nodes = facts.answers.map { (node: $0, bridges: $0.network.bridges.filter { !isPrivate($0.name) }) }
        let names = Set(nodes.flatMap { $0.bridges.map(\.name) }).sorted()
        let common = names.filter { name in nodes.allSatisfy { $0.bridges.contains { $0.name == name } } }
        var findings: [ValidationFinding] = []
        for (node, bridges) in nodes {
            if node.network.adapters.isEmpty {
                findings.append(node.unknown("network adapters"))
            } else if bridges.isEmpty {
                let others = nodes.filter { !$0.bridges.isEmpty }
                findings.append(
                    ValidationFinding(
                        others.isEmpty ? .warning : .failure, .node(node.node),
                        reason: "\(node.node) has no bridge: machines with a network cannot run there.",
                        cure: make(others.first?.bridges.first?.name ?? "br0", on: node.node)))
            } else {
                findings += names.map { bridge($0, of: node, bridges, nodes, isNoneCommon: common.isEmpty) }
            }
        }
        let failing = findings.filter { $0.verdict == .failure }
        let headline = failing.isEmpty ? nil : "\(NodeList.text(nodes.map(\.node.node))) have no bridge in common"
        return TestOutcome(findings, tables: table(nodes), headline: headline)
    }

    private static func bridge(
        _ name: String, of node: NodeInventory, _ bridges: [BridgeFacts], _ nodes: [(node: NodeInventory, bridges: [BridgeFacts])],
        isNoneCommon: Bool
    ) -> ValidationFinding {
        let subject = FindingSubject.node(node.node, item: name)
        let peers = nodes.filter { $0.node.node != node.node }.compactMap { peer in
            peer.bridges.first { $0.name == name }.map { (node: peer.node.node, bridge: $0) }
        }
        guard let own = bridges.first(where: { $0.name == name }) else {
            let has = "\(NodeList.text(peers.map(\.node))) \(peers.count == 1 ? "has" : "have") a bridge \(name), \(node.node) has none"
            return ValidationFinding(
                isNoneCommon ? .failure : .warning, subject,
                reason: "\(has): a machine on \(name) cannot move there."
                    + (isNoneCommon ? " \(node.node) has \(NodeList.text(bridges.map(\.name))) instead." : ""),
                cure: isNoneCommon && bridges.count == 1
                    ? "Give the bridge the same name on all nodes: ip link set \(bridges[0].name) down; ip link set \(bridges[0].name) name \(name); "
                        + "ip link set \(name) up on \(node.node), and the same in its network settings."
                    : make(name, on: node.node))
        }
        func differs(_ what: String, _ value: (BridgeFacts) -> String) -> ValidationFinding? {
            guard let other = peers.first(where: { value($0.bridge) != value(own) }) else { return nil }
            return ValidationFinding(
                .warning, subject,
                reason: "\(name) of \(node.node) has \(what) \(value(own)), that of \(other.node) has \(value(other.bridge)).",
                cure: "Give \(name) the same \(what) on both nodes.")
        }
        if own.ports.isEmpty, let other = peers.first(where: { !$0.bridge.ports.isEmpty }) {
            return ValidationFinding(
                .warning, subject,
                reason: "\(name) of \(node.node) has no adapter as a port, that of \(other.node) has \(NodeList.text(other.bridge.ports)): "
                    + "a machine would lose its network when it moves to \(node.node).",
                cure: "ip link set ADAPTER master \(name) on \(node.node), with the adapter that leads to the machines' network.")
        }
        return differs("VLANs") { $0.isVLANAware == true ? list($0.vlans) : "none" }
            ?? differs("MTU") { $0.mtu.map(String.init) ?? "unknown" }
            ?? ValidationFinding(
                .pass, subject,
                reason: "\(own.ports.isEmpty ? "No adapter" : NodeList.text(own.ports)) as port"
                    + (own.isVLANAware == true ? ", VLANs \(list(own.vlans))." : "."))
    }

    private static func make(_ name: String, on node: NodeName) -> String {
        "Create it on \(node): ip link add \(name) type bridge; ip link set \(name) up; ip link set ADAPTER master \(name), with the adapter "
            + "that leads to the machines' network; and write it into the network settings."
    }

    /// Bridges that other software keeps for itself, alike on no two nodes: of Docker, Podman, LXC, libvirt's own network and Kubernetes.
    static func isPrivate(_ name: String) -> Bool {
        let isDockers = name.hasPrefix("br-") && name.count == 15 && name.dropFirst(3).allSatisfy(\.isHexDigit)
        return isDockers
            || ["docker", "podman", "lxcbr", "lxdbr", "virbr", "cni"].contains { prefix in
                name.hasPrefix(prefix) && name.dropFirst(prefix.count).allSatisfy(\.isNumber)
            }
    }

    /// `1, 10 to 20`.
    static func list(_ numbers: [Int]) -> String {
        var ranges: [(first: Int, last: Int)] = []
        for number in numbers.sorted() {
            if let last = ranges.last?.last, last < number, number - 1 == last {
                ranges[ranges.count - 1].last = number
            } else {
                ranges.append((number, number))
            }
        }
        return ranges.isEmpty
            ? "none" : ranges.map { $0.first == $0.last ? "\($0.first)" : "\($0.first) to \($0.last)" }.joined(separator: ", ")
    }

    private static func table(_ nodes: [(node: NodeInventory, bridges: [BridgeFacts])]) -> [FactTable] {
        let rows = nodes.flatMap { node, bridges in
            bridges.map { bridge in
                [
                    node.node.rawValue, bridge.name, bridge.ports.joined(separator: ", "),
                    bridge.isVLANAware == true ? list(bridge.vlans) : "not separated", bridge.mtu.map(String.init) ?? "",
                ]
            }
        }
        guard !rows.isEmpty else { return [] }
        return [
            FactTable(
                "Bridges",
                columns: [.init("Node"), .init("Bridge"), .init("Ports"), .init("VLANs"), .init("MTU", isNumber: true)], rows: rows)
        ]
    }
}
