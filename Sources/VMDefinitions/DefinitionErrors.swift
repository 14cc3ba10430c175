/// One thing that is wrong with a definition: where, which field, and what is allowed instead.
public struct DefinitionProblem: Hashable, Sendable, CustomStringConvertible {
    /// As the operator named it; nil when the definition did not come from a file.
    public var fileName: String?
    /// Counted from 1; nil when the definition did not come from a file.
    public var line: Int?
    /// The path of the field, for instance `disks[0].size`; empty when the file as a whole is meant.
    public var field: String
    /// What is wrong and what is allowed: sentences.
    public var message: String

    public init(fileName: String? = nil, line: Int? = nil, field: String, message: String) {
        self.fileName = fileName
        self.line = line
        self.field = field
        self.message = message
    }

    /// `file:line: field: what, what is allowed`: the form that editors turn into a link.
    public var description: String {
        var text = ""
        if let fileName { text += fileName + ":" }
        if let line { text += "\(line):" }
        if !text.isEmpty { text += " " }
        if !field.isEmpty { text += field + ": " }
        return text + message
    }
}

/// Everything that is wrong with a definition, in the order of the file; never empty.
public struct DefinitionErrors: Error, Hashable, Sendable, CustomStringConvertible {
    public var problems: [DefinitionProblem]
    public init(_ problems: [DefinitionProblem]) { self.problems = problems }
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Foreign text as it may appear in a message: in quotes, short, without control characters that could disturb a terminal.
func quoted(_ text: String) -> String {
    let limit = 60
    var shown = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        switch scalar {
        case "\"", "\\": shown += "\\" + String(scalar)
        case _ where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format:
            shown += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: shown.unicodeScalars.append(scalar)
        }
    }
    return "\"\(shown)\"" + (text.unicodeScalars.dropFirst(limit).isEmpty ? "" : "...")
}
