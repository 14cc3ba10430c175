/// Why the lab did not do what was asked.
public enum LabError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A sentence about what was asked for and what is allowed.
    case invalid(String)
    /// A sentence about the state of things: already up, not up, no such node.
    case refused(String)
    /// A program that the lab uses did not do its work.
    case command(words: [String], output: String)
    /// What was waited for and for how long, and where to look.
    case timeout(String)
    /// A file or folder and what is wrong with it.
    case file(path: String, reason: String)

    public var description: String {
        switch self {
        case .invalid(let sentence), .refused(let sentence), .timeout(let sentence): sentence
        case .command(let words, let output): "`\(words.joined(separator: " "))` failed: \(output.isEmpty ? "it said nothing" : output)"
        case .file(let path, let reason): "\(path): \(reason)"
        }
    }
}
