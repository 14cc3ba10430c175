import ClusterModel
import Foundation
import NodeIdentity
import NodeService
import QEMU
import Validation

extension NodeProbes {
    /// What `hypervisor/…` tests ask of a node.
    static let hypervisor: [NodeProbe] = [
        NodeProbe(GuestTrialQuestion.self) { _, context in
            let host = context.host
            let trial = try await AccelerationProbe.trial(
                of: host.acceleration, user: host.machineUser, deadline: ProbePatience.answer - ProbePatience.command)
            return .init(
                acceleration: host.acceleration, choice: host.evidence, succeeded: trial.succeeded, milliseconds: trial.milliseconds,
                reason: trial.reason)
        },
        NodeProbe(GuestDoorQuestion.self) { question, context in
            guard let forming = context.forming else { throw ProbeProblem("\(context.node) has a fixed list of nodes.") }
            return try await context.guests.openDoor(question, fingerprint: try forming.free.fingerprint, context)
        },
        NodeProbe(GuestStartQuestion.self) { question, context in try await context.guests.start(question, context) },
        NodeProbe(GuestMoveQuestion.self) { question, context in try await GuestMove.run(question, context) },
        NodeProbe(GuestEndQuestion.self) { question, context in
            .init(wasThere: try await context.guests.end(question.guest, context))
        },
        NodeProbe(GuestCall.self) { question, context in try await context.guests.answer(question.call, context) },
    ]
}

extension StepWorks {
    /// How the steps of `hypervisor/…` tests are carried out.
    static let hypervisor: [ValidationTestID: StepWork] = [
        HypervisorCatalogue.acceleration.id: { step, context in
            guard case .node(let node) = step.target else { return TestOutcome() }
            return GuestJudges.acceleration(node, try await context.ask(GuestTrialQuestion(), of: node))
        },
        HypervisorCatalogue.liveMigration.id: { step, context in try await GuestJourney(step, context, .live).outcome() },
        HypervisorCatalogue.quickMigration.id: { step, context in try await GuestJourney(step, context, .quick).outcome() },
    ]
}
