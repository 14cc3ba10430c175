import Foundation
import Subprocess

/// Runs a tool of the system and takes what it prints. It never waits longer than its deadline.
enum ToolRun {
    struct Output: Sendable {
        var text: String
        var errors: String
        /// nil when it was ended by a signal.
        var exitCode: Int32?
        var isSuccess: Bool { exitCode == 0 }
    }

    /// - Parameter seconds: After this time it is killed, by timeout(1), which also covers a tool that ignores signals.
    /// - Throws: ``ProbeProblem`` when it is not installed, was killed, or failed; with its last words.
    static func text(_ words: [String], seconds: Int = 15) async throws(ProbeProblem) -> String {
        let output = try await run(words, seconds: seconds)
        guard output.isSuccess else {
            let last = output.errors.split(separator: "\n").last.map { ": \($0)" } ?? ""
            switch output.exitCode {
            case 127: throw ProbeProblem("\(words[0]) is not installed.")
            case 124, 137, nil: throw ProbeProblem("\(words[0]) had not ended after \(seconds) s and was killed.")
            case let code?: throw ProbeProblem("\(words.prefix(2).joined(separator: " ")) ended with code \(code)\(last).")
            }
        }
        return output.text
    }

    static func run(_ words: [String], seconds: Int = 15) async throws(ProbeProblem) -> Output {
        do {
            let result = try await Subprocess.run(
                .name("timeout"), arguments: Arguments(["--kill-after=1", "\(seconds)"] + words),
                environment: .inherit.updating(["LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]), input: .none,
                output: .string(limit: 4 << 20), error: .string(limit: 64 << 10))
            var code: Int32?
            if case .exited(let value) = result.terminationStatus { code = value }
            return Output(text: result.standardOutput, errors: result.standardError, exitCode: code)
        } catch { throw ProbeProblem("\(words[0]) cannot be run: \(error)") }
    }
}
