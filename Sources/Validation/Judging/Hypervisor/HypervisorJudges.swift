import ClusterModel

/// What the nodes' QEMUs have in common.
enum HypervisorJudges {
    static func emulation(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                guard let acceleration = node.hypervisor.acceleration else { return node.unknown("acceleration") }
                if acceleration == .tcg {
                    return ValidationFinding(
                        .warning, .node(node.node),
                        reason:
                            "Guests of \(node.node) are emulated, many times slower than on real hardware. \(node.hypervisor.accelerationEvidence ?? "")",
                        cure: "Use \(node.node) for tests only, or enable virtualization in its firmware or on the machine below it.")
                }
                if let below = node.hardware.processors.hypervisor {
                    return ValidationFinding(
                        .warning, .node(node.node),
                        reason: "\(node.node) is itself a guest (\(below)): its guests are nested, and pauses of the host stop them too.",
                        cure: "Use real hardware for machines that matter.")
                }
                return ValidationFinding(.pass, .node(node.node), reason: "Real hardware, \(acceleration.rawValue).")
            })
    }

    static func machineTypes(_ facts: CollectedFacts) -> TestOutcome {
        let lists = facts.answers.map(\.hypervisor.machineTypes)
        let common = lists.dropFirst().reduce(Set(lists.first ?? [])) { $0.intersection($1) }
        var findings: [ValidationFinding] = facts.eachNode { node in
            if node.hypervisor.machineTypes.isEmpty { return node.unknown("machine types") }
            let own = node.hypervisor.machineTypes.filter { !common.contains($0) }
            guard !own.isEmpty, !common.isEmpty else {
                return ValidationFinding(.pass, .node(node.node), reason: "\(node.hypervisor.machineTypes.count) machine types.")
            }
            return ValidationFinding(
                .warning, .node(node.node),
                reason: "\(node.node) knows \(own.count) machine types that another node does not, for instance \(own[own.count - 1]).",
                cure: "Do not give machines these types until QEMU has the same version on all nodes.")
        }
        if common.isEmpty {
            findings.append(ValidationFinding(.failure, reason: "There is no machine type that every node knows."))
            return TestOutcome(findings, headline: "no machine type is known to all nodes")
        }
        let newest = ["q35", "i440fx"].compactMap { board in
            facts.answers.first?.hypervisor.machineTypes.filter { common.contains($0) && $0.hasPrefix("pc-\(board)-") }.last
        }
        findings.append(
            ValidationFinding(
                .pass,
                reason:
                    "\(common.count) machine types are known to all nodes; the newest \(newest.count == 1 ? "is" : "are") \(NodeList.text(newest))."
            ))
        return TestOutcome(findings)
    }

    /// QEMU's x86 models from the richest down, each family in the order of its generations (QEMU docs, "Recommendations for KVM CPU model
    /// configuration"). Versions and variants follow their model.
    private static let preference = [
        "SapphireRapids", "Icelake-Server", "Cascadelake-Server", "Skylake-Server", "EPYC-Genoa", "EPYC-Milan", "EPYC-Rome", "EPYC",
        "Skylake-Client", "Broadwell", "Haswell", "IvyBridge", "SandyBridge", "Opteron_G5", "Opteron_G4", "Westmere", "Nehalem", "Penryn",
        "Opteron_G3", "Opteron_G2", "Opteron_G1", "Conroe", "kvm64", "qemu64",
    ]

    static func processorBaseline(_ facts: CollectedFacts) -> TestOutcome {
        let lists = facts.answers.map { Set($0.hypervisor.cpuModels) }
        let common = lists.dropFirst().reduce(lists.first ?? []) { $0.intersection($1) }
        var findings: [ValidationFinding] = facts.eachNode { node in
            if node.hypervisor.cpuModels.isEmpty { return node.unknown("processor models") }
            guard let best = best(Set(node.hypervisor.cpuModels)) else {
                return ValidationFinding(.pass, .node(node.node), reason: "\(node.hypervisor.cpuModels.count) models.")
            }
            return ValidationFinding(
                .pass, .node(node.node), reason: "\(node.hypervisor.cpuModels.count) models, the best of them \(best).")
        }
        guard let best = best(common) ?? common.min() else {
            findings.append(ValidationFinding(.failure, reason: "There is no processor model that every node can run."))
            return TestOutcome(findings, headline: "no processor model runs on all nodes")
        }
        let features = facts.answers.map { Set($0.hardware.processors.features) }
        let commonFeatures = features.dropFirst().reduce(features.first ?? []) { $0.intersection($1) }
        for node in facts.answers {
            let own = Set(node.hardware.processors.features).subtracting(commonFeatures).sorted()
            guard !own.isEmpty, !commonFeatures.isEmpty else { continue }
            let lacking = facts.answers.filter { !own.allSatisfy($0.hardware.processors.features.contains) }.map(\.node)
            findings.append(
                ValidationFinding(
                    .warning, .node(node.node, item: "features"),
                    reason:
                        "\(NodeList.text(lacking)) lacks processor features that \(node.node) has: \(own.prefix(8).joined(separator: ", "))"
                        + "\(own.count > 8 ? " and \(own.count - 8) more" : "").",
                    cure:
                        "Give machines the model \(best), and not `host`; or enable the features in the firmware of \(NodeList.text(lacking))."
                ))
        }
        findings.append(
            ValidationFinding(.pass, reason: "\(best) is the best model that runs on all nodes.", figures: [Figure("Common model", best)]))
        return TestOutcome(findings)
    }

    static func best(_ models: Set<String>) -> String? {
        for family in preference {
            let known = models.filter { $0 == family || $0.hasPrefix(family + "-v") }
            // The plain name stands for the version that fits every machine type.
            if let model = known.contains(family) ? family : known.max() { return model }
        }
        return nil
    }

    static func hugepages(_ facts: CollectedFacts) -> TestOutcome {
        let all = facts.answers.map { $0.hardware.memory.hugepages.filter { $0.total > 0 } }
        if all.allSatisfy(\.isEmpty) { return .notApplicable("No node reserves hugepages.") }
        return TestOutcome(
            facts.compare("hugepages") { node in
                let reserved = node.hardware.memory.hugepages.filter { $0.total > 0 }
                return reserved.isEmpty ? "none" : reserved.map { "\($0.total) of \(ByteText.text($0.pageBytes))" }.joined(separator: ", ")
            })
    }

    static func passthrough(_ facts: CollectedFacts) -> TestOutcome {
        if facts.answers.allSatisfy({ $0.hypervisor.hasIOMMU == false }) {
            return .notApplicable("No node has an IOMMU that is switched on: devices cannot be given to guests.")
        }
        return TestOutcome(
            facts.compare("IOMMU") { $0.hypervisor.hasIOMMU.map { $0 ? "switched on" : "switched off" } })
    }
}
