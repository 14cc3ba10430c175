import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Logging
import Membership
import NodeClient

/// Another witness for a cluster that runs.
extension NodeService {
    public func setWitness(_ request: SetWitnessRequest) async throws(APIError) -> ClusterChange {
        let member = try requireMember()
        let view = try await memberView()
        guard let forming, view.standing.mayAct else {
            throw error(.refused, "\(node) cannot change the witness: its partition has no quorum. See: apus cluster status")
        }
        let wanted = try await witness(for: request, view.state)
        guard wanted != view.state.witness.witness else {
            throw error(.refused, wanted == .none ? "The cluster has no witness already." : "The \(wanted) is the witness already.")
        }
        if !view.state.quorum.isModelAutomatic, !view.state.quorum.model.fits(wanted) {
            let model = view.state.quorum.model
            throw error(
                .refused,
                "\(model), which the operator has chosen, does not go with \(wanted). Let the cluster choose first, with "
                    + "`apus cluster quorum set --model auto`, or set a witness that fits.")
        }
        let operation = UUID()
        let replacement = WitnessReplacement(
            wanted, force: request.force, member: member, engine: forming.engine, preparation: storage, requestedBy: requester,
            operation: operation)
        witnessOperation = operation
        return try await begin(.setWitness, of: "\(request.witness)") { report in
            // What is left open of it, if anything, is ended from then on.
            do {
                let sentence = try await replacement.run(report)
                await self.forgetWitnessOperation(operation)
                return sentence
            } catch {
                await self.forgetWitnessOperation(operation)
                throw error
            }
        }
    }

    private func forgetWitnessOperation(_ operation: UUID) {
        if witnessOperation == operation { witnessOperation = nil }
    }

    /// What the operator's choice comes to, as all nodes that are up see the disks.
    private func witness(for request: SetWitnessRequest, _ state: ClusterState) async throws(APIError) -> ClusterModel.Witness {
        // What is on the present one is no question.
        if case .disk(let id) = request.witness, state.witness.witness == .disk(id: id) { return state.witness.witness }
        var views = [FormationRules.DiskView(node: node, disks: [])]
        switch request.witness {
        case .none, .share: break
        case .auto, .disk:
            do { views[0].disks = try await disks() } catch { views[0].problem = error.message }
            let replies = await peers.askAll { (peer) async throws(APIError) in try await peer.waiting(.seconds(15)).disks() }
            let up = state.nodes.values.filter { $0.presence == .up && $0.name != node }.map(\.name).sorted()
            for name in up {
                switch replies[name] {
                case .success(let disks): views.append(.init(node: name, disks: disks))
                case .failure(let error): views.append(.init(node: name, disks: [], problem: error.message))
                case nil: views.append(.init(node: name, disks: [], problem: "\(name) was not asked."))
                }
            }
            // The number that decides is that of the members, also of those that are away.
            let away = state.nodes.count - views.count
            if away > 0, case .auto = request.witness {
                throw error(
                    .refused, "Not all nodes are up, so it is not certain what disks they see. Start them, or name the disk with disk:ID.")
            }
        }
        do throws(FormationRules.Refused) {
            return try FormationRules.witness(
                seenBy: views, choice: request.witness, force: request.force, current: state.witness.witness)
        } catch { throw self.error(.refused, error.description) }
    }

    /// Ends a replacement that this node began in an earlier life: as long as it is open, no witness has a vote.
    func endForgottenReplacement(_ state: ClusterState) async {
        guard let forming, let member else { return }
        for operation in state.operations.values
        where operation.kind == .replaceWitness && operation.driver == member.nodeID && operation.id != witnessOperation {
            do throws(APIError) {
                try await forming.engine.propose(
                    .endOperation(id: operation.id, problem: "The node service of \(node) was restarted meanwhile."), requestedBy: nil)
            } catch { logger.warning("a replacement of the witness stays open", metadata: ["reason": "\(error)"]) }
        }
    }
}
