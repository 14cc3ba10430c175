import ClusterAPI
import ClusterModel
import Foundation
import Logging
import Validation

/// What a run is to do, checked already.
struct ValidationOrder: Sendable {
    var id = UUID()
    /// As the operator wrote them.
    var terms: [String]
    /// Only tests that can be carried out.
    var selection: TestSelection
    /// Chosen tests that this version cannot carry out.
    var unavailable: [ValidationTestID]
    var disks: [DiskID]
    /// Besides those named: every shared disk that carries nothing.
    var allEmptyDisks: Bool
    var shares: [String]
    var cluster: ClusterName?
    var hasWitness: Bool
    var requestedBy: String
}

/// Carries out one validation: facts, plan, steps, judging, clean-up, report.
///
/// A node that does not answer is a failed test. Ends soon after its task is cancelled, and always gives back what nodes hold for it.
struct ValidationRunner: Sendable {
    let order: ValidationOrder
    /// In the operator's order.
    let targets: [ValidationTarget]
    let logger: Logger
    /// Keeps the report; returns the path of the page to look at.
    let save: @Sendable (ValidationRun) async throws -> String

    static let inventoryDeadline = Duration.seconds(60)
    static let finishDeadline = Duration.seconds(30)

    typealias Report = @Sendable (ValidationStatus) async -> Void

    func first() -> ValidationStatus {
        var status = ValidationStatus(
            id: order.id, nodes: targets.map(\.node), tests: order.selection.tests.map { TestProgress($0, steps: 0) })
        status.unavailable = order.unavailable
        return status
    }

    /// - Returns: The run, also when it was cancelled.
    func run(_ report: @escaping Report) async -> ValidationRun? {
        let began = (wall: Date(), clock: ContinuousClock.now)
        var status = first()
        func tell() async {
            status.elapsedMilliseconds = Self.milliseconds(since: began.clock)
            await report(status)
        }
        let facts = await collect()
        var ledger = TestLedger(order.selection.tests)
        let context = StepContext(
            run: order.id, facts: facts, targets: Dictionary(targets.map { ($0.node, $0) }, uniquingKeysWith: { first, _ in first }))
        let plan = ValidationPlan(order.selection.tests, for: facts.subject)
        ledger.begin(plan)
        status.phase = .testing
        status.tests = ledger.progress
        await tell()
        await carryOut(plan, context) { event in
            ledger.take(event)
            status.tests = ledger.progress
            await tell()
        }
        ledger.abandon()
        status.tests = ledger.progress
        status.phase = .cleaningUp
        await tell()
        // What was cancelled must be cleaned up all the same, so this stands in a task that nobody cancels.
        status.cleanedUp = await Task { await giveBack(context) }.value
        let run = ValidationRun(
            id: order.id, apusVersion: ApusVersion.current, began: WallTime(began.wall),
            milliseconds: Self.milliseconds(since: began.clock), subject: facts.subject, nodes: nodes(facts), disks: facts.sharedDisks,
            options: ValidationOptions(
                selection: order.terms, skipped: order.selection.skipped.filter { !order.unavailable.contains($0) },
                unavailable: order.unavailable, disks: facts.subject.testableDisks, requestedBy: order.requestedBy),
            results: ledger.results)
        let verdict = RunVerdict(run)
        status.verdict = verdict.verdict
        status.sentence = verdict.sentence
        status.reservation = verdict.reservation
        do { status.report = try await save(run) } catch {
            status.problem = "The report could not be kept: \(error)"
            logger.error("a validation's report cannot be kept", metadata: ["reason": "\(error)"])
        }
        await tell()
        for target in targets { await target.close() }
        logger.notice(
            "validated", metadata: ["nodes": "\(status.nodes.map(\.rawValue).joined(separator: ","))", "verdict": "\(verdict.sentence)"])
        return run
    }

    private static func milliseconds(since start: ContinuousClock.Instant) -> Int {
        Int((ContinuousClock.now - start) / .milliseconds(1))
    }

    // MARK: Facts

    private func collect() async -> CollectedFacts {
        var inventories: [NodeName: NodeInventory] = [:]
        var silent: [NodeName: String] = [:]
        await withTaskGroup(of: (NodeName, Result<NodeInventory, ProbeFailure>).self) { group in
            for target in targets {
                group.addTask {
                    do throws(ProbeFailure) {
                        let question = InventoryQuestion(shares: order.shares)
                        return (target.node, .success(try await target.ask(question, run: order.id, within: Self.inventoryDeadline)))
                    } catch { return (target.node, .failure(error)) }
                }
            }
            for await (node, answer) in group {
                switch answer {
                case .success(let inventory) where inventory.node == node: inventories[node] = inventory
                case .success(let inventory): silent[node] = "The node that answers there calls itself \(inventory.node)."
                case .failure(let failure): silent[node] = failure.reason
                }
            }
        }
        let subject = ValidationSubject(
            nodes: targets.map(\.node), shares: order.shares, cluster: order.cluster, hasWitness: order.hasWitness,
            namedDisks: order.disks)
        var facts = CollectedFacts(subject: subject, inventories: inventories, silent: silent)
        facts.subject.testableDisks = facts.testableDisks(named: order.disks, allEmpty: order.allEmptyDisks)
        return facts
    }

    private func nodes(_ facts: CollectedFacts) -> [ValidatedNode] {
        targets.map { target in
            ValidatedNode(
                name: target.node, address: target.address, summary: facts.inventories[target.node]?.summary ?? "",
                problem: facts.silent[target.node])
        }
    }

    // MARK: Steps

    private func carryOut(_ plan: ValidationPlan, _ context: StepContext, tell: (StepEvent) async -> Void) async {
        var schedule = ValidationSchedule(plan)
        await withTaskGroup(of: (ValidationStep, TestOutcome?).self) { group in
            while true {
                while !Task.isCancelled, let step = schedule.next() {
                    await tell(.started(step))
                    group.addTask { (step, await outcome(of: step, context)) }
                }
                guard let (step, outcome) = await group.next() else { break }
                schedule.finish(step)
                await tell(.finished(step, outcome))
                if Task.isCancelled { _ = schedule.abandon() }
            }
        }
    }

    /// - Returns: nil when it was cancelled before it came to a result.
    private func outcome(of step: ValidationStep, _ context: StepContext) async -> TestOutcome? {
        guard let test = ValidationCatalogue.test(step.test) else { return nil }
        if let outcome = FactJudges.judge(test, from: context.facts) { return outcome }
        let taking = step.nodes(in: context.facts.subject)
        // What a running cluster is as a whole the others know, and that one of them is silent says cluster/nodes: once, with its cure.
        let isTold = test.category == .cluster && step.target == .whole
        let silent = isTold ? [] : taking.filter { context.facts.silent[$0] != nil }
        var outcome = TestOutcome(
            silent.map { .silent($0, reason: context.facts.silent[$0] ?? "") },
            headline: silent.isEmpty ? nil : "\(silent.map(\.rawValue).joined(separator: " and ")) did not answer")
        switch step.target {
        case .node, .pair: if !silent.isEmpty { return outcome }
        case .whole, .disk, .share: if silent.count == taking.count { return outcome }
        }
        guard let work = StepWorks.all[step.test] else { return TestOutcome.notApplicable("This version cannot carry it out.") }
        do {
            outcome = outcome + (try await within(test.deadline) { try await work(step, context) })
        } catch {
            guard !Task.isCancelled else { return nil }
            outcome = outcome + Self.failure(of: step, error)
        }
        return outcome
    }

    private static func failure(of step: ValidationStep, _ error: any Error) -> TestOutcome {
        if let failure = error as? ProbeFailure {
            var subject = FindingSubject.node(failure.node)
            if case .disk(let disk) = step.target { subject.disk = disk }
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, subject, reason: "\(failure.node) did not do its part. \(failure.reason)",
                        cure: "Look at what \(failure.node) says: journalctl -u apusd. Then run this test again.")
                ], headline: "\(failure.node) did not do its part of \(step.test)")
        }
        let subject: FindingSubject =
            switch step.target {
            case .whole: .all
            case .node(let node): .node(node)
            case .pair(let one, let other): .pair(one, other)
            case .disk(let disk): .disk(disk)
            case .share(let path): FindingSubject(item: path)
            }
        // It came to no result, so the test's own cure is not what helps.
        let cure = "Look at journalctl -u apusd on the node that was asked, and whether the nodes are busy; then run this test again."
        return TestOutcome(
            [ValidationFinding(.failure, subject, reason: "\(error)", cure: cure)], headline: "\(step.test) could not be carried out")
    }

    /// - Parameter work: Ends when it is cancelled, as calls of ``ValidationTarget`` do.
    private func within<Value: Sendable>(
        _ deadline: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: deadline)
                throw ProbeProblem("It had not ended after \(deadline.components.seconds) s and was given up.")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    // MARK: The end

    /// - Returns: What was given back, in sentences.
    private func giveBack(_ context: StepContext) async -> [String] {
        await context.shared.close()
        let answering = targets.map(\.node).filter { context.facts.silent[$0] == nil }
        let answers = await context.askAll(FinishQuestion(), of: answering, within: Self.finishDeadline)
        return answering.flatMap { node -> [String] in
            switch answers[node] {
            case .success(let evidence): return evidence.givenBack.map { "\(node): \($0)." } + evidence.problems.map { "\(node): \($0)" }
            case .failure(let failure):
                return ["\(node) could not be asked to give back what it holds for tests; it does so by itself soon. \(failure.reason)"]
            case nil: return []
            }
        }
    }
}

extension ValidationFinding {
    /// A node that told nothing of itself is not asked again for every test.
    static func silent(_ node: NodeName, reason: String) -> Self {
        Self(
            .failure, .node(node), reason: "\(node) did not answer. \(reason)",
            cure: "Make sure that the node is on and its service runs: systemctl status apusd.")
    }
}
