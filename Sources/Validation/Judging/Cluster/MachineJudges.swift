import ClusterModel
import Foundation

/// Whether the clustered machines are as they should be, and what becomes of them at the next loss.
public enum MachineJudges {
    private static let noMachines = TestOutcome.notApplicable("The cluster has no machines yet.")

    // MARK: Roles

    public static func roles(_ evidence: ClusterEvidence) -> TestOutcome {
        guard let best = evidence.best else { return MembershipJudges.nobodyKnows }
        guard !best.machines.isEmpty else { return noMachines }
        let findings = best.machines.map { line -> ValidationFinding in
            let subject = FindingSubject.node(line.owner, item: line.name.rawValue)
            let look = "See apus vm show \(line.name) and apus events."
            guard let owner = evidence.members[line.owner] else {
                return ValidationFinding(
                    .failure, subject, reason: "\(line.owner) owns \(line.name) and does not answer.",
                    cure: "Start \(line.owner). What it ran is started elsewhere once it is proven off.")
            }
            guard let found = owner.local.first(where: { $0.name == line.name }) else {
                return ValidationFinding(
                    .failure, subject, reason: "\(line.owner) owns \(line.name) and knows nothing of it.", cure: look)
            }
            let note = found.note.map { " \($0)" } ?? ""
            switch (line.desired, found.state) {
            case (.running, .running), (.running, .migrating), (.stopped, .stopped):
                guard let problem = line.problem else {
                    return ValidationFinding(.pass, subject, reason: "\(found.state.rawValue.capitalizedFirst), as it should be.")
                }
                return ValidationFinding(.warning, subject, reason: "\(line.name): \(problem)", cure: look)
            case (.running, .starting), (.running, .incoming):
                return ValidationFinding(.pass, subject, reason: "It is just being started.")
            case (.running, .crashed), (.running, .lost), (.running, .stopped):
                return ValidationFinding(
                    .failure, subject, reason: "\(line.name) should run on \(line.owner) and is \(found.state.rawValue).\(note)",
                    cure: "\(look) Start it with: apus vm start \(line.name)")
            case (.running, _):
                return ValidationFinding(
                    .warning, subject, reason: "\(line.name) should run on \(line.owner) and is \(found.state.rawValue).\(note)", cure: look
                )
            case (.stopped, _):
                return ValidationFinding(
                    .warning, subject, reason: "\(line.name) should be off and is \(found.state.rawValue) on \(line.owner).\(note)",
                    cure: "\(look) Turn it off with: apus vm stop \(line.name)")
            }
        }
        return headed(findings, "is not as it should be", "are not as they should be")
    }

    /// The headline is made of the machines that fail.
    private static func headed(_ findings: [ValidationFinding], _ one: String, _ several: String) -> TestOutcome {
        let names = findings.filter { $0.verdict == .failure }.compactMap(\.subject.item)
        guard !names.isEmpty else { return TestOutcome(findings) }
        return TestOutcome(findings, headline: "\(NodeList.text(names)) \(names.count == 1 ? one : several)")
    }

    // MARK: Resources

    public static func resources(_ evidence: ClusterEvidence, _ facts: CollectedFacts) -> TestOutcome {
        guard let best = evidence.best else { return MembershipJudges.nobodyKnows }
        guard !best.machines.isEmpty else { return noMachines }
        let findings = best.machines.compactMap { line -> ValidationFinding? in
            // That the owner is silent is told by cluster/nodes and cluster/roles.
            guard let inventory = facts.inventories[line.owner], let owner = evidence.members[line.owner] else { return nil }
            let subject = FindingSubject.node(line.owner, item: line.name.rawValue)
            var missing = lacking(line, inventory)
            missing += owner.local.first { $0.name == line.name }?.missingFiles ?? []
            guard !missing.isEmpty else {
                return ValidationFinding(.pass, subject, reason: "Its disks, bridges and files are on \(line.owner).")
            }
            return ValidationFinding(
                .failure, subject, reason: "\(line.owner) owns \(line.name) and lacks \(NodeList.text(missing)).",
                cure: "Bring that back on \(line.owner), or move \(line.name) to a node that has it.")
        }
        return headed(findings, "lacks what it needs", "lack what they need")
    }

    /// Disks and bridges of a machine that a node does not have.
    private static func lacking(_ line: MemberEvidence.MachineLine, _ inventory: NodeInventory) -> [String] {
        let bridges = Set(inventory.network.bridges.map(\.name))
        let disks = Set(inventory.storage.disks.compactMap(\.id))
        return Set(line.machine.definition.interfaces.map(\.bridge)).subtracting(bridges).sorted().map { "bridge \($0)" }
            + self.disks(of: line.machine).subtracting(disks).sorted().map { "disk \($0)" }
    }

    /// What keeps a node from running a machine, its memory apart.
    private static func obstacles(to line: MemberEvidence.MachineLine, _ inventory: NodeInventory) -> [String] {
        let (definition, hypervisor) = (line.machine.definition, inventory.hypervisor)
        return lacking(line, inventory)
            + (hypervisor.machineTypes.contains(definition.machineType) ? [] : ["machine type \(definition.machineType)"])
            + (hypervisor.cpuModels.contains(definition.cpuModel) ? [] : ["processor model \(definition.cpuModel)"])
    }

    private static func disks(of machine: VirtualMachine) -> Set<DiskID> {
        var disks = Set(machine.extents.values.map(\.disk))
        if let variables = machine.firmwareVariables { disks.insert(variables.disk) }
        disks.insert(machine.ownershipSlot.disk)
        return disks
    }

    // MARK: Policies

    /// Every machine of a cluster is to go on when its node is lost: some other node must be able to run it.
    public static func policies(_ evidence: ClusterEvidence, _ facts: CollectedFacts) -> TestOutcome {
        guard let best = evidence.best else { return MembershipJudges.nobodyKnows }
        guard !best.machines.isEmpty else { return noMachines }
        let findings = best.machines.map { line -> ValidationFinding in
            let subject = FindingSubject.node(line.owner, item: line.name.rawValue)
            var able: [NodeName] = []
            var reasons: [String] = []
            for inventory in facts.answers where inventory.node != line.owner {
                let missing = obstacles(to: line, inventory)
                if missing.isEmpty {
                    able.append(inventory.node)
                } else {
                    reasons.append("\(inventory.node) lacks \(NodeList.text(missing))")
                }
            }
            guard able.isEmpty else { return ValidationFinding(.pass, subject, reason: "It can also run on \(NodeList.text(able)).") }
            let why = reasons.isEmpty ? "no other node answers" : reasons.joined(separator: "; ")
            return ValidationFinding(
                .warning, subject, reason: "\(line.name) can run on \(line.owner) alone: \(why).",
                cure: "Give another node what it lacks, or change the definition of \(line.name).")
        }
        return TestOutcome(findings)
    }

    // MARK: Capacity

    /// What a node keeps for itself, as the rules of migration have it.
    private static let reserveMiB = 128

    /// Whether the others have memory for what each node runs. A machine goes only where nothing else keeps it from running; one that no other
    /// node can run is told by ``policies(_:_:)``.
    public static func capacity(_ evidence: ClusterEvidence, _ facts: CollectedFacts) -> TestOutcome {
        guard let best = evidence.best else { return MembershipJudges.nobodyKnows }
        guard facts.subject.nodes.count > 1 else { return .notApplicable("There is one node; nothing can go on without it.") }
        let findings = best.nodes.map { lost -> ValidationFinding in
            let subject = FindingSubject.node(lost.name)
            let machines = best.machines.filter { $0.owner == lost.name && $0.desired == .running }
            guard !machines.isEmpty else {
                return ValidationFinding(.pass, subject, reason: "It runs nothing that would have to go elsewhere.")
            }
            var room: [NodeName: Int] = [:]
            for node in facts.answers where node.node != lost.name {
                room[node.node] = Int(clamping: (node.hardware.memory.availableBytes ?? 0) >> 20) - reserveMiB
            }
            // The largest first, each where most is left: what every failover tries, and good enough to tell whether there is room.
            var homeless: [VMName] = []
            for line in machines.sorted(by: { ($1.machine.definition.memoryMiB, $0.name) < ($0.machine.definition.memoryMiB, $1.name) }) {
                let needed = line.machine.definition.memoryMiB
                let able = facts.answers.filter { $0.node != lost.name && obstacles(to: line, $0).isEmpty }.map(\.node)
                guard !able.isEmpty else { continue }
                let candidates = room.filter { able.contains($0.key) }
                guard let (node, left) = candidates.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), left >= needed else {
                    homeless.append(line.name)
                    continue
                }
                room[node] = left - needed
            }
            let total = machines.map(\.machine.definition.memoryMiB).reduce(0) { $0.addingReportingOverflow($1).partialValue }
            let figures = [Figure("Memory of its machines", Double(total) * 1_048_576, .bytes)]
            guard homeless.isEmpty else {
                return ValidationFinding(
                    .warning, subject,
                    reason:
                        "When \(lost.name) is lost the nodes that could take over have no memory for \(NodeList.text(homeless.map(\.rawValue))).",
                    cure: "Add memory or a node, or turn off machines that are not needed.", figures: figures)
            }
            let words = machines.count == 1 ? "the machine" : "the \(machines.count) machines"
            return ValidationFinding(
                .pass, subject, reason: "The others have memory for \(words) that it runs (\(total) MiB).", figures: figures)
        }
        return TestOutcome(findings)
    }

    // MARK: Volumes

    /// One node's view of every volume, against the configuration.
    public static func volumes(_ node: NodeName, _ member: MemberEvidence) -> TestOutcome {
        guard !member.volumes.isEmpty else { return .notApplicable("The cluster has no volumes yet.") }
        var findings: [ValidationFinding] = []
        for volume in member.volumes {
            let problems = complaints(volume, member)
            let subject = FindingSubject.disk(volume.disk, node: node)
            if problems.isEmpty {
                findings.append(
                    ValidationFinding(
                        .pass, subject,
                        reason: "\(volume.label): \(volume.extents.count) \(volume.extents.count == 1 ? "extent" : "extents") and "
                            + "\(volume.records.count) ownership \(volume.records.count == 1 ? "record" : "records"), as the configuration says."
                    ))
            }
            for (verdict, reason) in problems {
                findings.append(
                    ValidationFinding(
                        verdict, subject, reason: "\(node): \(reason)",
                        cure: verdict == .failure
                            ? "Write nothing to \(volume.label). See apus disk list on each node; what the configuration says is right, unless an "
                                + "administrator changed the disk on purpose." : "See apus disk list, and delete what no machine needs."))
            }
        }
        let broken = member.volumes.filter { volume in
            findings.contains { $0.verdict == .failure && $0.subject.disk == volume.disk }
        }.map(\.label)
        return TestOutcome(
            findings, headline: broken.isEmpty ? nil : "\(node) finds volume \(NodeList.text(broken)) other than the configuration has it")
    }

    private static func complaints(_ volume: MemberEvidence.VolumeLine, _ member: MemberEvidence) -> [(Verdict, String)] {
        switch volume.content {
        case nil: return [(.failure, "the disk of volume \(volume.label) is not to be seen. \(volume.problems.joined(separator: " "))")]
        case .clusterSharedVolume(let id, _) where id == volume.id: break
        case .some(let content): return [(.failure, "the disk of volume \(volume.label) carries something else: \(content.sentence).")]
        }
        var complaints: [(Verdict, String)] = volume.problems.map { (.failure, $0) }
        let extents = Dictionary(volume.extents.map { ($0.name, $0.extent) }, uniquingKeysWith: { first, _ in first })
        let records = Dictionary(volume.records.map { ($0.vmID, $0) }, uniquingKeysWith: { first, _ in first })
        var expected: Set<String> = []
        for line in member.machines {
            for (name, extent) in line.machine.extents.sorted(by: { $0.key < $1.key }) where extent.disk == volume.disk {
                let full = "\(line.name)/\(name)"
                expected.insert(full)
                switch extents[full] {
                case extent: break
                case nil: complaints.append((.failure, "\(volume.label) has no extent \(full), which the configuration names."))
                case .some: complaints.append((.failure, "extent \(full) lies elsewhere on \(volume.label) than the configuration says."))
                }
            }
            guard line.machine.ownershipSlot.disk == volume.disk, let record = records[line.machine.definition.id] else { continue }
            // The log leads: between its entry and the record there is a moment, and a migration writes it at its switchover.
            if record.owner != line.owner || record.epoch != line.epoch {
                complaints.append(
                    (
                        record.epoch > line.epoch ? .failure : .warning,
                        "the record of \(line.name) on \(volume.label) names \(record.owner) under epoch \(record.epoch), the configuration "
                            + "\(line.owner) under \(line.epoch)."
                    ))
            }
        }
        let machines = Set(member.machines.map(\.name.rawValue))
        let orphans = volume.extents.map(\.name).filter { name in
            !expected.contains(name) && !machines.contains(String(name.prefix { $0 != "/" }))
        }
        if !orphans.isEmpty {
            complaints.append((.warning, "\(volume.label) has extents of no machine: \(orphans.prefix(5).joined(separator: ", "))."))
        }
        return complaints
    }
}
