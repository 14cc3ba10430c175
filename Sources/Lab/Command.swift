import Foundation
import Subprocess
import Synchronization

/// What a program left when it ended.
public struct CommandResult: Hashable, Sendable {
    /// Exit code; 128 + signal when a signal ended it; 124 when its time was up.
    public var code: Int32
    public var output: String
    public var errors: String
    public var isSuccess: Bool { code == 0 }
}

/// A program that runs until it ends or is told to, for instance a probe in the client.
public final class RunningCommand: Sendable {
    private let task: Task<CommandResult, any Error>
    private let process: ProcessBox

    init(_ words: [String], seconds: Int) {
        let process = ProcessBox()
        self.process = process
        task = Task {
            // Its number may soon be another's.
            defer { process.ended() }
            return try await Command.run(words, seconds: seconds, onStart: { process.started($0) })
        }
    }

    /// Sends SIGTERM, now or as soon as it has started.
    public func terminate() { process.terminate() }

    /// Waits for the end. Cancelling the waiting task ends the program.
    public func result() async throws(LabError) -> CommandResult {
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch let error as LabError {
            throw error
        } catch {
            throw .refused("A program of the lab was cancelled.")
        }
    }

    deinit { task.cancel() }

    private final class ProcessBox: Sendable {
        private let state = Mutex<(process: pid_t?, isTerminated: Bool)>((nil, false))

        func started(_ process: pid_t) {
            let isTerminated = state.withLock { state in
                state.process = process
                return state.isTerminated
            }
            if isTerminated { _ = kill(process, SIGTERM) }
        }
        func ended() { state.withLock { $0.process = nil } }
        func terminate() {
            let process = state.withLock { state in
                state.isTerminated = true
                return state.process
            }
            if let process { _ = kill(process, SIGTERM) }
        }
    }
}

/// Runs the programs that the lab is made with.
enum Command {
    /// Runs to the end. No program outlives its time: `timeout` ends it, and passes on the signal that a cancellation sends.
    ///
    /// Whatever stays behind must not keep the output open, or this waits for it too.
    static func run(
        _ words: [String], seconds: Int = 30, onStart: @escaping @Sendable (pid_t) -> Void = { _ in }
    ) async throws(LabError) -> CommandResult {
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(12))]
        do {
            let ended = try await Subprocess.run(
                .name("timeout"), arguments: Arguments(["--kill-after=10", String(seconds)] + words), platformOptions: options,
                input: .none, output: .string(limit: 16 << 20), error: .string(limit: 1 << 20)
            ) { execution in onStart(execution.processIdentifier.value) }
            let code: Int32 =
                switch ended.terminationStatus {
                case .exited(let code): code
                case .signaled(let signal): 128 + signal
                }
            return CommandResult(code: code, output: ended.standardOutput, errors: ended.standardError)
        } catch {
            throw .command(words: words, output: "it could not be run: \(error)")
        }
    }

    /// Runs and insists on success.
    ///
    /// - Parameter shown: The words that an error shows instead, when the real ones are mostly the way to where they run.
    @discardableResult
    static func check(_ words: [String], shown: [String]? = nil, seconds: Int = 30) async throws(LabError) -> String {
        let result = try await run(words, seconds: seconds)
        // Cancelled: then the program was ended by us, and says nothing of use.
        guard !Task.isCancelled else { throw .refused("Cancelled.") }
        guard result.isSuccess else {
            let said = (result.errors + result.output).trimmingCharacters(in: .whitespacesAndNewlines)
            let why = result.code == 124 ? "no end after \(seconds) s. " : ""
            throw .command(words: shown ?? words, output: why + String(said.suffix(2_000)))
        }
        return result.output
    }
}
