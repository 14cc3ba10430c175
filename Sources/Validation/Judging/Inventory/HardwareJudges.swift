import ClusterModel

/// What the nodes are built of.
enum HardwareJudges {
    static func firmware(_ facts: CollectedFacts) -> TestOutcome {
        let rows = facts.answers.map { node -> [String] in
            let firmware = node.hardware.firmware
            return [
                node.node.rawValue, [firmware.systemVendor, firmware.systemProduct].compactMap { $0 }.joined(separator: " "),
                firmware.vendor ?? "", firmware.version ?? "", firmware.date ?? "", firmware.isUEFI.map { $0 ? "UEFI" : "BIOS" } ?? "",
                firmware.isSecureBoot.map { $0 ? "on" : "off" } ?? "",
            ]
        }
        return TestOutcome(
            facts.compare("firmware") { node in
                let firmware = node.hardware.firmware
                let text = [firmware.vendor, firmware.version].compactMap { $0 }.joined(separator: " ")
                return text.isEmpty ? nil : text
            },
            tables: [
                FactTable(
                    "Firmware",
                    columns: [
                        .init("Node"), .init("System"), .init("Vendor"), .init("Version"), .init("Date"), .init("Kind"),
                        .init("Secure Boot"),
                    ],
                    rows: rows)
            ])
    }

    static func processors(_ facts: CollectedFacts) -> TestOutcome {
        let rows = facts.answers.map { node -> [String] in
            let processors = node.hardware.processors
            return [
                node.node.rawValue, processors.model ?? "", processors.sockets.map(String.init) ?? "",
                processors.cores.map(String.init) ?? "",
                processors.threads.map(String.init) ?? "", processors.microcode ?? "", processors.hypervisor ?? "",
            ]
        }
        var findings = facts.compare("processor", fact: "processors") { $0.hardware.processors.model }
        let vendors = Set(facts.answers.compactMap(\.hardware.processors.vendor))
        if vendors.count > 1 {
            findings.append(
                ValidationFinding(
                    .warning, reason: "The processors are of \(NodeList.text(vendors.sorted())): no machine moves live between them.",
                    cure: "Use nodes with processors of one vendor, or let machines move only by quick migration after a shutdown."))
        }
        return TestOutcome(
            findings,
            tables: [
                FactTable(
                    "Processors",
                    columns: [
                        .init("Node"), .init("Model"), .init("Sockets", isNumber: true), .init("Cores", isNumber: true),
                        .init("Threads", isNumber: true), .init("Microcode"), .init("Runs under"),
                    ], rows: rows)
            ])
    }

    /// A node with less than this part of the largest cannot take over what that one ran.
    private static let comparable = 0.9

    static func memory(_ facts: CollectedFacts) -> TestOutcome {
        let largest = facts.answers.compactMap(\.hardware.memory.totalBytes).max() ?? 0
        let findings = facts.eachNode { node in
            let memory = node.hardware.memory
            guard let total = memory.totalBytes else { return node.unknown("memory") }
            let text = ByteText.text(total)
            if let errors = memory.uncorrectedErrors, errors > 0 {
                return ValidationFinding(
                    .failure, .node(node.node), reason: "The memory of \(node.node) had \(errors) errors that could not be corrected.",
                    cure: "Replace the module that `ras-mc-ctl --errors` names before the node carries machines.")
            }
            if let errors = memory.correctedErrors, errors > 0 {
                return ValidationFinding(
                    .warning, .node(node.node), reason: "The memory of \(node.node) had \(errors) errors that were corrected.",
                    cure: "Watch the module that `ras-mc-ctl --errors` names; one that goes on failing should be replaced.")
            }
            if Double(total) < Double(largest) * comparable {
                return ValidationFinding(
                    .warning, .node(node.node), reason: "\(node.node) has \(text), the largest node \(ByteText.text(largest)).")
            }
            return ValidationFinding(.pass, .node(node.node), reason: "\(text).", figures: [Figure("Memory", Double(total), .bytes)])
        }
        return .judged(findings) { "\($0) has failing memory" }
    }

    static func numa(_ facts: CollectedFacts) -> TestOutcome {
        let tables = facts.answers.filter { !$0.hardware.numaNodes.isEmpty }.map { node in
            FactTable(
                "NUMA nodes", node: node.node,
                columns: [.init("NUMA node", isNumber: true), .init("Processors"), .init("Memory", isNumber: true)],
                rows: node.hardware.numaNodes.map { ["\($0.number)", $0.processors, ByteText.text($0.memoryBytes)] })
        }
        if tables.isEmpty { return .notApplicable("No node's kernel knows NUMA nodes.") }
        return TestOutcome(
            facts.compare("number of NUMA nodes") { $0.hardware.numaNodes.isEmpty ? nil : String($0.hardware.numaNodes.count) },
            tables: tables)
    }

    static func pciDevices(_ facts: CollectedFacts) -> TestOutcome {
        let tables = facts.answers.map { node in
            FactTable(
                "PCI devices", node: node.node,
                columns: [.init("Address"), .init("Class"), .init("Device"), .init("Driver"), .init("IOMMU group")],
                rows: node.hardware.pciDevices.map {
                    [$0.address, $0.classCode, $0.name ?? "\($0.vendorID):\($0.deviceID)", $0.driver ?? "", $0.iommuGroup ?? ""]
                })
        }
        if tables.allSatisfy({ $0.rows.isEmpty }) { return .notApplicable("No node has a PCI bus.") }
        let findings = facts.eachNode { node in
            // Classes 01 and 02 (PCI Code and ID Assignment): storage and network, which a node has in order to use them.
            let idle = node.hardware.pciDevices.filter {
                $0.driver == nil && ($0.classCode.hasPrefix("01") || $0.classCode.hasPrefix("02"))
            }
            guard let first = idle.first else {
                return ValidationFinding(.pass, .node(node.node), reason: "\(node.hardware.pciDevices.count) devices.")
            }
            return ValidationFinding(
                .warning, .node(node.node),
                reason:
                    "\(idle.count == 1 ? "A storage or network device has" : "\(idle.count) storage or network devices have") no driver: "
                    + idle.map { "\($0.address) (\($0.vendorID):\($0.deviceID))" }.joined(separator: ", ") + ".",
                cure: "See `lspci -k -s \(first.address)`; install its driver or firmware package, or disable the device.")
        }
        return TestOutcome(findings, tables: tables)
    }
}
