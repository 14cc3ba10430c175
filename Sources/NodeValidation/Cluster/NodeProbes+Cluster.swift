import ClusterModel
import Foundation
import Validation

extension NodeProbes {
    /// What `cluster/…` tests ask of a node.
    static let cluster: [NodeProbe] = [
        NodeProbe(MemberQuestion.self) { question, context in
            question.withVolumes ? try await MemberProbe.volumes(context) : try await MemberProbe.look(context)
        },
        NodeProbe(WitnessReadQuestion.self) { _, context in try await MemberProbe.readWitness(context) },
    ]
}

extension StepWorks {
    /// How the steps of `cluster/…` tests are carried out.
    static let cluster: [ValidationTestID: StepWork] = [
        ClusterCatalogue.quorum.id: { _, context in MembershipJudges.quorum(try await members(context)) },
        ClusterCatalogue.witness.id: { step, context in
            guard case .node(let node) = step.target else { return TestOutcome() }
            let member = try await members(context).members[node]
            return MembershipJudges.witness(node, member, try await context.ask(WitnessReadQuestion(), of: node))
        },
        ClusterCatalogue.nodes.id: { _, context in MembershipJudges.nodes(try await members(context)) },
        ClusterCatalogue.roles.id: { _, context in MachineJudges.roles(try await members(context)) },
        ClusterCatalogue.resources.id: { _, context in MachineJudges.resources(try await members(context), context.facts) },
        ClusterCatalogue.volumes.id: { step, context in
            guard case .node(let node) = step.target else { return TestOutcome() }
            return MachineJudges.volumes(
                node, try await context.ask(MemberQuestion(withVolumes: true), of: node))
        },
        ClusterCatalogue.configuration.id: { _, context in try await configuration(context) },
        ClusterCatalogue.certificates.id: { _, context in MembershipJudges.certificates(try await members(context), now: now) },
        ClusterCatalogue.fences.id: { _, context in MembershipJudges.fences(try await members(context), now: now) },
        ClusterCatalogue.policies.id: { _, context in MachineJudges.policies(try await members(context), context.facts) },
        ClusterCatalogue.capacity.id: { _, context in MachineJudges.capacity(try await members(context), context.facts) },
    ]

    private static var now: WallTime { WallTime(Date()) }

    /// Asked once a run; a node that says nothing is left out, which the runner, or the judge, makes a finding of.
    private static func members(_ context: StepContext) async throws -> ClusterEvidence {
        try await context.shared.once("members") {
            var evidence = await askMembers(context)
            // When a node has just gone the others need a moment to decide among themselves.
            for _ in 0..<16 where evidence.best?.isOpen != true {
                try await Task.sleep(for: .milliseconds(250))
                evidence = await askMembers(context)
            }
            return evidence
        }
    }

    private static func askMembers(_ context: StepContext) async -> ClusterEvidence {
        let nodes = context.subject.nodes
        let answering = nodes.filter { context.facts.silent[$0] == nil }
        let replies = await context.askAll(MemberQuestion(), of: answering)
        return ClusterEvidence(nodes: nodes, members: replies.compactMapValues { try? $0.get() })
    }

    /// The configuration changes while nodes are asked one after the other, so it is asked again until all are at the same change.
    private static func configuration(_ context: StepContext) async throws -> TestOutcome {
        var evidence = await askMembers(context)
        var witness = await witnessIndex(evidence, context)
        for _ in 0..<12 {
            let newest = evidence.best?.index ?? 0
            if evidence.members.values.allSatisfy({ $0.index == newest }), witness.map({ $0 >= newest }) ?? true { break }
            try await Task.sleep(for: .milliseconds(250))
            evidence = await askMembers(context)
            witness = await witnessIndex(evidence, context)
        }
        return MembershipJudges.configuration(evidence, witnessIndex: witness)
    }

    /// As any node reads it that can; that a node cannot is for `cluster/witness` to say.
    private static func witnessIndex(_ evidence: ClusterEvidence, _ context: StepContext) async -> UInt64? {
        guard context.subject.hasWitness, evidence.best?.witness?.condition == .present, let node = evidence.answers.first?.node,
            let reading = try? await context.ask(WitnessReadQuestion(), of: node), reading.problem == nil
        else { return nil }
        return reading.lastIndex
    }
}
