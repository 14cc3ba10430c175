import ClusterModel
import Validation

extension HTMLReport {
    /// Node to node, or disk on node: a sign, a number, and a bar as long as the number is large.
    func square(_ grid: FindingGrid) -> Markup {
        let name = grid.figure?.name ?? "Results"
        let direction = grid.isNodeToNode ? "from the node of the row to the node of the column" : "of each disk on each node"
        let caption = [name + " " + direction, grid.network].compactMap { $0 }.joined(separator: ", ")
        let largest = grid.largest
        return .tag("div", ["class": "scroll"]) {
            Markup.tag("table", ["class": "grid tight"]) {
                Markup.tag("caption") { caption }
                Markup.tag("thead") {
                    Markup.tag("tr") {
                        columnHead(grid.isNodeToNode ? "From \\ to" : "Disk")
                        for column in grid.columns { columnHead(column, isNumber: grid.figure != nil) }
                    }
                }
                Markup.tag("tbody") {
                    for (row, cells) in zip(grid.rows, grid.cells) {
                        Markup.tag("tr") {
                            Markup.tag("th", ["scope": "row"]) { row }
                            for (column, cell) in zip(grid.columns, cells) {
                                squareCell(cell, isSame: grid.isNodeToNode && row == column, grid.figure?.unit, largest)
                            }
                        }
                    }
                }
            }
        }
    }

    private func squareCell(_ cell: FindingGrid.Cell?, isSame: Bool, _ unit: FigureUnit?, _ largest: Double?) -> Markup {
        guard let cell else {
            return .tag("td", ["class": isSame ? "same" : "center quiet"]) { isSame ? "" : "–" }
        }
        guard let unit, let number = cell.number else {
            return .tag("td", ["class": unit == nil ? "center" : "number"]) {
                Markup.tag("span", ["class": "v-\(cell.verdict.rawValue)"]) {
                    Icons.icon(cell.verdict)
                    Self.spoken(cell.verdict.title)
                }
            }
        }
        let share = largest.map { min(max(number / $0, 0), 1) } ?? 0
        return .tag("td", ["class": "number heat", "style": "--share:\(Int((share * 100).rounded()))%"]) {
            if cell.verdict != .pass {
                Markup.tag("span", ["class": "v-\(cell.verdict.rawValue)"]) {
                    Icons.icon(cell.verdict)
                    Self.spoken(cell.verdict.title)
                }
                " "
            }
            FigureText.text(number, unit)
        }
    }

    /// A chart for each name under which findings have distributions.
    func spreads(_ findings: [ValidationFinding]) -> [Markup] {
        var names: [String] = []
        var lines: [String: [(title: String, distribution: Distribution, unit: FigureUnit)]] = [:]
        for finding in findings {
            for figure in finding.figures {
                guard case .distribution(let distribution, let unit) = figure.value else { continue }
                if lines[figure.name] == nil { names.append(figure.name) }
                lines[figure.name, default: []].append((finding.subject.title, distribution, unit))
            }
        }
        return names.compactMap { name in
            guard let lines = lines[name], let unit = lines.first?.unit else { return nil }
            return spread(name, unit, lines.filter { $0.unit == unit }.map { ($0.title, $0.distribution) })
        }
    }

    private func spread(_ name: String, _ unit: FigureUnit, _ lines: [(title: String, distribution: Distribution)]) -> Markup {
        let chart = SpreadChart(lines.map(\.distribution), unit)
        return .tag("div", ["class": "scroll"]) {
            Markup.tag("table") {
                Markup.tag("caption") {
                    "\(name): how the samples are spread. Darker is more of them; the long mark is the median, the short one p99."
                }
                Markup.tag("thead") {
                    Markup.tag("tr") {
                        columnHead("What")
                        Markup.tag("th", ["scope": "col"]) {
                            chart.axis
                            Self.spoken("Spread")
                        }
                        for title in ["Median", "p90", "p99", "Worst", "Samples"] { columnHead(title, isNumber: true) }
                    }
                }
                Markup.tag("tbody") {
                    for line in lines {
                        Markup.tag("tr") {
                            Markup.tag("th", ["scope": "row"]) { Markup.tag("bdi") { line.title } }
                            Markup.tag("td") { chart.line(line.distribution) }
                            for number in [
                                line.distribution.median, line.distribution.p90, line.distribution.p99, line.distribution.maximum,
                            ] {
                                Markup.tag("td", ["class": "number"]) { FigureText.text(number, unit) }
                            }
                            Markup.tag("td", ["class": "number"]) { "\(line.distribution.count)" }
                        }
                    }
                }
            }
        }
    }
}
