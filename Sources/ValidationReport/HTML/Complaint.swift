import ClusterModel
import Validation

/// Warnings or failures of one test that the same thing cures: said once, with all whom it concerns.
struct Complaint {
    /// What several subjects have in common.
    struct Line {
        /// Empty when it is about all nodes together.
        var subjects: [FindingSubject]
        var reason: String
        /// Others of whom the same is true, but for the names in it.
        var alike: [FindingSubject] = []
    }
    var verdict: Verdict
    var cure: String?
    var lines: [Line]
}

extension HTMLReport {
    /// Failures before warnings, otherwise in the order in which they were found.
    ///
    /// - Parameter isBrief: Whether what differs in the names only is told of the first one, and the others are named.
    func complaints(of result: TestResult, isBrief: Bool = false) -> [Complaint] {
        struct Key: Hashable {
            var verdict: Verdict
            var cure: String?
        }
        var complaints: [Complaint] = []
        var places: [Key: Int] = [:]
        var lines: [Key: [String: Int]] = [:]
        for finding in result.complaints {
            let neutral = { (text: String) in isBrief ? Self.neutral(text, about: finding.subject) : text }
            let key = Key(verdict: finding.verdict, cure: finding.cure.map(neutral))
            let reason = neutral(finding.reason)
            let subjects = finding.subject == .all ? [] : [finding.subject]
            let place = places[key] ?? complaints.count
            if place == complaints.count {
                complaints.append(Complaint(verdict: finding.verdict, cure: finding.cure, lines: []))
                places[key] = place
            }
            if let line = lines[key]?[reason], !subjects.isEmpty {
                let isSame = complaints[place].lines[line].reason == finding.reason && complaints[place].cure == finding.cure
                if isSame {
                    complaints[place].lines[line].subjects += subjects
                } else {
                    complaints[place].lines[line].alike += subjects
                }
            } else {
                lines[key, default: [:]][reason] = complaints[place].lines.count
                complaints[place].lines.append(Complaint.Line(subjects: subjects, reason: finding.reason))
            }
        }
        return complaints.filter { $0.verdict == .failure } + complaints.filter { $0.verdict != .failure }
    }

    /// The text with the names of what it is about taken out.
    private static func neutral(_ text: String, about subject: FindingSubject) -> String {
        var text = text
        for (name, place) in [(subject.node?.rawValue, "\u{1}"), (subject.peer?.rawValue, "\u{2}"), (subject.disk?.rawValue, "\u{3}")] {
            if let name { text = replacing(name, with: place, in: text) }
        }
        return text
    }

    /// Whole words only: `n1` is not in `n10` and not in `n1-migration`.
    static func replacing(_ name: String, with place: String, in text: String) -> String {
        guard !name.isEmpty else { return text }
        let isPart = { (character: Character) in character.isLetter || character.isNumber || character == "-" || character == "_" }
        var output = ""
        var rest = Substring(text)
        while let range = rest.firstRange(of: name) {
            let before = rest[..<range.lowerBound].last ?? output.last
            let after = rest[range.upperBound...].first
            let isWord = !(before.map(isPart) ?? false) && !(after.map(isPart) ?? false)
            output += rest[..<range.lowerBound] + (isWord ? place : name)
            rest = rest[range.upperBound...]
        }
        return output + rest
    }

    /// The names of several subjects, with the network that all share said once.
    func titles(of subjects: [FindingSubject], most: Int) -> String {
        let network = subjects.first?.network
        let isShared = network != nil && subjects.count > 1 && subjects.allSatisfy { $0.network == network }
        var names = subjects.prefix(most).map { subject in
            var subject = subject
            if isShared { subject.network = nil }
            return title(of: subject)
        }
        if subjects.count > most { names.append("\(subjects.count - most) more") }
        return Self.joined(names) + (isShared ? ", \(network ?? "")" : "")
    }
}
