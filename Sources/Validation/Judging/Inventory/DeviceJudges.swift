import ClusterModel

/// Adapters and disks of the nodes.
enum DeviceJudges {
    static func adapters(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            if node.network.adapters.isEmpty { return [node.unknown("network adapters")] }
            let used = Set(node.network.roles.compactMap(\.adapter))
            let complaints = node.network.adapters.filter { used.contains($0.name) }.compactMap { complaint($0, node.node) }
            return complaints.isEmpty
                ? [ValidationFinding(.pass, .node(node.node), reason: "\(node.network.adapters.count) adapters.")] : complaints
        }
        let tables = facts.answers.filter { !$0.network.adapters.isEmpty }.map { node in
            FactTable(
                "Network adapters", node: node.node,
                columns: [
                    .init("Adapter"), .init("Kind"), .init("Addresses"), .init("MAC"), .init("MTU", isNumber: true),
                    .init("Mbit/s", isNumber: true), .init("Link"), .init("Driver"), .init("Errors", isNumber: true),
                ],
                rows: node.network.adapters.filter { $0.kind != "tap" }.map { adapter in
                    let errors = [adapter.receiveErrors, adapter.transmitErrors].compactMap { $0 }
                    return [
                        adapter.name, adapter.kind ?? "", adapter.addresses.joined(separator: " "), adapter.macAddress ?? "",
                        adapter.mtu.map(String.init) ?? "", adapter.speedMbitPerSecond.map(String.init) ?? "",
                        adapter.hasCarrier.map { $0 ? "yes" : "no" } ?? "", adapter.driver ?? "",
                        errors.isEmpty ? "" : String(errors.reduce(0) { $0.addingReportingOverflow($1).partialValue }),
                    ]
                })
        }
        return .judged(findings, tables: tables) { "\($0) has no link on a network of the cluster" }
    }

    private static func complaint(_ adapter: AdapterFacts, _ node: NodeName) -> ValidationFinding? {
        if adapter.hasCarrier == false {
            return ValidationFinding(
                .failure, .node(node, item: adapter.name), reason: "\(adapter.name) of \(node) has no link, and the cluster is to use it.",
                cure: "Plug in its cable, or set it up with `ip link set \(adapter.name) up`.")
        }
        if let errors = adapter.receiveErrors, errors > 0 {
            return ValidationFinding(
                .warning, .node(node, item: adapter.name),
                reason: "\(adapter.name) of \(node) has counted \(errors) errors in what it received.",
                cure: "Check cable and transceiver; `ethtool -S \(adapter.name)` says which errors they were.")
        }
        return nil
    }

    static func hostBusAdapters(_ facts: CollectedFacts) -> TestOutcome {
        guard facts.answers.contains(where: { !$0.storage.hostBusAdapters.isEmpty }) else {
            return .notApplicable("No node has a Fibre Channel adapter.")
        }
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            let adapters = node.storage.hostBusAdapters
            if adapters.isEmpty {
                return [
                    ValidationFinding(
                        .warning, .node(node.node), reason: "\(node.node) has no Fibre Channel adapter, other nodes have.")
                ]
            }
            return adapters.map { adapter in
                let state = adapter.portState ?? "unknown"
                return ValidationFinding(
                    state == "Online" ? .pass : .warning, .node(node.node, item: adapter.name),
                    reason: "\(adapter.model ?? adapter.name), port \(adapter.portName ?? "unknown"), \(state).",
                    cure: state == "Online" ? nil : "Check the cable and the zone of port \(adapter.portName ?? adapter.name).")
            }
        }
        return TestOutcome(findings)
    }

    static func iscsiInitiators(_ facts: CollectedFacts) -> TestOutcome {
        guard facts.answers.contains(where: { !$0.storage.initiators.isEmpty }) else {
            return .notApplicable("No node has an iSCSI initiator.")
        }
        var owners: [String: [NodeName]] = [:]
        for node in facts.answers {
            for name in Set(node.storage.initiators.map(\.name)) { owners[name, default: []].append(node.node) }
        }
        let findings = facts.eachNode { node in
            guard !node.storage.initiators.isEmpty else {
                return ValidationFinding(.warning, .node(node.node), reason: "\(node.node) has no initiator name, other nodes have.")
            }
            for initiator in node.storage.initiators {
                let others = (owners[initiator.name] ?? []).filter { $0 != node.node }
                guard others.isEmpty else {
                    return ValidationFinding(
                        .failure, .node(node.node, item: initiator.name),
                        reason: "\(node.node) has the initiator name \(initiator.name) (\(initiator.source)) that \(NodeList.text(others)) "
                            + "has too: the target takes them for one host, and no reservation keeps them apart.")
                }
            }
            return ValidationFinding(
                .pass, .node(node.node), reason: node.storage.initiators.map { "\($0.name) (\($0.source))" }.joined(separator: ", ") + ".")
        }
        return .judged(findings) { "\($0) have one iSCSI initiator name" }
    }

    static func disks(_ facts: CollectedFacts) -> TestOutcome {
        let shared = facts.sharedDisks
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            if let problem = node.unreadable.first(where: { $0.what == "disks of the SAN" }) {
                return [
                    ValidationFinding(
                        .failure, .node(node.node), reason: "\(node.node) cannot list the disks of the SAN. \(problem.reason)",
                        cure: "Check portal, target, user and secret in node.yaml, and that the storage network reaches the portal.")
                ]
            }
            let missing = shared.filter { disk in !node.storage.disks.contains { $0.id == disk.id } }
            guard missing.isEmpty else {
                return missing.map { disk in
                    ValidationFinding(
                        .warning, .disk(disk.id, node: node.node),
                        reason:
                            "\(node.node) does not see \(disk.lun.map { "LUN \($0)" } ?? "disk") (\(disk.id), \(ByteText.text(disk.byteCount))), which other nodes see."
                    )
                }
            }
            return [
                ValidationFinding(.pass, .node(node.node), reason: "\(node.storage.disks.count) disks, \(shared.count) of them shared.")
            ]
        }
        let tables = facts.answers.map { node in
            FactTable(
                "Disks", node: node.node,
                columns: [
                    .init("Path"), .init("LUN", isNumber: true), .init("Identity"), .init("Model"), .init("Serial"),
                    .init("Size", isNumber: true), .init("Reached by"), .init("Carries"), .init("Used by"),
                ],
                rows: node.storage.disks.map { disk in
                    [
                        disk.path, disk.lun.map(String.init) ?? "", disk.id?.rawValue ?? "",
                        [disk.vendor, disk.product].compactMap { $0 }.joined(separator: " "), disk.serial ?? "",
                        disk.byteCount.map(ByteText.text) ?? "", disk.transport ?? "", disk.content?.sentence ?? "", disk.usedBy ?? "",
                    ]
                })
        }
        return .judged(findings, tables: tables) { "\($0) cannot list the disks of the SAN" }
    }
}
