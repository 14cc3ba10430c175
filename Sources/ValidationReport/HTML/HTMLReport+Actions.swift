import ClusterModel
import Validation

extension HTMLReport {
    /// Everything that calls for the operator, failures first: what is wrong, where, and what helps.
    var actions: Markup {
        let complaints = run.results.filter { !$0.complaints.isEmpty }
        guard !complaints.isEmpty else {
            return .tag("section", ["id": "actions", "aria-labelledby": "actions-title"]) {
                Markup.tag("h2", ["id": "actions-title"]) { "What to do" }
                Markup.tag("p") {
                    line.verdict == .pass ? "Nothing: every test that applies has passed." : "No test found anything to correct."
                }
            }
        }
        let ordered = complaints.filter { $0.verdict == .failure } + complaints.filter { $0.verdict != .failure }
        return .tag("section", ["id": "actions", "aria-labelledby": "actions-title"]) {
            Markup.tag("h2", ["id": "actions-title"]) { "What to do" }
            Markup.tag("p") {
                line.verdict == .failure
                    ? "Correct the failures before the cluster carries anything that matters, then validate again. Warnings can wait, but should not be forgotten."
                    : "The cluster will work. These points would make it better, or will matter when something fails."
            }
            Markup.tag("ol", ["class": "todo"]) { for result in ordered { action(result) } }
        }
    }

    private func action(_ result: TestResult) -> Markup {
        .tag("li", ["class": "v-\(result.complaints.map(\.verdict).max() == .failure ? "failure" : "warning")"]) {
            Markup.tag("h3") {
                Markup.tag("a", ["href": "#\(Self.anchor(result.id))"]) { result.title }
                Icons.verdict(result.complaints.map(\.verdict).max() ?? result.verdict)
            }
            for complaint in complaints(of: result) {
                reasons(complaint, most: Self.shown)
                cure(complaint)
            }
        }
    }

    /// How many reasons are spelled out here; all of them stand with the test.
    private static let shown = 4

    func reasons(_ complaint: Complaint, most: Int) -> Markup {
        guard complaint.lines.count > 1 else { return .tag("p", ["class": "reason"]) { reason(complaint.lines[0], most) } }
        return .tag("ul") {
            for line in complaint.lines.prefix(most) { Markup.tag("li", ["class": "reason"]) { reason(line, most) } }
            if complaint.lines.count > most { Markup.tag("li", ["class": "quiet"]) { "and \(complaint.lines.count - most) more" } }
        }
    }

    private func reason(_ line: Complaint.Line, _ most: Int) -> [Markup] {
        guard !line.subjects.isEmpty else { return [.text(line.reason)] }
        return [.tag("bdi", ["class": "who"]) { titles(of: line.subjects, most: most) }, .text(": " + line.reason)]
    }

    func cure(_ complaint: Complaint) -> [Markup] {
        guard let cure = complaint.cure else { return [] }
        return [
            .tag("p", ["class": "cure"]) {
                Markup.tag("b") { "Cure" }
                Markup.tag("span", ["class": "reason"]) { cure }
            }
        ]
    }

    static func anchor(_ id: ValidationTestID) -> String { "\(id.category.rawValue)-\(id.name)" }
}
