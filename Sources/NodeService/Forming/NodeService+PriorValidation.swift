import ClusterAPI
import ClusterModel
import Foundation
import Validation
import ValidationReport

extension NodeService {
    /// The reports of validations that this node keeps.
    package nonisolated var reports: ReportFolder { ReportFolder(configuration.directories.state + "/reports") }

    /// What the history of a cluster says of the validation before a change.
    nonisolated func note(of validation: PriorValidation?, before what: String) -> EventNote {
        guard let id = validation?.run else {
            let how = validation == nil ? "without a validation" : "and the validation was left out on purpose (--skip-validation)"
            return EventNote(node: nil, severity: .warning, cause: nil, sentence: "\(what) \(how).")
        }
        do {
            let verdict = RunVerdict(try reports.load(id.uuidString).run)
            return EventNote(
                node: nil, severity: verdict.verdict == .failure ? .warning : .information, cause: nil,
                sentence:
                    "\(what) after validation \(id.uuidString.prefix(8).lowercased()), kept on \(configuration.node): \(verdict.sentence).")
        } catch {
            return EventNote(
                node: nil, severity: .warning, cause: "\(error)",
                sentence: "\(what) after validation \(id.uuidString.prefix(8).lowercased()), whose report is not on \(configuration.node).")
        }
    }
}
