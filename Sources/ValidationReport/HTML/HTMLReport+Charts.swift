import ClusterModel
import Validation

extension HTMLReport {
    /// Node to node, or disk on node: a sign, a number, and a bar as long as the number is large.
    func square(_ grid: FindingGrid) -> Markup {
        let figure = grid.figure?.name ?? "Results"
        let direction = grid.isNodeToNode ? "from the node of the row to the node of the column" : "of each disk on each node"
        let caption = [figure + " " + direction, grid.network].compactMap { $0 }.joined(separator: ", ")
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
                            Markup.tag("th", ["scope": "row"]) { grid.isNodeToNode ? row : name(of: DiskID(row)) }
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

    /// A chart for each name under which findings have distributions, and for each network.
    func spreads(_ findings: [ValidationFinding]) -> [Markup] {
        var order: [Spread] = []
        var lines: [Spread: [(title: String, distribution: Distribution)]] = [:]
        for finding in findings {
            for figure in finding.figures {
                guard case .distribution(let distribution, let unit) = figure.value else { continue }
                let spread = Spread(name: figure.name, unit: unit, network: finding.subject.network)
                if lines[spread] == nil { order.append(spread) }
                var subject = finding.subject
                subject.network = nil
                lines[spread, default: []].append((title(of: subject), distribution))
            }
        }
        return order.flatMap { spread -> [Markup] in
            let lines = lines[spread] ?? []
            guard lines.count > Self.mostSpreads else { return [table(spread, lines)] }
            // All pairs of many nodes are too long a list; the eye looks for the worst ones.
            let worst = lines.sorted { $0.distribution.p99 > $1.distribution.p99 }.prefix(Self.mostSpreads / 2)
            return [
                table(spread, Array(worst), title: "\(spread.name), the \(worst.count) slowest of \(lines.count)"),
                .tag("details", ["class": "more"]) {
                    Markup.tag("summary") { "All \(lines.count) of them" }
                    table(spread, lines)
                },
            ]
        }
    }

    private static let mostSpreads = 16

    private struct Spread: Hashable {
        var name: String
        var unit: FigureUnit
        var network: String?
    }

    private func table(_ spread: Spread, _ lines: [(title: String, distribution: Distribution)], title: String? = nil) -> Markup {
        let chart = SpreadChart(lines.map(\.distribution), spread.unit)
        return .tag("div", ["class": "scroll"]) {
            Markup.tag("table", ["class": "spread"]) {
                Markup.tag("caption") {
                    [title ?? spread.name, spread.network].compactMap { $0 }.joined(separator: ", ")
                    ". Darker is more samples; the long mark is the median, the short one p99."
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
                Markup.tag("tbody") { for line in lines { row(line.title, line.distribution, chart) } }
            }
        }
    }

    private func row(_ title: String, _ distribution: Distribution, _ chart: SpreadChart) -> Markup {
        .tag("tr") {
            Markup.tag("th", ["scope": "row"]) { Markup.tag("bdi") { title } }
            Markup.tag("td") { chart.line(distribution) }
            for number in [distribution.median, distribution.p90, distribution.p99, distribution.maximum] {
                Markup.tag("td", ["class": "number"]) { FigureText.text(number, chart.unit) }
            }
            Markup.tag("td", ["class": "number"]) { "\(distribution.count)" }
        }
    }
}
