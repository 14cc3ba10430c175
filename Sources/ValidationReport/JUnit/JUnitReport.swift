import Foundation
import Validation

/// A run as JUnit XML, the form that build servers read: a suite for each category, a case for each test.
///
/// The form knows no warnings; they pass, with the text in `system-out` and the verdict as a property. A cancelled test is an error: it was
/// neither passed nor failed. One that was chosen and that this version could not carry out is skipped.
public enum JUnitReport {
    public static func text(of run: ValidationRun) -> String {
        Markup.group([.verbatim("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), suites(run)]).text
    }

    private static func suites(_ run: ValidationRun) -> Markup {
        .tag(
            "testsuites",
            [
                "name": "Apus validation: \(RunVerdict(run).sentence)", "tests": "\(run.results.count + unavailable(run).count)",
                "failures": "\(run.count(.failure))", "errors": "\(run.count(.cancelled))", "time": seconds(run.milliseconds),
            ]
        ) {
            for category in ValidationCategory.allCases
            where !run.results(in: category).isEmpty || unavailable(run).contains(where: { $0.category == category }) {
                suite(category, run)
            }
        }
    }

    private static func suite(_ category: ValidationCategory, _ run: ValidationRun) -> Markup {
        let results = run.results(in: category)
        let missing = unavailable(run).filter { $0.category == category }
        let count = { (verdict: Verdict) in "\(results.count { $0.verdict == verdict })" }
        return .tag(
            "testsuite",
            [
                "name": category.title, "tests": "\(results.count + missing.count)", "failures": count(.failure),
                "errors": count(.cancelled),
                "skipped": "\(results.count { $0.verdict == .notApplicable } + missing.count)",
                "time": seconds(results.reduce(0.0) { $0 + Double($1.milliseconds) }),
                "timestamp": FigureText.iso8601(run.began), "id": run.id.uuidString.lowercased(),
            ]
        ) {
            for result in results { testcase(result) }
            for test in missing { testcase(unavailable: test, run) }
        }
    }

    private static func unavailable(_ run: ValidationRun) -> [ValidationTestID] { run.options.unavailable ?? [] }

    private static func testcase(unavailable test: ValidationTestID, _ run: ValidationRun) -> Markup {
        .tag("testcase", ["classname": "apus.\(test.category.rawValue)", "name": test.description, "time": seconds(0)]) {
            Markup.tag("skipped", ["message": "It was chosen, but Apus \(run.apusVersion) cannot carry it out."])
        }
    }

    private static func testcase(_ result: TestResult) -> Markup {
        .tag(
            "testcase",
            ["classname": "apus.\(result.id.category.rawValue)", "name": result.id.description, "time": seconds(result.milliseconds)]
        ) {
            Markup.tag("properties") {
                Markup.tag("property", ["name": "title", "value": result.title])
                Markup.tag("property", ["name": "verdict", "value": result.verdict.rawValue])
            }
            let findings = result.findings.filter { $0.verdict == result.verdict }
            let message = findings.first?.reason
            switch result.verdict {
            case .failure: Markup.tag("failure", ["message": result.headline ?? message, "type": "failure"]) { text(result.complaints) }
            case .cancelled: Markup.tag("error", ["message": message, "type": "cancelled"]) { text(findings) }
            case .notApplicable: Markup.tag("skipped", ["message": message])
            case .warning: Markup.tag("system-out") { text(result.complaints) }
            case .pass: Markup.group([])
            }
        }
    }

    private static func text(_ findings: [ValidationFinding]) -> String {
        findings.map { finding in
            "\(finding.verdict.title): \(finding.subject.title): \(finding.reason)" + (finding.cure.map { "\nCure: \($0)" } ?? "")
        }.joined(separator: "\n")
    }

    private static func seconds(_ milliseconds: Int) -> String { seconds(Double(milliseconds)) }
    /// With three digits behind the point and never as a power of ten.
    private static func seconds(_ milliseconds: Double) -> String {
        guard milliseconds.isFinite, (0..<1e15).contains(milliseconds) else { return "0" }
        let whole = Int(milliseconds.rounded())
        let fraction = String(whole % 1_000)
        return "\(whole / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
