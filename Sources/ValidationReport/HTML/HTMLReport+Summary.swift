import ClusterModel
import Validation

extension HTMLReport {
    /// Categories by nodes: where the trouble is.
    var summary: Markup {
        .tag("section", ["id": "summary", "aria-labelledby": "summary-title"]) {
            Markup.tag("h2", ["id": "summary-title"]) { "Summary" }
            Markup.tag("p") {
                "The worst result of each category for each node. “Together” is what concerns no single node: comparisons, disks and the cluster itself."
            }
            Markup.tag("div", ["class": "scroll"]) {
                Markup.tag("table") {
                    Markup.tag("caption") { "Results by category and node" }
                    Markup.tag("thead") {
                        Markup.tag("tr") {
                            columnHead("Category")
                            for node in run.subject.nodes { columnHead(node.rawValue) }
                            columnHead("Together")
                            columnHead("Tests", isNumber: true)
                            columnHead("Time", isNumber: true)
                        }
                    }
                    Markup.tag("tbody") { for category in categories { summaryRow(category) } }
                }
            }
        }
    }

    private func summaryRow(_ category: ValidationCategory) -> Markup {
        let results = run.results(in: category)
        let findings = results.flatMap(\.findings)
        return .tag("tr") {
            Markup.tag("th", ["scope": "row"]) { Markup.tag("a", ["href": "#\(category.rawValue)"]) { category.title } }
            for node in run.subject.nodes {
                summaryCell(findings.filter { $0.subject.node == node || $0.subject.peer == node })
            }
            summaryCell(findings.filter { $0.subject.node == nil && $0.subject.peer == nil })
            Markup.tag("td", ["class": "number"]) { "\(results.count)" }
            Markup.tag("td", ["class": "number"]) {
                FigureText.milliseconds(results.reduce(0.0) { $0 + Double($1.milliseconds) })
            }
        }
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

    /// What the run says nothing about.
    var unchosen: Markup {
        guard !run.options.skipped.isEmpty else { return .group([]) }
        return .tag("section", ["id": "unchosen", "aria-labelledby": "unchosen-title"]) {
            Markup.tag("h2", ["id": "unchosen-title"]) { "Tests not chosen" }
            Markup.tag("p") { "This report says nothing about what these tests would have found." }
            Markup.tag("p") { run.options.skipped.map(\.description).joined(separator: ", ") }
        }
    }
}
