import Foundation

/// Rows for people and for programs.
struct Report {
    var rows: [Row]

    /// A table that is Markdown and reads well in a terminal too.
    var table: String {
        let head = ["name", "unit", "runs", "ours: min / median / max", "peer", "peer: min / median / max", "ratio", "goal", "met"]
        let lines =
            [head]
            + rows.map { row in
                let (ours, peer) = (row.ours, row.peer)
                return [
                    row.name, row.unit, String(row.runs), spread(ours.min, ours.median, ours.max), peer.name,
                    spread(peer.min, peer.median, peer.max), row.ratio.map(shortNumber) ?? "-", row.goal, row.met ? "yes" : "**no**",
                ]
            }
        let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var text = lines.map { line in
            "| " + zip(line, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: " | ") + " |"
        }
        text.insert("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|", at: 1)
        return text.joined(separator: "\n")
    }

    private func spread(_ min: Double, _ median: Double, _ max: Double) -> String {
        min == max ? shortNumber(median) : [min, median, max].map(shortNumber).joined(separator: " / ")
    }

    /// Writes the rows as a JSON array, in one step.
    func write(to path: String) throws(BenchError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try encoder.encode(rows.map { $0.rounded }).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch { throw BenchError("\(path): the results cannot be written: \(error.localizedDescription)") }
    }
}

extension Row {
    /// With as many digits as mean something.
    fileprivate var rounded: Row {
        func round(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }
        var row = self
        (row.ours.min, row.ours.median, row.ours.max) = (round(ours.min), round(ours.median), round(ours.max))
        row.peer = Peer(name: peer.name, min: round(peer.min), median: round(peer.median), max: round(peer.max))
        row.ratio = ratio.map(round)
        return row
    }
}

/// Three significant digits, no more than needed: 0.954, 12.3, 120.
func shortNumber(_ value: Double) -> String {
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
    let text = String(format: "%.\(digits)f", value)
    guard text.contains(".") else { return text }
    let trimmed = text.reversed().drop { $0 == "0" }
    return String((trimmed.first == "." ? trimmed.dropFirst() : trimmed).reversed())
}
