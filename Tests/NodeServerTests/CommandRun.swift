import Foundation

/// Runs a program and gives back how it ended and what it wrote.
enum CommandRun {
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async -> (status: Int32, text: String) {
        let result = await runApart(program, arguments, environment: environment, input: input)
        return (result.status, result.output + result.errors)
    }

    /// The `apus` that was built with these tests.
    static func apus(
        _ arguments: [String], socket: String, input: String = "", interruptAfter marks: String...
    ) async -> (status: Int32, output: String, errors: String) {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let program = URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/apus"
        return await runApart(program, arguments, environment: ["APUS_SOCKET": socket], input: input, interruptAfter: marks)
    }

    /// Standard output and standard error apart. The program gets Ctrl-C each time when the next of the marks stands on its standard error.
    static func runApart(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
        interruptAfter marks: [String] = []
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
                // A program that does not end fails its test, and holds nothing up.
                let (last, id) = (DispatchSource.makeTimerSource(), process.processIdentifier)
                last.schedule(deadline: .now() + 90)
                last.setEventHandler { kill(id, SIGKILL) }
                last.resume()
                defer { last.cancel() }
                stdin.fileHandleForWriting.write(Data(input.utf8))
                try? stdin.fileHandleForWriting.close()
                // What our programs write fits into a pipe, so one may be read after the other.
                var complaint = Data()
                for mark in marks {
                    while !String(decoding: complaint, as: UTF8.self).contains(mark) {
                        let more = errors.fileHandleForReading.availableData
                        if more.isEmpty { break }
                        complaint += more
                    }
                    process.interrupt()
                }
                let text = output.fileHandleForReading.readDataToEndOfFile()
                complaint += errors.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(
                    returning: (
                        process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: complaint, as: UTF8.self)
                    ))
            }.start()
        }
    }
}
