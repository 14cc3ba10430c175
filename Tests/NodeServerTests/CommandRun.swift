import Foundation

/// Runs a program and gives back how it ended and what it wrote.
enum CommandRun {
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async -> (status: Int32, text: String) {
        let result = await runApart(program, arguments, environment: environment, input: input)
        return (result.status, result.output + result.errors)
    }

    /// Standard output and standard error apart.
    static func runApart(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async -> (status: Int32, output: String, errors: String) {
        await withCheckedContinuation { continuation in
            // A thread of its own: waiting for a process on those that run tasks would stop the server that it talks to.
            Thread {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: program)
                process.arguments = arguments
                process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
                let (output, errors, stdin) = (Pipe(), Pipe(), Pipe())
                process.standardOutput = output
                process.standardError = errors
                process.standardInput = stdin
                do { try process.run() } catch {
                    continuation.resume(returning: (-1, "", "\(program): \(error)"))
                    return
                }
                stdin.fileHandleForWriting.write(Data(input.utf8))
                try? stdin.fileHandleForWriting.close()
                // What our programs write fits into a pipe, so one may be read after the other.
                let text = output.fileHandleForReading.readDataToEndOfFile()
                let complaint = errors.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(
                    returning: (process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: complaint, as: UTF8.self)))
            }.start()
        }
    }
}
