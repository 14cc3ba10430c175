import ClusterModel
import Validation

extension HTMLReport {
    /// Nodes by categories: where the trouble is. There may be many nodes, but never more categories.
    var summary: Markup {
        .tag("section", ["id": "summary", "aria-labelledby": "summary-title"]) {
            Markup.tag("h2", ["id": "summary-title"]) { "Summary" }
            Markup.tag("p") {
                "The worst result of each category for each node. “Together” is what concerns no single node: comparisons, disks and the "
                "cluster itself."
            }
            Markup.tag("div", ["class": "scroll"]) {
                Markup.tag("table", ["class": "matrix"]) {
                    Markup.tag("caption") { "Results by node and category" }
                    Markup.tag("thead") {
                        Markup.tag("tr") {
                            columnHead("Node")
                            for category in categories {
                                Markup.tag("th", ["scope": "col"]) { Markup.tag("a", ["href": "#\(category.rawValue)"]) { category.title } }
                            }
                        }
                    }
                    Markup.tag("tbody") {
                        for node in run.subject.nodes { summaryRow(node.rawValue) { $0.node == node || $0.peer == node } }
                        summaryRow("Together") { $0.node == nil && $0.peer == nil }
                        Markup.tag("tr") {
                            rowHead("Tests")
                            for category in categories { Markup.tag("td") { tests(of: category) } }
                        }
                    }
                }
            }
        }
    }

    private func summaryRow(_ title: String, _ isAbout: (FindingSubject) -> Bool) -> Markup {
        .tag("tr") {
            rowHead(title)
            for category in categories {
                let results = run.results(in: category)
                // What has no meaning for some tests says nothing of a category whose other tests are about others.
                let hasMeaning = results.contains { $0.verdict != .notApplicable }
                summaryCell(
                    results.flatMap(\.findings).filter { isAbout($0.subject) && !(hasMeaning && $0.verdict == .notApplicable) })
            }
        }
    }

    private func rowHead(_ title: String) -> Markup { .tag("th", ["scope": "row"]) { title } }

    /// `17 in 27.4 s`: how many, and how long they took one after the other.
    private func tests(of category: ValidationCategory) -> String {
        let results = run.results(in: category)
        return "\(results.count) in " + FigureText.milliseconds(results.reduce(0.0) { $0 + Double($1.milliseconds) })
    }

    private func summaryCell(_ findings: [ValidationFinding]) -> Markup {
        .tag("td") {
            if let worst = findings.map(\.verdict).max() {
                let count = findings.count { $0.verdict == worst }
                Icons.verdict(worst, worst.needsCure ? FigureText.counted(count, worst.title.lowercased()) : worst.title)
            } else {
                Markup.tag("span", ["class": "quiet"]) { "–" }
            }
        }
    }

    func columnHead(_ title: String, isNumber: Bool = false) -> Markup {
        .tag("th", ["scope": "col", "class": isNumber ? "number" : nil]) { title }
    }

    /// What was validated.
    var subjects: Markup {
        .tag("section", ["id": "subjects", "aria-labelledby": "subjects-title"]) {
            Markup.tag("h2", ["id": "subjects-title"]) { "Nodes and disks" }
            Markup.tag("div", ["class": "scroll"]) {
                table(
                    "Nodes", [.init("Node"), .init("Address"), .init("What it is")],
                    run.nodes.map { [$0.name.rawValue, $0.address, $0.problem ?? $0.summary] })
            }
            if run.disks.isEmpty {
                Markup.tag("p", ["class": "quiet"]) { "No shared disk was seen." }
            } else {
                Markup.tag("div", ["class": "scroll"]) {
                    table(
                        "Shared disks",
                        [
                            .init("Disk"), .init("LUN", isNumber: true), .init("Size", isNumber: true), .init("Model"),
                            .init("What it carries"),
                        ],
                        run.disks.map {
                            [$0.id.rawValue, $0.lun.map { "\($0)" } ?? "differs", FigureText.bytes($0.byteCount), $0.model, $0.content]
                        })
                }
            }
        }
    }

    /// Any list. Rows that are longer or shorter than the head are shown as they are.
    func table(_ caption: String, _ columns: [FactTable.Column], _ rows: [[String]]) -> Markup {
        .tag("table") {
            Markup.tag("caption") { caption }
            Markup.tag("thead") {
                Markup.tag("tr") { for column in columns { columnHead(column.title, isNumber: column.isNumber) } }
            }
            Markup.tag("tbody") {
                for row in rows {
                    Markup.tag("tr") {
                        for (index, cell) in row.enumerated() {
                            let isNumber = index < columns.count && columns[index].isNumber
                            if index == 0 {
                                Markup.tag("th", ["scope": "row", "class": isNumber ? "number" : nil]) { cell }
                            } else {
                                Markup.tag("td", ["class": isNumber ? "number" : nil]) { cell }
                            }
                        }
                    }
                }
            }
        }
    }

    var hasUnchosen: Bool { !run.options.skipped.isEmpty || run.options.unavailable?.isEmpty == false }

    private func list(_ title: String, _ tests: [ValidationTestID]) -> Markup {
        guard !tests.isEmpty else { return .group([]) }
        return .group([
            .tag("h3") { "\(title) (\(tests.count))" }, .tag("p") { tests.map(\.description).joined(separator: ", ") },
        ])
    }

    /// What the run says nothing about.
    var unchosen: Markup {
        guard hasUnchosen else { return .group([]) }
        return .tag("section", ["id": "unchosen", "aria-labelledby": "unchosen-title"]) {
            Markup.tag("h2", ["id": "unchosen-title"]) { "Tests not carried out" }
            Markup.tag("p") { "This report says nothing about what these tests would have found." }
            list("Not chosen", run.options.skipped)
            list("Chosen, but Apus \(run.apusVersion) cannot carry them out", run.options.unavailable ?? [])
        }
    }
}
