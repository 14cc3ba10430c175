import Validation

/// What happened to a step.
enum StepEvent: Sendable {
    case started(ValidationStep)
    /// Without an outcome it was cancelled.
    case finished(ValidationStep, TestOutcome?)
}

/// How far each test of a run is, and what its steps found. Knows no clock but the one it is given.
struct TestLedger {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var progress: TestProgress
        /// By the place of their step in the plan, so that a report does not depend on which step ended first.
        var outcomes: [Int: TestOutcome] = [:]
        var outcome: TestOutcome? {
            let ordered = outcomes.sorted { $0.key < $1.key }.map(\.value)
            return ordered.dropFirst().reduce(ordered.first) { joined, next in joined.map { $0 + next } }
        }
        var wasCancelled = false
        var began: Instant?
        var result: TestResult?
    }
    private let tests: [ValidationTest]
    private var entries: [ValidationTestID: Entry]
    private var places: [ValidationStep: Int] = [:]

    init(_ tests: [ValidationTest]) {
        self.tests = tests
        entries = Dictionary(
            tests.map { ($0.id, Entry(progress: TestProgress($0, steps: 0))) }, uniquingKeysWith: { first, _ in first })
    }

    /// In the order of the catalogue.
    var progress: [TestProgress] { tests.compactMap { entries[$0.id]?.progress } }
    var results: [TestResult] { tests.compactMap { entries[$0.id]?.result } }

    mutating func begin(_ plan: ValidationPlan) {
        places = Dictionary(plan.steps.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        for test in tests {
            let steps = plan.steps.count { $0.test == test.id }
            entries[test.id]?.progress.steps = steps
            if let need = plan.notApplicable[test.id] {
                end(test, TestResult(test, .notApplicable(need.missing), milliseconds: 0))
            } else if steps == 0 {
                end(test, TestResult(test, .notApplicable("There is nothing that it could be carried out on."), milliseconds: 0))
            }
        }
    }

    mutating func take(_ event: StepEvent, now: Instant = .now) {
        switch event {
        case .started(let step):
            guard var entry = entries[step.test] else { return }
            entry.began = entry.began ?? now
            entry.progress.state = .running
            entries[step.test] = entry
        case .finished(let step, let outcome):
            guard var entry = entries[step.test], let test = tests.first(where: { $0.id == step.test }) else { return }
            entry.progress.finishedSteps += 1
            entry.progress.milliseconds = entry.began.map { Int((now - $0) / .milliseconds(1)) } ?? 0
            if let outcome {
                entry.outcomes[places[step] ?? .max] = outcome
            } else {
                entry.wasCancelled = true
            }
            entries[step.test] = entry
            guard entry.progress.finishedSteps >= entry.progress.steps, !entry.wasCancelled, let outcome = entry.outcome else { return }
            end(test, TestResult(test, outcome, milliseconds: entry.progress.milliseconds))
        }
    }

    /// What has not ended is cancelled.
    mutating func abandon() {
        for test in tests {
            guard let entry = entries[test.id], entry.result == nil else { continue }
            guard var outcome = entry.outcome else {
                end(test, .cancelled(test))
                continue
            }
            outcome.findings.append(ValidationFinding(.cancelled, reason: "The run was ended before all of this test was carried out."))
            end(test, TestResult(test, outcome, milliseconds: entry.progress.milliseconds))
        }
    }

    private mutating func end(_ test: ValidationTest, _ result: TestResult) {
        entries[test.id]?.result = result
        entries[test.id]?.progress.end(with: result)
    }
}
