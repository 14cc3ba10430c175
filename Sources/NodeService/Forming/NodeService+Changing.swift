import ClusterAPI
import ClusterModel
import ClusterRules
import Corosync
import Forming
import Foundation
import Logging
import Membership

/// Nodes that come and go while the cluster runs.
extension NodeService {
    public func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange {
        let member = try requireMember()
        guard let forming, let state = await forming.engine.configuration() else {
            throw error(.refused, "\(node) does not know the configuration of cluster \(member.cluster) now. Ask another node.")
        }
        let operation = UUID()
        let addition = try NodeAddition(
            request, member: member, state: state, own: try await offer(), identity: forming.folder.identity, engine: forming.engine,
            requestedBy: requester, operation: operation)
        let (engine, by) = (forming.engine, requester)
        let note = note(of: request.validation, before: "\(addition.node) was added")
        return try await begin(.addNode, of: addition.node.rawValue) { report in
            await self.drives(operation)
            do {
                let sentence = try await addition.run(report)
                await self.drives(nil)
                await Self.remember(note, engine, by, report)
                return sentence
            } catch {
                await self.drives(nil)
                throw error
            }
        }
    }

    private func drives(_ addition: UUID?) { additionOperation = addition }

    /// Tells the others of an addition that this node began in an earlier life: they finish it, or take the node out again.
    func abandonForgottenAddition(_ state: ClusterState) async {
        guard let forming, let member else { return }
        for operation in state.operations.values
        where operation.kind == .addNode && operation.driver == member.nodeID && operation.id != additionOperation
            && operation.step != PendingOperation.abandoned
        {
            do throws(APIError) {
                try await forming.engine.propose(.advanceOperation(id: operation.id, step: PendingOperation.abandoned), requestedBy: nil)
            } catch { logger.warning("an addition of a node stays open", metadata: ["reason": "\(error)"]) }
        }
    }

    public func evictNode(_ target: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        let member = try requireMember()
        guard target != node else {
            throw error(.refused, "A node does not evict itself. Ask another member: apus node evict \(node)")
        }
        guard let forming, let state = await forming.engine.configuration() else {
            throw error(.refused, "\(node) does not know the configuration of cluster \(member.cluster) now. Ask another node.")
        }
        guard let evicted = state.node(named: target) else {
            throw error(.notFound, "There is no node \(target) in the cluster. See: apus node list")
        }
        // Looked at before anything is done: the configuration would refuse it only when the node has left already.
        let owned = state.machines.values.filter { $0.owner == evicted.id }.map(\.name).sorted()
        guard owned.isEmpty else {
            throw error(.refused, "\(CommandRejection.nodeOwnsMachines(target, owned)) Nothing was changed.")
        }
        let (engine, by) = (forming.engine, requester)
        return try await begin(.evictNode, of: target.rawValue) { report in
            do throws(APIError) {
                // One that is off would keep an order waiting for minutes.
                if let client = self.peers.client(of: target, waiting: .seconds(5)) { _ = try await client.membership() }
                try await self.operations(of: target).obey(MemberOrder(action: .leave, clusterID: member.clusterID, force: false))
                await report("\(target): stopped, belongs to no cluster")
            } catch {
                // What it refuses is its own affair; only silence can be overruled.
                guard [.unreachable, .timeout].contains(error.code) else { throw error }
                guard request.force else {
                    throw APIError(
                        .refused,
                        "\(error.message) Make sure that \(target) is off, then use --force. It may still be writing to the shared disks; "
                            + "nothing here can stop it.")
                }
                await report("\(target): does not answer, and is taken for off as ordered")
            }
            try await NodeRemoval(node: evicted.id, name: target, engine: engine, requestedBy: by, wasForced: request.force).run()
            await report("\(target): removed from the configuration")
            // Whoever has the old key could still speak to the others' Corosync.
            do throws(APIError) {
                try await engine.propose(.setCorosyncKey(key: Secret(Data(CorosyncFiles.newKey()).base64EncodedString())), requestedBy: by)
                await report("the links between the nodes get a new key")
            } catch { await report("the links between the nodes keep their key: \(error.message)") }
            return "\(target) is no member of cluster \(member.cluster) any more."
        }
    }
}
