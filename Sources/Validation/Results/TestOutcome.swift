import Foundation

/// What a judge makes of the evidence of one test.
public struct TestOutcome: Hashable, Sendable {
    public var findings: [ValidationFinding]
    public var tables: [FactTable]
    /// The failure in one clause for the verdict of the whole run: "node2 and node3 do not see LUN 4". No capital, no full stop.
    public var headline: String?

    public init(_ findings: [ValidationFinding] = [], tables: [FactTable] = [], headline: String? = nil) {
        self.findings = findings
        self.tables = tables
        self.headline = headline
    }

    public static func notApplicable(_ reason: String) -> Self { Self([ValidationFinding(.notApplicable, reason: reason)]) }

    /// Joins what several steps of one test found.
    public static func + (left: Self, right: Self) -> Self {
        // Steps that fail alike say so once.
        let all = [left.headline, right.headline].compactMap { $0 }.flatMap { $0.components(separatedBy: "; ") }
        let headlines = all.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return Self(
            left.findings + right.findings, tables: left.tables + right.tables,
            headline: headlines.isEmpty ? nil : headlines.joined(separator: "; "))
    }
}
