import ClusterModel
import Validation

/// A run for people at a terminal: the verdict, what to do, and a line for each category.
public enum SummaryText {
    public static func text(of run: ValidationRun) -> String {
        let line = RunVerdict(run)
        var lines = [line.sentence]
        if let reservation = line.reservation { lines.append(reservation) }
        let whom = run.subject.cluster.map { "Cluster \($0)" } ?? run.subject.nodes.map(\.rawValue).joined(separator: ", ")
        lines.append("\(whom), \(FigureText.moment(run.began)), in \(FigureText.milliseconds(run.milliseconds))")
        lines.append("")
        for category in ValidationCategory.allCases {
            let results = run.results(in: category)
            guard !results.isEmpty else { continue }
            lines.append(category.title.padded(to: 24) + tally(results))
        }
        for verdict in [Verdict.failure, .warning] {
            for result in run.results {
                for finding in result.complaints where finding.verdict == verdict {
                    lines.append("")
                    lines.append("\(verdict.title.uppercased())  \(result.title) (\(result.id)): \(finding.subject.title)")
                    lines.append("  \(indented(finding.reason))")
                    if let cure = finding.cure { lines.append("  Cure: \(indented(cure))") }
                }
            }
        }
        return visibleText(lines.joined(separator: "\n"))
    }

    private static func tally(_ results: [TestResult]) -> String {
        Verdict.allCases.sorted(by: >).compactMap { verdict in
            let count = results.count { $0.verdict == verdict }
            return count > 0 ? "\(count) \(verdict.title.lowercased())" : nil
        }.joined(separator: ", ")
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n  ")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
