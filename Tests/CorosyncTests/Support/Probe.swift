import Foundation
import Synchronization

/// A running `CorosyncProbe` inside a node.
final class Probe: Sendable {
    private struct State {
        var lines: [ProbeLine] = []
        var rest = Data()
        var junk: [String] = []
    }
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle
    private let state = Mutex(State())

    init(_ words: [String]) throws {
        let process = Process()
        self.process = process
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words + [try Self.program()]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        self.input = input.fileHandleForWriting
        self.output = output.fileHandleForReading
        self.output.readabilityHandler = { [weak self] file in
            let data = file.availableData
            if data.isEmpty { file.readabilityHandler = nil } else { self?.take(data) }
        }
        try process.run()
    }
    deinit { end() }

    /// The tests' own build folder has it.
    private static func program() throws -> String {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let candidates = [Bundle.main.bundlePath, (bundle as NSString).deletingLastPathComponent].map { $0 + "/CorosyncProbe" }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw TestFailure("CorosyncProbe is not in \(candidates)")
        }
        return found
    }

    private func take(_ data: Data) {
        state.withLock { state in
            state.rest += data
            while let end = state.rest.firstIndex(of: 0x0a) {
                let line = Data(state.rest[state.rest.startIndex..<end])
                state.rest = Data(state.rest[(end + 1)...])
                if let parsed = try? JSONDecoder().decode(ProbeLine.self, from: line) {
                    state.lines.append(parsed)
                } else {
                    state.junk.append(String(decoding: line, as: UTF8.self))
                }
            }
        }
    }

    /// How many lines there are; what comes later has happened later.
    var mark: Int { state.withLock { $0.lines.count } }
    func lines(after mark: Int = 0) -> [ProbeLine] { state.withLock { Array($0.lines.dropFirst(mark)) } }

    /// Waits for the first line after the mark that fits.
    @discardableResult
    func line(
        _ what: String, after mark: Int = 0, within limit: Duration = .seconds(10), where fits: (ProbeLine) -> Bool
    ) async throws -> ProbeLine {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let found = lines(after: mark).first(where: fits) { return found }
            try await Task.sleep(for: .milliseconds(5))
        }
        let said = lines(after: mark).suffix(12).map { "\($0)" }.joined(separator: "\n")
        throw TestFailure("no \(what) within \(limit). Since the mark:\n\(said)\n\(state.withLock { $0.junk })")
    }

    /// Gives a command without waiting for its reply.
    func tell(_ command: String) throws { try input.write(contentsOf: Data((command + "\n").utf8)) }

    /// Gives a command and waits for its reply, whatever it is.
    func reply(_ command: String, within limit: Duration = .seconds(15)) async throws -> ProbeLine {
        let mark = mark
        let name = command.prefix { $0 != " " }
        try tell(command)
        return try await line("reply to \(command)", after: mark, within: limit) { $0.reply == String(name) }
    }

    /// Gives a command that must succeed.
    @discardableResult
    func ask(_ command: String, within limit: Duration = .seconds(15)) async throws -> ProbeLine {
        let reply = try await reply(command, within: limit)
        guard reply.ok == true else { throw TestFailure("\(command): \(reply.error ?? "no error told")") }
        return reply
    }

    func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }
    func end() {
        try? input.close()
        kill()
    }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
