import ClusterAPI
import ClusterModel
import Foundation
import Logging
import NodeService
import Validation

/// One thing that this node can look at or try for a validation.
struct NodeProbe: Sendable {
    let name: String
    private let answer: @Sendable (JSONValue, ProbeContext) async throws -> JSONValue

    /// - Parameter work: Has a deadline of its own, ends when it is cancelled, and gives to ``ProbeContext/held`` whatever must be taken back
    ///   when nobody asks any more.
    init<Question: ProbeQuestion>(
        _ question: Question.Type, work: @escaping @Sendable (Question, ProbeContext) async throws -> Question.Evidence
    ) {
        name = Question.name
        answer = { json, context in
            let question: Question
            do { question = try json.decoded(as: Question.self) } catch let error as DecodingError {
                throw APIError(.invalid, "The question \"\(Question.name)\" is not understood: \(error.sentence).", node: context.node)
            }
            return try JSONValue(encoding: try await work(question, context))
        }
    }

    func answer(_ question: JSONValue, _ context: ProbeContext) async throws -> JSONValue { try await answer(question, context) }
}

/// What a probe may use of its node.
struct ProbeContext: Sendable {
    let run: UUID
    let node: NodeName
    let configuration: NodeConfiguration
    /// This node's addresses, the second cluster network included.
    let addresses: LocalAddresses
    let host: HostCapabilities
    let storage: StorageAccess
    let held: ProbeResources
    let traces: ReservationTraces
    let guests: ProbeGuests
    /// Machines that this node owns or receives.
    let machines: @Sendable () async throws -> [VMStatus]
    let peers: Peers
    /// nil with a fixed list of nodes.
    let forming: FormingSeat?
    let logger: Logger
}

/// Every probe of this node, by its name. Each category has its own list, in its folder.
enum NodeProbes {
    static let all: [NodeProbe] = [inventory, finish] + network + storage + hypervisor + cluster

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static func answer(_ request: ProbeRequest, _ context: ProbeContext) async throws -> ProbeReply {
        guard let probe = byName[request.probe] else {
            throw APIError(
                .invalid,
                "\(context.node) knows no probe \"\(request.probe)\"; it runs Apus \(ApusVersion.current). Run the same version on all nodes.",
                node: context.node)
        }
        return ProbeReply(evidence: try await probe.answer(request.question, context))
    }

    private static let inventory = NodeProbe(InventoryQuestion.self) { question, context in
        await InventoryCollector(context: context, shares: question.shares).collect()
    }

    private static let finish = NodeProbe(FinishQuestion.self) { _, context in await context.held.giveBack(run: context.run) }
}
