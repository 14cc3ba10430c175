import Validation

/// Warnings or failures of one test that the same thing cures: said once, with all whom it concerns.
struct Complaint {
    /// What several subjects have in common.
    struct Line {
        /// Empty when it is about all nodes together.
        var subjects: [FindingSubject]
        var reason: String
    }
    var verdict: Verdict
    var cure: String?
    var lines: [Line]
}

extension HTMLReport {
    /// Failures before warnings, otherwise in the order in which they were found.
    func complaints(of result: TestResult) -> [Complaint] {
        struct Key: Hashable {
            var verdict: Verdict
            var cure: String?
        }
        var complaints: [Complaint] = []
        var places: [Key: Int] = [:]
        var lines: [Key: [String: Int]] = [:]
        for finding in result.complaints {
            let key = Key(verdict: finding.verdict, cure: finding.cure)
            let subjects = finding.subject == .all ? [] : [finding.subject]
            let place = places[key] ?? complaints.count
            if place == complaints.count {
                complaints.append(Complaint(verdict: finding.verdict, cure: finding.cure, lines: []))
                places[key] = place
            }
            if let line = lines[key]?[finding.reason], !subjects.isEmpty {
                complaints[place].lines[line].subjects += subjects
            } else {
                lines[key, default: [:]][finding.reason] = complaints[place].lines.count
                complaints[place].lines.append(Complaint.Line(subjects: subjects, reason: finding.reason))
            }
        }
        return complaints.filter { $0.verdict == .failure } + complaints.filter { $0.verdict != .failure }
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
