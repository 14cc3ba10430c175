/// Why a report was not kept or not found.
public enum ReportFolderError: Error, Hashable, CustomStringConvertible {
    case folder(String, reason: String)
    case write(String)
    case unreadable(String, reason: String)
    case empty(String)
    /// Another report has this name.
    case taken(String)
    /// A report of another node that is not what it says to be: why.
    case strange(String)
    case unknown(String, String)
    case ambiguous(String, [String])

    public var description: String {
        switch self {
        case .folder(let path, let reason):
            "The folder of the reports, \(path), cannot be used: \(reason)"
        case .write(let reason):
            "The report could not be kept. \(reason)"
        case .unreadable(let file, let reason):
            "The report \(file) cannot be read. \(reason)"
        case .empty(let path):
            "There is no report in \(path) yet; apus validate makes one."
        case .taken(let name):
            "There is another report by the name of \(name)."
        case .strange(let reason):
            reason
        case .unknown(let text, let path):
            "There is no report \"\(text)\" in \(path); apus report list shows them."
        case .ambiguous(let text, let names):
            "Several reports begin with \"\(text)\": \(names.joined(separator: ", ")). Write more of it."
        }
    }
}
