import ClusterModel

/// What runs on the nodes.
enum SoftwareJudges {
    static func kernel(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(facts.compare("kernel") { $0.software.kernelRelease })
    }

    static func distribution(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.compare("distribution") { node in
                guard let id = node.software.distributionID else { return nil }
                return [id, node.software.distributionVersion].compactMap { $0 }.joined(separator: " ")
            })
    }

    static func packages(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.eachNode { node in
            let software = node.software
            var missing: [String] = []
            if software.qemuVersion == nil { missing.append("qemu-system-x86") }
            if software.corosyncVersion == nil { missing.append("corosync") }
            guard missing.isEmpty else {
                return ValidationFinding(
                    .failure, .node(node.node), reason: "\(node.node) lacks \(NodeList.text(missing)).",
                    cure: "apt-get install \(missing.joined(separator: " ")) on \(node.node).")
            }
            if software.packages.isEmpty { return node.unknown("packages") }
            return ValidationFinding(.pass, .node(node.node), reason: "QEMU, Corosync and Apus are there.")
        }
        let names = facts.answers.flatMap { $0.software.packages.map(\.name) }
        let rows = Set(names).sorted().map { name in
            [name] + facts.answers.map { node in node.software.packages.first { $0.name == name }?.version ?? "" }
        }
        let table = FactTable("Packages", columns: [.init("Package")] + facts.answers.map { .init($0.node.rawValue) }, rows: rows)
        return .judged(findings, tables: rows.isEmpty ? [] : [table]) { "\($0) lacks packages that the cluster needs" }
    }

    static func services(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.eachNode { node in
            let services = node.software.services
            if services.isEmpty { return node.unknown("services") }
            let failed = services.filter { $0.activeState == "failed" }.map(\.name)
            guard let first = failed.first else {
                return ValidationFinding(
                    .pass, .node(node.node),
                    reason: "\(services.count { $0.activeState == "active" }) of the services that matter here run, none has failed.")
            }
            return ValidationFinding(
                .warning, .node(node.node), reason: "\(NodeList.text(failed)) failed on \(node.node).",
                cure: "systemctl status \(first) on \(node.node) says why.")
        }
        let tables = facts.answers.filter { !$0.software.services.isEmpty }.map { node in
            FactTable(
                "Services", node: node.node, columns: [.init("Unit"), .init("State"), .init("At boot")],
                rows: node.software.services.map { [$0.name, $0.activeState ?? "not installed", $0.enabledState ?? ""] })
        }
        return TestOutcome(findings, tables: tables)
    }

    static func environment(_ facts: CollectedFacts) -> TestOutcome {
        let names = Set(facts.answers.flatMap { $0.software.environment.keys }).sorted()
        if names.isEmpty { return .notApplicable("No node sets a locale, a time zone or a proxy for its services.") }
        // Unset is a value like others: that one node has a proxy and the other has none is what matters.
        return TestOutcome(names.flatMap { name in facts.compare(name, item: name) { $0.software.environment[name] ?? "not set" } })
    }

    static func timeSource(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                let time = node.system.time
                guard let service = time.service else {
                    return ValidationFinding(
                        .warning, .node(node.node), reason: "No service that keeps the clock right runs on \(node.node).")
                }
                let source = time.source.map { " from \($0)" } ?? ""
                let stratum = time.stratum.map { ", stratum \($0)" } ?? ""
                return ValidationFinding(.pass, .node(node.node), reason: "\(service)\(source)\(stratum).")
            })
    }

    static func pendingReboot(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                let reasons = node.software.pendingReboot
                return reasons.isEmpty
                    ? ValidationFinding(.pass, .node(node.node), reason: "No restart is pending.")
                    : ValidationFinding(
                        .warning, .node(node.node), reason: "\(node.node) waits for a restart because of \(NodeList.text(reasons)).")
            })
    }
}
