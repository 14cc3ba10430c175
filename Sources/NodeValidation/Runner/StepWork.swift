import ClusterAPI
import ClusterModel
import Foundation
import Validation

/// Carries out one step of a test: asks nodes, and has the evidence judged.
///
/// Throws ``ProbeFailure`` when a node does not do its part; the runner makes a finding about that node of it.
typealias StepWork = @Sendable (ValidationStep, StepContext) async throws -> TestOutcome

/// How each test with `evidence: .probe` is carried out. Each category has its own list, in its folder.
enum StepWorks {
    static let all: [ValidationTestID: StepWork] = network.merging(storage) { first, _ in first }
        .merging(hypervisor) { first, _ in first }
        .merging(cluster) { first, _ in first }

    /// Whether this version can carry the test out.
    static func canRun(_ test: ValidationTest) -> Bool {
        switch test.evidence {
        case .facts: FactJudges.canJudge(test.id)
        case .probe: all[test.id] != nil
        }
    }
}

/// What a step knows and whom it can ask.
struct StepContext: Sendable {
    let run: UUID
    let subject: ValidationSubject
    let facts: CollectedFacts
    let shared: SharedEvidence
    private let targets: [NodeName: ValidationTarget]

    init(run: UUID, facts: CollectedFacts, targets: [NodeName: ValidationTarget]) {
        self.run = run
        subject = facts.subject
        self.facts = facts
        self.targets = targets
        shared = SharedEvidence()
    }

    /// Whether a node belongs to the asking node's cluster, so that it has certificates that the other members trust.
    func isMember(_ node: NodeName) -> Bool { targets[node]?.isMember ?? false }
    func inventory(of node: NodeName) -> NodeInventory? { facts.inventories[node] }

    /// - Parameter deadline: For the whole answer.
    /// - Throws: ``ProbeFailure``.
    func ask<Question: ProbeQuestion>(
        _ question: Question, of node: NodeName, within deadline: Duration = ProbePatience.answer
    ) async throws(ProbeFailure) -> Question.Evidence {
        guard let target = targets[node] else { throw ProbeFailure(node: node, reason: "It is not among the nodes of this run.") }
        return try await target.ask(question, run: run, within: deadline)
    }

    /// Asks several nodes at the same time.
    func askAll<Question: ProbeQuestion>(
        _ question: Question, of nodes: [NodeName], within deadline: Duration = ProbePatience.answer
    ) async -> [NodeName: Result<Question.Evidence, ProbeFailure>] {
        await withTaskGroup(of: (NodeName, Result<Question.Evidence, ProbeFailure>).self) { group in
            for node in nodes {
                group.addTask {
                    do throws(ProbeFailure) { return (node, .success(try await ask(question, of: node, within: deadline))) } catch {
                        return (node, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}

/// A node that did not do its part of a test.
struct ProbeFailure: Error, CustomStringConvertible {
    var node: NodeName
    /// What it or the connection said: sentences.
    var reason: String
    /// Whether it was the connection, so that nothing was heard of the node itself.
    var isSilence = false
    var description: String { "\(node): \(reason)" }
}

/// Evidence that several tests judge, gathered once a run: loss, latency and jitter come from the same packets.
actor SharedEvidence {
    private var tasks: [String: Task<any Sendable, any Error>] = [:]

    /// - Parameter key: Names what is gathered and of whom: "echo n1 n2 cluster".
    func once<Value: Sendable>(_ key: String, _ gather: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task: Task<any Sendable, any Error>
        if let known = tasks[key] {
            task = known
        } else {
            task = Task { try await gather() }
            tasks[key] = task
        }
        let value = try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
        guard let value = value as? Value else { throw ProbeProblem("Two tests share evidence \"\(key)\" of different kinds.") }
        return value
    }

    /// No test needs it any more.
    func close() { for task in tasks.values { task.cancel() } }
}
