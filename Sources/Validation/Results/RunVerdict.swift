/// The whole run in one line.
public struct RunVerdict: Hashable, Sendable {
    /// The colour of the line.
    public var verdict: Verdict
    /// "Suitable, with 2 warnings"; "Not suitable".
    public var word: String
    /// Why: one clause a failed test, the last one counting those that are not named. "node2 and node3 do not see LUN 4".
    public var clauses: [String] = []
    /// What limits the line: tests left out or not finished. A sentence, or nil.
    public var reservation: String?

    /// "Suitable, with 2 warnings"; "Not suitable: node2 and node3 do not see LUN 4". No full stop.
    public var sentence: String { clauses.isEmpty ? word : word + ": " + clauses.joined(separator: "; ") }

    /// How many failures are named before the rest is only counted.
    private static let namedFailures = 3

    public init(_ run: ValidationRun) {
        let failures = run.results.filter { $0.verdict == .failure }
        let warnings = run.count(.warning)
        let cancelled = run.results.count { $0.findings.contains { $0.verdict == .cancelled } }
        let decided = run.results.count { $0.verdict == .pass || $0.verdict == .warning }
        if !failures.isEmpty {
            verdict = .failure
            word = "Not suitable"
            // A node that does not answer fails many tests for one reason, which is said once.
            let all = failures.map(Self.clause)
            let named = all.reduce(into: [String]()) { if !$0.contains($1), $0.count < Self.namedFailures { $0.append($1) } }
            let rest = all.count { !named.contains($0) }
            clauses = named + (rest > 0 ? [Self.counted(rest, "more failure")] : [])
        } else if cancelled > 0 {
            verdict = .cancelled
            word = "Not decided"
            clauses = ["the run was ended early"]
        } else if decided == 0 {
            verdict = .notApplicable
            word = "Not decided"
            clauses = ["none of the chosen tests applies"]
        } else if warnings > 0 {
            verdict = .warning
            word = "Suitable, with " + Self.counted(warnings, "warning")
        } else {
            verdict = .pass
            word = "Suitable"
        }
        var limits: [String] = []
        if cancelled > 0 { limits.append("\(Self.counted(cancelled, "test")) did not finish") }
        if !run.options.skipped.isEmpty { limits.append("\(Self.counted(run.options.skipped.count, "test")) not chosen") }
        if let missing = run.options.unavailable, !missing.isEmpty {
            limits.append("\(Self.counted(missing.count, "test")) that this version cannot carry out")
        }
        reservation = limits.isEmpty ? nil : "\(limits.joined(separator: ", "))."
    }

    private static func clause(_ result: TestResult) -> String {
        if let headline = result.headline { return headline }
        guard let first = result.complaints.first(where: { $0.verdict == .failure }) else { return result.title }
        let sentence = first.reason.hasSuffix(".") ? String(first.reason.dropLast()) : first.reason
        return sentence.isEmpty ? result.title : sentence
    }

    static func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
