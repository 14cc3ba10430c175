/// Text for a terminal that is narrower than its lines.
enum Paragraphs {
    /// Breaks lines that are too long between words; what follows stands below the text of the line, not below its bullet. Other lines, and
    /// words that are longer than the terminal is wide, stay as they are.
    static func wrapped(_ text: String, to width: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { wrapped(line: $0, to: max(width, 20)) }.joined(separator: "\n")
    }

    private static func wrapped(line: Substring, to width: Int) -> String {
        guard line.count > width else { return String(line) }
        let indent = line.prefix { $0 == " " }.count
        let rest = line.dropFirst(indent)
        let bullet = ["- ", "-> "].first { rest.hasPrefix($0) } ?? numbered(rest)
        let hanging = String(repeating: " ", count: min(indent + bullet.count, width / 2))
        var lines: [String] = []
        var current = String(line.prefix(indent + bullet.count))
        var isEmpty = true
        for word in rest.dropFirst(bullet.count).split(separator: " ") {
            if !isEmpty, current.count + 1 + word.count > width {
                lines.append(current)
                (current, isEmpty) = (hanging, true)
            }
            current += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return (lines + [current]).joined(separator: "\n")
    }

    /// `1  ` of a choice.
    private static func numbered(_ text: Substring) -> String {
        let digits = text.prefix { $0.isNumber }
        return !digits.isEmpty && text.dropFirst(digits.count).hasPrefix("  ") ? digits + "  " : ""
    }
}
