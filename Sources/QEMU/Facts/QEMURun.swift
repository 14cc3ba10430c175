import Foundation
import Glibc
import Subprocess

/// How a short run of QEMU went.
struct QEMURun: Sendable {
    var exitCode: Int32?
    var output: String
    var errors: String
    /// It did not end by itself in time and was killed.
    var wasKilled: Bool

    /// Runs QEMU as a child, as `user` if one is given, and waits for its end.
    ///
    /// - Throws: ``QEMUFactsError/notStarted(program:reason:)``.
    static func run(
        _ program: String, _ arguments: [String], input: String, user: MachineUser?, deadline: Duration
    ) async throws(QEMUFactsError) -> QEMURun {
        guard access(program, X_OK) == 0 else { throw .notStarted(program: program, reason: systemMessage(errno)) }
        var command = [program] + arguments
        if let user {
            // setpriv(1) changes the user, and not swift-subprocess (1.0.2): it would call setgroups(3) and its like between fork and
            // execve, where they can wait for ever for a lock that a thread of ours held at the fork.
            let groups = user.groups.isEmpty ? ["--clear-groups"] : ["--groups", user.groups.map(String.init).joined(separator: ",")]
            command =
                ["/usr/bin/setpriv", "--reuid", "\(user.userID)", "--regid", "\(user.groupID)"] + groups
                + ["--no-new-privs", "--inh-caps=-all", "--"] + command
        }
        // The search path holds only the program's folder, so its name means exactly that file.
        let location = URL(filePath: command[0])
        let configuration = Configuration(
            executable: .name(location.lastPathComponent), arguments: Arguments(Array(command.dropFirst())),
            environment: .custom(["PATH": location.deletingLastPathComponent().path, "LC_ALL": "C"]))
        let outcome: Result<QEMURun?, QEMUFactsError> = await withTaskGroup(of: Result<QEMURun?, QEMUFactsError>.self) { group in
            group.addTask {
                do {
                    // Cancelling kills it.
                    let result = try await Subprocess.run(
                        configuration, input: .string(input), output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
                    var code: Int32?
                    if case .exited(let value) = result.terminationStatus { code = value }
                    return .success(
                        QEMURun(exitCode: code, output: result.standardOutput, errors: result.standardError, wasKilled: code == nil))
                } catch {
                    return .failure(.notStarted(program: program, reason: "\(error)"))
                }
            }
            group.addTask {
                do { try await Task.sleep(for: deadline) } catch { return .success(nil) }
                return .success(nil)
            }
            let first = await group.next() ?? .success(nil)
            group.cancelAll()
            return first
        }
        return try outcome.get() ?? QEMURun(exitCode: nil, output: "", errors: "", wasKilled: true)
    }
}
