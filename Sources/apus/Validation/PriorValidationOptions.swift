import ArgumentParser
import ClusterAPI
import ClusterModel
import NodeClient
import Validation

/// That nodes are validated before they become members, and what an administrator may say about it.
struct PriorValidationOptions: ParsableArguments {
    @Flag(help: "Do not validate the nodes first. The cluster's history says so.") var skipValidation = false
    @Flag(help: "Go on although the validation finds failures. The cluster's history says so.") var ignoreFailures = false

    func validate() throws {
        if skipValidation, ignoreFailures {
            throw ArgumentParser.ValidationError("Without a validation there are no failures; give --skip-validation or --ignore-failures.")
        }
    }

    /// A report of all tests that is no older stands for a new validation.
    private static let recentSeconds = 24 * 3_600

    /// Validates the nodes, unless that was done lately or is not wanted.
    ///
    /// - Parameter isQuiet: With `--json` only the answer of the change is printed.
    /// - Returns: What goes into the history.
    /// - Throws: ``CommandFailure`` when they are not suitable and nobody says to go on all the same.
    func validate(_ tokens: [String], nodes: [NodeName] = [], asking client: NodeClient, isQuiet: Bool) async throws -> PriorValidation {
        guard !skipValidation else { return .skipped }
        let request = StartValidationRequest(nodes: nodes, tokens: tokens, unlessWithinSeconds: Self.recentSeconds)
        let first = try await client.startValidation(request)
        var status = first
        if first.isEnded {
            if !isQuiet { Console.progress("Validated within the last day: \(first.sentence ?? "").\n") }
        } else {
            if !isQuiet { Console.progress("Validating the nodes first (--skip-validation leaves it out).\n") }
            let display: any ValidationDisplay =
                if isQuiet { SilentValidation() } else if Console.isWatched { WatchedValidation() } else { LoggedValidation() }
            status = try await ValidationFollower(client: client, display: display).follow(first)
        }
        let sentence = status.sentence ?? status.problem ?? "There is no verdict"
        let report = status.report.map { " The report: \($0)" } ?? ""
        switch status.verdict {
        case .pass, .warning, .notApplicable:
            if !isQuiet, !first.isEnded { Console.progress("\(sentence).\(report)\n") }
        case .failure:
            Console.complain("\(sentence).\(report)")
            guard ignoreFailures || (Console.canAsk && Console.confirm("Go on all the same?")) else {
                throw CommandFailure(
                    message: "nothing was changed. Mend what the report names, or go on all the same with --ignore-failures.")
            }
        case .cancelled, nil:
            throw CommandFailure(
                message: "\(sentence); nothing was changed. Try again, or leave the validation out with --skip-validation.")
        }
        return PriorValidation(run: status.id)
    }
}
