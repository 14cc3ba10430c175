import ClusterModel
import Foundation

/// How far a validation is. The same again and again while it changes, complete each time.
public struct ValidationStatus: Hashable, Sendable, Codable, Identifiable {
    public enum Phase: String, Hashable, Sendable, Codable, CaseIterable {
        /// The nodes tell what they are made of.
        case collecting
        case testing
        /// What tests left on the nodes is taken back.
        case cleaningUp = "cleaning-up"
        case ended
    }
    public var id: UUID
    public var phase: Phase
    public var nodes: [NodeName]
    /// The chosen tests, in the order of the catalogue.
    public var tests: [TestProgress]
    /// Tests that were chosen but that this version cannot carry out.
    public var unavailable: [ValidationTestID]
    /// What was taken back on the nodes at the end, in sentences.
    public var cleanedUp: [String]
    public var elapsedMilliseconds: Int
    /// Set once it ended: ``RunVerdict``.
    public var verdict: Verdict?
    public var sentence: String?
    public var reservation: String?
    /// Why there is no report although it ended: a sentence.
    public var problem: String?
    /// The page of the report: a path on the node that carried it out.
    public var report: String?

    public init(id: UUID, phase: Phase = .collecting, nodes: [NodeName], tests: [TestProgress] = []) {
        self.id = id
        self.phase = phase
        self.nodes = nodes
        self.tests = tests
        unavailable = []
        cleanedUp = []
        elapsedMilliseconds = 0
    }

    public var isEnded: Bool { phase == .ended }

    /// One that ended earlier, from its report.
    public init(of run: ValidationRun, report: String?) {
        self.init(id: run.id, phase: .ended, nodes: run.subject.nodes)
        let verdict = RunVerdict(run)
        elapsedMilliseconds = run.milliseconds
        self.verdict = verdict.verdict
        sentence = verdict.sentence
        reservation = verdict.reservation
        self.report = report
    }
}

/// One test of a run that goes on.
public struct TestProgress: Hashable, Sendable, Codable, Identifiable {
    public enum State: String, Hashable, Sendable, Codable, CaseIterable { case waiting, running, ended }
    public var id: ValidationTestID
    public var title: String
    public var state: State
    public var steps: Int
    public var finishedSteps: Int
    public var milliseconds: Int
    /// Set once it ended.
    public var verdict: Verdict?
    /// The first thing to say about a test that did not pass: a sentence.
    public var remark: String?

    public init(_ test: ValidationTest, steps: Int) {
        id = test.id
        title = test.title
        state = .waiting
        self.steps = steps
        finishedSteps = 0
        milliseconds = 0
    }

    public mutating func end(with result: TestResult) {
        state = .ended
        verdict = result.verdict
        milliseconds = result.milliseconds
        remark =
            result.verdict == .pass
            ? nil : result.findings.first { $0.verdict == result.verdict }.map { $0.reason }
    }
}
