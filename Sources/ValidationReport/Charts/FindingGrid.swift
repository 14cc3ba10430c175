import ClusterModel
import Validation

/// Findings about two things at once, as a square: node to node, or disk on node.
struct FindingGrid {
    struct Cell {
        var verdict: Verdict
        /// The first number of the finding that all cells have; nil when they have none.
        var number: Double?
    }
    /// The network, where the findings name one.
    var network: String?
    var isNodeToNode: Bool
    var rows: [String]
    var columns: [String]
    var cells: [[Cell?]]
    /// The name and unit of the numbers.
    var figure: (name: String, unit: FigureUnit)?

    /// - Returns: One square for each network, in the order of first appearance; none unless two rows or two columns come together.
    static func grids(of findings: [ValidationFinding]) -> [FindingGrid] {
        var networks: [String?] = []
        for finding in findings where coordinates(finding) != nil && !networks.contains(finding.subject.network) {
            networks.append(finding.subject.network)
        }
        return networks.compactMap { network in grid(findings.filter { $0.subject.network == network }, network) }
    }

    private static func coordinates(_ finding: ValidationFinding) -> (row: String, column: String)? {
        guard finding.subject.item == nil, let node = finding.subject.node else { return nil }
        if let peer = finding.subject.peer { return (node.rawValue, peer.rawValue) }
        if let disk = finding.subject.disk { return (disk.rawValue, node.rawValue) }
        return nil
    }

    private static func grid(_ findings: [ValidationFinding], _ network: String?) -> FindingGrid? {
        let isNodeToNode = findings.contains { $0.subject.peer != nil }
        let placed = findings.compactMap { finding in
            (finding.subject.peer != nil) == isNodeToNode ? coordinates(finding).map { (place: $0, finding: finding) } : nil
        }
        var rows = unique(placed.map(\.place.row))
        var columns = unique(placed.map(\.place.column))
        if isNodeToNode {
            rows = unique(rows + columns).sorted()
            columns = rows
        }
        guard placed.count >= 2, rows.count >= 2 || columns.count >= 2, rows.count <= most, columns.count <= most else { return nil }
        let rowIndex = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
        let columnIndex = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
        let figure = commonFigure(placed.map(\.finding))
        var cells = [[Cell?]](repeating: [Cell?](repeating: nil, count: columns.count), count: rows.count)
        for (place, finding) in placed {
            guard let row = rowIndex[place.row], let column = columnIndex[place.column] else { continue }
            // Several findings about one place: the worst one is shown.
            if let other = cells[row][column], other.verdict >= finding.verdict { continue }
            cells[row][column] = Cell(verdict: finding.verdict, number: figure.flatMap { number($0.name, in: finding) })
        }
        return FindingGrid(
            network: network, isNodeToNode: isNodeToNode, rows: rows, columns: columns, cells: cells, figure: figure)
    }

    /// A wider square would fit no screen.
    private static let most = 64

    /// The first number that most findings have in common.
    private static func commonFigure(_ findings: [ValidationFinding]) -> (name: String, unit: FigureUnit)? {
        for finding in findings {
            for figure in finding.figures {
                guard case .number(_, let unit) = figure.value else { continue }
                if findings.count(where: { number(figure.name, in: $0) != nil }) * 2 > findings.count { return (figure.name, unit) }
            }
        }
        return nil
    }

    private static func number(_ name: String, in finding: ValidationFinding) -> Double? {
        for figure in finding.figures where figure.name == name {
            if case .number(let number, _) = figure.value { return number }
        }
        return nil
    }

    private static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// The largest number, to which the bars are drawn; nil when there is nothing to draw.
    var largest: Double? { cells.joined().compactMap { $0?.number }.filter { $0.isFinite && $0 > 0 }.max() }
}
