import ClusterModel
import Validation

extension HTMLReport {
    /// One category with all its tests. What needs attention is unfolded.
    func section(of category: ValidationCategory) -> Markup {
        .tag("section", ["id": category.rawValue, "class": "category", "aria-labelledby": "\(category.rawValue)-title"]) {
            Markup.tag("h2", ["id": "\(category.rawValue)-title"]) { category.title }
            Markup.tag("p") { category.purpose }
            for result in run.results(in: category) { test(result) }
        }
    }

    private func test(_ result: TestResult) -> Markup {
        let details = details(result)
        // Nothing in it that its line does not say: on paper the line will do.
        let isSlim = result.complaints.isEmpty && result.tables.isEmpty && result.findings.allSatisfy(\.figures.isEmpty)
        return .tag(
            "details",
            [
                "class": isSlim ? "test slim" : "test", "id": Self.anchor(result.id), "open": result.verdict >= .warning ? "" : nil,
            ]
        ) {
            Markup.tag("summary") {
                Icons.verdict(result.verdict)
                Markup.tag("div") {
                    Markup.tag("h3") { result.title }
                    if let short = short(result) ?? tally(result) { Markup.tag("span", ["class": "short"]) { short } }
                }
                Markup.tag("span", ["class": "time"]) {
                    result.verdict == .notApplicable ? "" : FigureText.milliseconds(result.milliseconds)
                }
            }
            Markup.tag("div", ["class": "body"]) {
                Markup.tag("p", ["class": "quiet"]) {
                    result.proves + " "
                    Markup.tag("code") { result.id.description }
                }
                for complaint in complaints(of: result) { block(complaint) }
                if let short = short(result) { Markup.tag("p", ["class": "reason"]) { short } }
                details
            }
        }
    }

    /// All that a test has to say, when that is one sentence.
    private func short(_ result: TestResult) -> String? {
        guard result.findings.count == 1, !result.findings[0].verdict.needsCure else { return nil }
        let subject = result.findings[0].subject
        return (subject == .all ? "" : title(of: subject) + ": ") + result.findings[0].reason
    }

    private func tally(_ result: TestResult) -> String? {
        let passed = result.findings.count { $0.verdict == .pass }
        return result.findings.count > 1 && passed > 0 ? "\(passed) of \(result.findings.count) passed" : nil
    }

    private func block(_ complaint: Complaint) -> Markup {
        .tag("div", ["class": "complaint v-\(complaint.verdict.rawValue)"]) {
            Markup.tag("p") { Icons.verdict(complaint.verdict) }
            reasons(complaint, most: .max)
            cure(complaint)
        }
    }

    /// Charts, then results one by one, then lists.
    private func details(_ result: TestResult) -> [Markup] {
        let grids = FindingGrid.grids(of: result.findings)
        let isMoreThanComplaints = result.findings.contains { !$0.verdict.needsCure || !$0.figures.isEmpty }
        var parts: [Markup] = []
        for grid in grids { parts.append(square(grid)) }
        parts += spreads(result.findings)
        if isMoreThanComplaints, short(result) == nil || !result.findings[0].figures.isEmpty {
            let table = Markup.tag("div", ["class": "scroll"]) { findings(result.findings) }
            // Where a square already shows every result the list would only push the next test away.
            parts.append(
                grids.isEmpty
                    ? table
                    : .tag("details", ["class": "more"]) {
                        Markup.tag("summary") { "All \(FigureText.counted(result.findings.count, "result"))" }
                        table
                    })
        }
        for list in result.tables {
            parts.append(
                .tag("div", ["class": "scroll"]) {
                    table(list.node.map { "\(list.caption), \($0)" } ?? list.caption, list.columns, list.rows)
                })
        }
        return parts
    }

    /// Every finding in a row; figures that are numbers or texts in columns.
    private func findings(_ findings: [ValidationFinding]) -> Markup {
        let columns = figureColumns(findings)
        return .tag("table") {
            Markup.tag("caption") { "Results one by one" }
            Markup.tag("thead") {
                Markup.tag("tr") {
                    columnHead("What")
                    columnHead("Result")
                    columnHead("Seen")
                    for column in columns { columnHead(column.name, isNumber: column.isNumber) }
                }
            }
            Markup.tag("tbody") {
                for finding in findings {
                    Markup.tag("tr") {
                        Markup.tag("th", ["scope": "row"]) { Markup.tag("bdi") { title(of: finding.subject) } }
                        Markup.tag("td") { Icons.verdict(finding.verdict) }
                        Markup.tag("td", ["class": "reason"]) { finding.reason }
                        for column in columns {
                            Markup.tag("td", ["class": column.isNumber ? "number" : nil]) { figure(column.name, of: finding) }
                        }
                    }
                }
            }
        }
    }

    private func figureColumns(_ findings: [ValidationFinding]) -> [(name: String, isNumber: Bool)] {
        var columns: [(name: String, isNumber: Bool)] = []
        // A page has room for so many; more can only come from a file that was tampered with.
        for figure in findings.lazy.flatMap(\.figures) where columns.count < 12 && !columns.contains(where: { $0.name == figure.name }) {
            switch figure.value {
            case .number: columns.append((figure.name, true))
            case .text: columns.append((figure.name, false))
            case .distribution: break
            }
        }
        return columns
    }

    private func figure(_ name: String, of finding: ValidationFinding) -> String {
        for figure in finding.figures where figure.name == name {
            switch figure.value {
            case .number(let number, let unit): return FigureText.text(number, unit)
            case .text(let text): return text
            case .distribution: break
            }
        }
        return ""
    }
}
