import ClusterModel

/// The rule behind a test with `evidence: .facts`: what the inventories of all nodes mean. Pure.
///
/// A node that did not answer is not the judge's business: ``FactJudges/judge(_:from:)`` adds its failure.
public typealias FactJudge = @Sendable (CollectedFacts) -> TestOutcome

/// Finds the rule of a test.
public enum FactJudges {
    /// Each category has its own list, in `Judging/<Category>/`.
    static let all: [ValidationTestID: FactJudge] = [:]
        .merging(inventory) { first, _ in first }
        .merging(network) { first, _ in first }
        .merging(storage) { first, _ in first }
        .merging(system) { first, _ in first }
        .merging(hypervisor) { first, _ in first }

    /// Whether there is a rule for the test.
    public static func canJudge(_ test: ValidationTestID) -> Bool { all[test] != nil }

    /// - Returns: nil when the test is not one that facts decide.
    public static func judge(_ test: ValidationTest, from facts: CollectedFacts) -> TestOutcome? {
        guard let judge = all[test.id] else { return nil }
        var outcome = facts.answers.isEmpty ? TestOutcome() : judge(facts)
        let silent = facts.subject.nodes.filter { facts.silent[$0] != nil }.map(\.rawValue)
        if !silent.isEmpty, outcome.headline == nil { outcome.headline = "\(silent.joined(separator: " and ")) did not answer" }
        for node in facts.subject.nodes {
            guard let reason = facts.silent[node] else { continue }
            outcome.findings.append(
                ValidationFinding(
                    .failure, .node(node), reason: "\(node) did not tell what it is made of. \(reason)",
                    cure: "Make sure that the node is on and its service runs: systemctl status apusd."))
        }
        return outcome
    }
}
