import ClusterModel
import Foundation
import MigrationRules
import NodeIdentity
import Validation

/// A guest that goes from one node of a pair to the other and back.
struct GuestJourney {
    private let context: StepContext
    private let kind: MigrationKind
    private let nodes: (NodeName, NodeName)?

    init(_ step: ValidationStep, _ context: StepContext, _ kind: MigrationKind) {
        self.context = context
        self.kind = kind
        if case .pair(let one, let other) = step.target { nodes = (one, other) } else { nodes = nil }
    }

    func outcome() async throws -> TestOutcome {
        guard let (one, other) = nodes, let first = context.inventory(of: one), let second = context.inventory(of: other) else {
            return TestOutcome()
        }
        guard context.isMember(one) == context.isMember(other) else {
            let free = context.isMember(one) ? other : one
            return .notApplicable(
                "\(free) has no certificates of the cluster yet, so no guest can move to it. Validate again once it is a member.")
        }
        guard let machine = GuestJudges.commonMachine(first, second) else { return GuestJudges.nothingInCommon(one, other, kind) }
        let reasons = preflight(first, second, machine)
        guard reasons.isEmpty else { return GuestJudges.refused(one, other, reasons: reasons) }
        async let firstDoor = door(of: first)
        async let secondDoor = door(of: second)
        let doors = try await (firstDoor, secondDoor)

        let guest = ProbeGuests.newIdentifier()
        let start = GuestStartQuestion(guest: guest, machineType: machine.machineType, cpuModel: machine.cpuModel)
        do throws(ProbeFailure) { _ = try await context.ask(start, of: one) } catch {
            return GuestJudges.didNotStart(one, towards: other, reason: error.reason)
        }
        var outcome = try await move(guest, from: one, to: other, door: doors.1)
        // Where it did not arrive, the way back has nothing to show.
        let hasArrived = !outcome.findings.contains { $0.verdict == .failure }
        if hasArrived { outcome = outcome + (try await move(guest, from: other, to: one, door: doors.0)) }
        // Wherever it is now; what this does not reach goes at the end of the run.
        for node in [one, other] { _ = try? await context.ask(GuestEndQuestion(guest: guest), of: node) }
        guard !hasArrived, !reasonIsShared(outcome) else { return outcome }
        return outcome + (try await theOtherWay(machine, from: other, to: one, door: doors.0))
    }

    /// The way there is broken; whether the way back is too helps to find out why.
    private func theOtherWay(
        _ machine: GuestJudges.CommonMachine, from: NodeName, to: NodeName, door: GuestDoorQuestion.Evidence?
    ) async throws -> TestOutcome {
        let guest = ProbeGuests.newIdentifier()
        let start = GuestStartQuestion(guest: guest, machineType: machine.machineType, cpuModel: machine.cpuModel)
        do throws(ProbeFailure) { _ = try await context.ask(start, of: from) } catch {
            return GuestJudges.didNotStart(from, towards: to, reason: error.reason)
        }
        let outcome = try await move(guest, from: from, to: to, door: door)
        for node in [from, to] { _ = try? await context.ask(GuestEndQuestion(guest: guest), of: node) }
        return outcome
    }

    /// A test has only so long: after a move that took most of it there is no time for another one.
    private func reasonIsShared(_ outcome: TestOutcome) -> Bool {
        outcome.findings.contains { finding in
            finding.figures.contains { if case .number(let time, .milliseconds) = $0.value { time > 8_000 } else { false } }
        }
    }

    private func move(
        _ guest: UUID, from: NodeName, to: NodeName, door: GuestDoorQuestion.Evidence?
    ) async throws -> TestOutcome {
        let question = GuestMoveQuestion(guest: guest, kind: kind, destination: to, door: door)
        return GuestJudges.move(
            kind, from: from, to: to, try await context.ask(question, of: from, within: GuestMove.deadline + ProbePatience.answer))
    }

    // MARK: Before anything is started

    /// The same rules that decide whether a machine may be moved.
    private func preflight(_ one: NodeInventory, _ other: NodeInventory, _ machine: GuestJudges.CommonMachine) -> [String] {
        guard let source = NodeFacts(one), let destination = NodeFacts(other) else { return [] }
        let definition = VMDefinition(
            name: VMName(unchecked: "a-guest"), id: UUID(), memoryMiB: ProbeGuests.memoryMiB, vcpus: 1, cpuModel: machine.cpuModel,
            machineType: machine.machineType, firmware: .bios, disks: [], interfaces: [])
        var facts = destination
        // The rule looks for the disk of the ownership record, and a test's guest has none.
        facts.disks = [DiskID("none")]
        let order = MigrationOrder(vm: definition.name, destination: other.node, kind: kind)
        return refusals(
            of: order,
            given: PreflightFacts(
                machine: VirtualMachine(
                    definition: definition, extents: [:], firmwareVariables: nil,
                    ownershipSlot: OwnershipSlot(disk: DiskID("none"), index: 0)), state: .running, owner: one.node, source: source,
                destination: facts, machinesOnDestination: [], isMigrating: false))
    }

    // MARK: Nodes that share no certificates yet

    /// - Returns: nil for a member of a cluster: it knows the other members.
    private func door(of node: NodeInventory) async throws -> GuestDoorQuestion.Evidence? {
        guard !context.isMember(node.node) else { return nil }
        let context = context
        return try await context.shared.once("guest door of \(node.node)") {
            let authority = try await context.shared.once("guest authority") {
                try CertificateAuthority.create(cluster: "validation", now: Date())
            }
            let addresses = node.network.roles.filter { ["cluster", "migration"].contains($0.role) }.map(\.address)
            let issued = try authority.issueNodeCertificate(node: node.node.rawValue, addresses: addresses, now: Date())
            let question = GuestDoorQuestion(api: .init(issued.api), stream: .init(issued.stream))
            return try await context.ask(question, of: node.node)
        }
    }
}

extension GuestDoorQuestion.Certificates {
    init(_ issued: CertificateWithKey) {
        self.init(authority: issued.authorityPEM, certificate: issued.certificatePEM, key: issued.keyPEM)
    }
}

extension NodeFacts {
    /// As far as pre-flight needs them.
    ///
    /// - Returns: nil when the node does not know how it runs guests, which is a finding of other tests.
    fileprivate init?(_ inventory: NodeInventory) {
        guard let acceleration = inventory.hypervisor.acceleration else { return nil }
        self.init(
            node: inventory.node, apusVersion: inventory.software.apusVersion ?? "", qemuVersion: inventory.software.qemuVersion ?? "",
            acceleration: acceleration, accelerationEvidence: inventory.hypervisor.accelerationEvidence ?? "",
            machineTypes: inventory.hypervisor.machineTypes, cpuModels: inventory.hypervisor.cpuModels,
            memoryTotalMiB: Int(clamping: (inventory.hardware.memory.totalBytes ?? 0) >> 20),
            memoryAvailableMiB: Int(clamping: (inventory.hardware.memory.availableBytes ?? 0) >> 20),
            bridges: inventory.network.bridges.map(\.name), disks: [], machinesRunning: 0,
            acceptsPostCopy: inventory.hypervisor.acceptsPostCopy ?? false)
    }
}
