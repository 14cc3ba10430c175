import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Membership
import NodeIdentity
import NodeService
import SharedDisks
import Validation

/// What this node knows of the cluster that it is a member of. Reads its own copy of the configuration, and the volumes' metadata.
enum MemberProbe {
    static func look(_ context: ProbeContext) async throws -> MemberEvidence {
        guard let view = await context.forming?.engine.view else {
            throw ProbeProblem("\(context.node) is no member of a running cluster, or its engine is stopped. See: apus cluster status")
        }
        let (state, standing) = (view.state, view.standing)
        var evidence = MemberEvidence()
        evidence.index = state.appliedIndex
        evidence.digest = try digest(of: state)
        evidence.isOpen = standing.mayAct
        evidence.standing = sentence(state, standing)
        evidence.quorum = quorum(state, standing)
        evidence.witness = witness(state, standing)
        evidence.nodes = state.nodes.values.sorted { $0.id < $1.id }.map { node in
            .init(
                name: node.name, presence: node.presence, service: node.service, votes: state.votes.nodes[node.id, default: 0],
                isPresent: standing.members.contains(node.id), certificate: newest(of: node, state),
                isRevoked: state.certificates[newest(of: node, state).serial]?.revokedAt != nil)
        }
        evidence.machines = state.machines.values.sorted { $0.name < $1.name }.compactMap { machine in
            guard let owner = state.nodes[machine.owner]?.name else { return nil }
            return .init(
                machine: machine.machine, owner: owner, epoch: machine.epoch, desired: machine.desired, problem: machine.problem)
        }
        evidence.local = try await context.machines().map { status in
            .init(name: status.machine.name, state: status.state, note: status.note, missingFiles: missingFiles(of: status.machine))
        }
        evidence.operations = state.operations.values.sorted {
            ($0.beganAt.rawValue, $0.id.uuidString) < ($1.beganAt.rawValue, $1.id.uuidString)
        }
        .map { operation in
            .init(
                kind: operation.kind, subject: operation.subject.map { state.name(of: $0) }, driver: state.name(of: operation.driver),
                beganAt: operation.beganAt, step: operation.step)
        }
        certificates(state, context, &evidence)
        return evidence
    }

    private static func sentence(_ state: ClusterState, _ standing: MembershipStanding) -> String {
        if let problem = standing.problem { return problem }
        if standing.isCorosyncSilent { return "Corosync delivers nothing: it hangs, or the node is overloaded." }
        if standing.log.isOpen, !standing.isRingDecided { return "A new ring of Corosync formed, and quorum is not decided yet." }
        if standing.log.isOpen, !standing.isQuorate { return "Corosync says that this partition has no quorum." }
        return standing.log.sentence { state.name(of: $0) }
    }

    /// Tells copies apart: two that differ in a word never have the same.
    static func digest(of state: ClusterState) throws -> String { hash(of: try ClusterCoding.bytes(of: state)) }
    private static func hash(of bytes: [UInt8]) -> String {
        var hash = DifferenceHash()
        hash.combine(bytes)
        let digits = String(hash.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
    /// Of a certificate as text, however its lines are broken.
    private static func hash(ofPEM text: String) -> String { hash(of: Array(text.utf8.filter { $0 > 0x20 })) }

    /// The one that was recorded last: a node renews its own.
    private static func newest(of node: ClusterNode, _ state: ClusterState) -> CertificateFacts {
        state.certificates.values.filter { $0.node == node.id }.max { $0.issuedAt.rawValue < $1.issuedAt.rawValue }?.facts
            ?? node.certificate
    }

    private static func quorum(_ state: ClusterState, _ standing: MembershipStanding) -> MemberEvidence.Quorum {
        let found = QuorumStanding(of: state, present: standing.members, witnessHolder: standing.witnessHolder)
        var quorum = MemberEvidence.Quorum()
        quorum.model = state.quorum.model
        quorum.isModelAutomatic = state.quorum.isModelAutomatic
        quorum.recommended = QuorumModel.recommended(nodes: state.nodes.count, witness: state.witness.witness)
        quorum.votesPresent = found.votesPresent
        quorum.votesNeeded = found.votesNeeded
        quorum.votesTotal = found.votesTotal
        quorum.mayFailAtOnce = found.mayFailAtOnce
        quorum.fatal = found.fatal.count
        quorum.voters = found.voters.count
        quorum.tolerance = found.sentence
        quorum.warnings = state.quorumWarnings
        return quorum
    }

    private static func witness(_ state: ClusterState, _ standing: MembershipStanding) -> MemberEvidence.WitnessLine? {
        guard state.witness.witness != .none else { return nil }
        return .init(
            witness: state.witness.witness, condition: state.witness.condition, votes: state.votes.witness,
            holder: standing.witnessHolder.flatMap { state.nodes[$0]?.name }, problem: standing.witnessProblem)
    }

    private static func missingFiles(of machine: VirtualMachine) -> [String] {
        guard case .kernel(let path, let initrd, _) = machine.definition.firmware else { return [] }
        return [path, initrd].compactMap { $0 }.filter { access($0, R_OK) != 0 }.map { "file \($0)" }
    }

    private static func certificates(_ state: ClusterState, _ context: ProbeContext, _ evidence: inout MemberEvidence) {
        do {
            evidence.authority = try state.authority.map { hash(ofPEM: try $0.files().clusterCertificate) }
            let folder = context.configuration.directories.identity
            let identity = try NodeIdentity.load(from: folder, node: context.node.rawValue, now: Date())
            evidence.ownAuthority = hash(ofPEM: identity.authorityPEM)
            evidence.ownCertificate = try CertificateWithKey(
                authorityPEM: identity.authorityPEM, certificatePEM: identity.certificatePEM, keyPEM: "", expires: identity.expires
            ).facts
        } catch { evidence.certificateProblem = "\(error)" }
    }

    // MARK: Volumes

    /// With what lies on the disks; takes longer than the rest.
    static func volumes(_ context: ProbeContext) async throws -> MemberEvidence {
        var evidence = try await look(context)
        guard let state = await context.forming?.engine.view?.state else { return evidence }
        let seen: [SharedDiskStatus]
        var problem: String?
        do { seen = try await context.storage.inventory() } catch {
            seen = []
            problem = "\(error)"
        }
        for disk in state.disks.values.sorted(by: { $0.id < $1.id }) {
            guard case .clusterSharedVolume(let id, let label) = disk.use else { continue }
            var line = MemberEvidence.VolumeLine(disk: disk.id, id: id, label: label)
            if let status = seen.first(where: { $0.id == disk.id }) {
                line.content = status.content
                line.extents = status.extents.sorted { $0.name < $1.name }
                await records(of: evidence.machines, context, &line)
            } else if let problem {
                line.problems = [problem]
            }
            evidence.volumes.append(line)
        }
        return evidence
    }

    private static func records(
        of machines: [MemberEvidence.MachineLine], _ context: ProbeContext, _ line: inout MemberEvidence.VolumeLine
    ) async {
        for machine in machines where machine.machine.ownershipSlot.disk == line.disk {
            do {
                line.records.append(
                    try await context.storage.readOwnership(machine.machine.ownershipSlot, of: machine.machine.definition.id))
            } catch { line.problems.append("The ownership record of \(machine.name) cannot be read: \(error)") }
        }
    }

    // MARK: The witness

    static func readWitness(_ context: ProbeContext) async throws -> WitnessReadQuestion.Evidence {
        guard let state = await context.forming?.engine.view?.state, let cluster = state.identity?.id else {
            throw ProbeProblem("\(context.node) is no member of a running cluster.")
        }
        let began = ContinuousClock.now
        do {
            let reading: WitnessReading
            switch state.witness.witness {
            case .none: throw ProbeProblem("The cluster has no witness.")
            case .disk(let id):
                reading = try await WitnessVolume.open(try await context.storage.disk(id), cluster: cluster).readNewest()
            case .fileShare(let path):
                reading = try await FileShareWitness.open(path, cluster: cluster, within: .seconds(5)).readNewest()
            }
            return .init(
                milliseconds: (ContinuousClock.now - began) / .milliseconds(1), lastIndex: reading.content.position.lastIndex,
                committed: reading.content.committed, defects: reading.defects)
        } catch {
            return .init(
                milliseconds: (ContinuousClock.now - began) / .milliseconds(1), lastIndex: 0, committed: 0, defects: [], problem: "\(error)"
            )
        }
    }
}
