import Validation

/// Warnings or failures of one test that the same thing cures: said once, with all whom it concerns.
struct Complaint {
    /// What several subjects have in common.
    struct Line {
        /// Empty when it is about all nodes together.
        var subjects: [String]
        var reason: String
    }
    var verdict: Verdict
    var cure: String?
    var lines: [Line]
}

extension HTMLReport {
    /// Failures before warnings, otherwise in the order in which they were found.
    func complaints(of result: TestResult) -> [Complaint] {
        var complaints: [Complaint] = []
        for finding in result.complaints {
            let subjects = finding.subject == .all ? [] : [title(of: finding.subject)]
            let line = Complaint.Line(subjects: subjects, reason: finding.reason)
            guard let index = complaints.firstIndex(where: { $0.verdict == finding.verdict && $0.cure == finding.cure }) else {
                complaints.append(Complaint(verdict: finding.verdict, cure: finding.cure, lines: [line]))
                continue
            }
            if let same = complaints[index].lines.firstIndex(where: { $0.reason == finding.reason && !$0.subjects.isEmpty }) {
                complaints[index].lines[same].subjects += subjects
            } else {
                complaints[index].lines.append(line)
            }
        }
        return complaints.filter { $0.verdict == .failure } + complaints.filter { $0.verdict != .failure }
    }
}
