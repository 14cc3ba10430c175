import ClusterModel
import Validation

/// A validation in words.
enum ValidationText {
    static func word(_ verdict: Verdict) -> String {
        switch verdict {
        case .pass: "pass"
        case .warning: "WARNING"
        case .failure: "FAILURE"
        case .notApplicable: "n/a"
        case .cancelled: "ended"
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
    private static let titleWidth = ValidationCatalogue.tests.map { $0.id.description.count }.max() ?? 0

    /// `WARNING  inventory/kernel   n2 has kernel 6.1, n1 has 6.2.`
    static func line(_ test: TestProgress) -> String {
        let head = "\(padded(word(test.verdict ?? .cancelled), 7))  \(padded(test.id.description, titleWidth))"
        return "\(head)  \(test.remark ?? "\(test.title), \(Units.milliseconds(Double(test.milliseconds)))")"
    }

    /// A category of which nothing is left is named as a whole.
    static func unavailable(_ tests: [ValidationTestID]) -> String {
        let parts = ValidationCategory.allCases.flatMap { category -> [String] in
            let missing = tests.filter { $0.category == category }
            let all = ValidationCatalogue.tests.count { $0.category == category }
            return missing.count == all ? ["all \(all) of \(category.rawValue)"] : missing.map(\.description)
        }
        return "\(tests.count) of the chosen tests cannot be carried out by this version and "
            + "\(tests.count == 1 ? "is" : "are") left out: \(parts.joined(separator: ", "))."
    }

    /// The verdict first, then what asks for something to be done, then where the report is.
    ///
    /// - Parameter report: Where it is: a sentence.
    static func summary(_ status: ValidationStatus, _ run: ValidationRun?, report: String?) -> String {
        var parts: [String] = []
        if let run { parts += [counts(run), complaints(run)].filter { !$0.isEmpty } }
        let sentence = status.sentence ?? "There is no verdict"
        parts.append([sentence + ".", status.reservation].compactMap { $0 }.joined(separator: " "))
        if status.verdict == .cancelled, status.cleanedUp.isEmpty { parts.append("Nothing had to be taken back on the nodes.") }
        if let problem = status.problem { parts.append(problem) }
        if let report { parts.append(report) }
        return "\n" + parts.joined(separator: "\n\n")
    }

    private static func counts(_ run: ValidationRun) -> String {
        var table = Table("CATEGORY", ">PASS", ">WARNING", ">FAILURE", ">N/A", ">TIME")
        for category in ValidationCategory.allCases {
            let results = run.results(in: category)
            guard !results.isEmpty else { continue }
            func count(_ verdict: Verdict) -> String { String(results.count { $0.verdict == verdict }) }
            table.add(
                category.title, count(.pass), count(.warning), count(.failure), count(.notApplicable),
                Units.milliseconds(Double(results.map(\.milliseconds).reduce(0) { $0.addingReportingOverflow($1).partialValue })))
        }
        return table.text(none: "")
    }

    /// Failures, then warnings; what several nodes have in common is said once for each, the cure once.
    private static func complaints(_ run: ValidationRun) -> String {
        let results = run.results.filter { $0.verdict == .failure } + run.results.filter { $0.verdict == .warning }
        return results.map { result in
            var lines = ["\(word(result.verdict)): \(result.title) (\(result.id))"]
            let findings = result.complaints.sorted { $0.verdict > $1.verdict }
            for (index, finding) in findings.enumerated() {
                // Of several disks the same may be true, word for word.
                if index == 0 || findings[index - 1].reason != finding.reason { lines.append("  \(finding.reason)") }
                let isLast = index + 1 == findings.count || findings[index + 1].cure != finding.cure
                if isLast, let cure = finding.cure { lines.append("    -> \(cure)") }
            }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n\n")
    }

    /// Every finding, for reading on the terminal.
    static func whole(_ run: ValidationRun) -> String {
        run.results.map { result in
            var lines = [
                "\(word(result.verdict)): \(result.title) (\(result.id), \(Units.milliseconds(Double(result.milliseconds))))",
                "  \(result.proves)",
            ]
            for finding in result.findings {
                lines.append("  \(padded(word(finding.verdict), 7))  \(finding.subject.title): \(finding.reason)")
                if let cure = finding.cure { lines.append("           -> \(cure)") }
            }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n\n")
    }

    /// One test of the catalogue, for programs.
    struct CatalogueEntry: Encodable {
        let test: String
        let category: String
        let proves: String
    }

    static var catalogueEntries: [CatalogueEntry] {
        ValidationCatalogue.tests.map {
            CatalogueEntry(test: $0.id.description, category: $0.category.rawValue, proves: $0.proves)
        }
    }

    static func catalogue() -> String {
        ValidationCategory.allCases.map { category in
            var table = Table("TEST", "WHAT A PASS PROVES")
            for test in ValidationCatalogue.tests where test.category == category { table.add(test.id.description, test.proves) }
            return "\(category.title): \(category.purpose)\n\n\(table.text(none: ""))"
        }.joined(separator: "\n\n")
    }
}
