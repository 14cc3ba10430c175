/// Rows in aligned columns under headings, as `ls` and `ps` have them: no frames, so that `awk` and `grep` work.
struct Table {
    enum Alignment { case left, right }
    private let headings: [(text: String, alignment: Alignment)]
    private var rows: [[String]] = []

    /// - Parameter headings: A heading that starts with `>` stands over a column of numbers, aligned to the right.
    init(_ headings: String...) {
        self.headings = headings.map { $0.hasPrefix(">") ? (String($0.dropFirst()), .right) : ($0, .left) }
    }

    /// Missing values show as a dash.
    mutating func add(_ cells: String?...) {
        precondition(cells.count == headings.count, "\(headings.count) columns, \(cells.count) cells")
        rows.append(cells.map { cell in cell.flatMap { $0.isEmpty ? nil : Self.oneLine($0) } ?? "-" })
    }

    /// - Parameter none: What to say when there are no rows.
    func text(none: String) -> String {
        guard !rows.isEmpty else { return none }
        let lines = [headings.map(\.text)] + rows
        let widths = headings.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = line.indices.map { column in
                let gap = String(repeating: " ", count: widths[column] - line[column].count)
                return headings[column].alignment == .left ? line[column] + gap : gap + line[column]
            }
            return Self.trimmed(cells.joined(separator: "  "))
        }.joined(separator: "\n")
    }

    /// Two columns without headings: what is said about one thing.
    static func list(_ pairs: [(String, String?)]) -> String {
        let known = pairs.compactMap { name, value in value.map { (name, $0) } }
        let width = known.map(\.0.count).max() ?? 0
        return known.map { name, value in
            trimmed(name + String(repeating: " ", count: width - name.count) + "  " + oneLine(value))
        }.joined(separator: "\n")
    }

    /// Text from a node must not move the cursor or break the table.
    private static func oneLine(_ text: String) -> String {
        String(
            text.map { $0.isNewline || $0 == "\t" ? " " : $0 }.filter { $0.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 } }
        )
    }

    private static func trimmed(_ text: String) -> String {
        text.last == " " ? String(text[...(text.lastIndex { $0 != " " } ?? text.startIndex)]) : text
    }
}
