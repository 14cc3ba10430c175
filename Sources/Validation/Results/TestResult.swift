/// How one test ended, with all that it found. Carries its title, so that a report can be read when the test no longer exists.
public struct TestResult: Hashable, Sendable, Codable, Identifiable {
    public var id: ValidationTestID
    public var title: String
    public var proves: String
    public var verdict: Verdict
    public var findings: [ValidationFinding]
    public var tables: [FactTable]
    /// ``TestOutcome/headline``.
    public var headline: String?
    /// From the start of its first step to the end of its last.
    public var milliseconds: Int

    /// - Parameter outcome: A failure or a warning without a cure gets the test's own. A test that found nothing at all has failed: it
    ///   proved nothing.
    public init(_ test: ValidationTest, _ outcome: TestOutcome, milliseconds: Int) {
        id = test.id
        title = test.title
        proves = test.proves
        var findings = outcome.findings
        if findings.isEmpty, outcome.tables.isEmpty {
            findings = [ValidationFinding(.failure, reason: "The test ended without a result.")]
        } else if findings.isEmpty {
            let rows = outcome.tables.reduce(0) { $0 + $1.rows.count }
            findings = [ValidationFinding(.pass, reason: rows == 1 ? "1 entry." : "\(rows) entries.")]
        }
        for index in findings.indices where findings[index].cure == nil && findings[index].verdict.needsCure {
            findings[index].cure = test.cure
        }
        self.findings = findings
        tables = outcome.tables
        headline = outcome.headline
        verdict = findings.map(\.verdict).max() ?? .failure
        self.milliseconds = milliseconds
    }

    /// The result of a test that was never started, or whose steps were all abandoned.
    public static func cancelled(_ test: ValidationTest, reason: String = "The run was ended before this test.") -> Self {
        Self(test, TestOutcome([ValidationFinding(.cancelled, reason: reason)]), milliseconds: 0)
    }

    /// Warnings and failures.
    public var complaints: [ValidationFinding] { findings.filter(\.verdict.needsCure) }
}

extension Verdict {
    public var needsCure: Bool { self == .warning || self == .failure }
}
