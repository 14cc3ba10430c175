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
            for group in Self.groups(of: result.complaints) {
                reasons(group)
                if let cure = group[0].cure { self.cure(cure) }
            }
        }
    }

    /// Complaints with the same cure together, in their order.
    private static func groups(of complaints: [ValidationFinding]) -> [[ValidationFinding]] {
        var order: [String] = []
        var groups: [String: [ValidationFinding]] = [:]
        for complaint in complaints.sorted(by: { $0.verdict > $1.verdict }) {
            let cure = complaint.cure ?? ""
            if groups[cure] == nil { order.append(cure) }
            groups[cure, default: []].append(complaint)
        }
        return order.compactMap { groups[$0] }
    }

    /// How many are spelled out here; all of them stand with the test.
    private static let shown = 4

    private func reasons(_ group: [ValidationFinding]) -> Markup {
        guard group.count > 1 else { return .tag("p", ["class": "reason"]) { group[0].reason } }
        return .tag("ul") {
            for finding in group.prefix(Self.shown) { Markup.tag("li", ["class": "reason"]) { finding.reason } }
            if group.count > Self.shown { Markup.tag("li", ["class": "quiet"]) { "and \(group.count - Self.shown) more" } }
        }
    }

    func cure(_ text: String) -> Markup {
        .tag("p", ["class": "cure"]) {
            Markup.tag("b") { "Cure" }
            Markup.tag("span", ["class": "reason"]) { text }
        }
    }

    static func anchor(_ id: ValidationTestID) -> String { "\(id.category.rawValue)-\(id.name)" }
}
