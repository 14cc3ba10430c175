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
                Markup.tag("span") {
                    Markup.tag("a", ["href": "#\(Self.anchor(result.id))"]) { result.title }
                    // Some tests of different categories have one name.
                    Markup.tag("span", ["class": "of"]) { " " + result.id.category.title }
                }
                Icons.verdict(result.complaints.map(\.verdict).max() ?? result.verdict)
            }
            let complaints = complaints(of: result, isBrief: true)
            for complaint in complaints.prefix(Self.shown) {
                reasons(complaint, most: Self.shown)
                cure(complaint)
            }
            if complaints.count > Self.shown {
                Markup.tag("p", ["class": "quiet"]) { "and \(complaints.count - Self.shown) more, with the test" }
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
        var parts: [Markup] = []
        if !line.subjects.isEmpty, !isNamed(line) {
            parts = [.tag("bdi", ["class": "who"]) { titles(of: line.subjects, most: most) }, .text(": ")]
        }
        parts.append(.text(line.reason))
        if !line.alike.isEmpty {
            parts += [.text(" Likewise: "), .tag("bdi", ["class": "who"]) { titles(of: line.alike, most: most) }, .text(".")]
        }
        return parts
    }

    /// Whether the sentence begins with the node that it is about, so that its name need not stand before it once more.
    private func isNamed(_ line: Complaint.Line) -> Bool {
        guard line.subjects.count == 1, let node = line.subjects[0].node, line.subjects[0] == .node(node) else { return false }
        return Self.replacing(node.rawValue, with: "\u{1}", in: line.reason).hasPrefix("\u{1}")
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
