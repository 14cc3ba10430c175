import ArgumentParser
import Foundation
import Lab
import Synchronization

/// `apus-bench`: how Apus compares, measured side by side on this machine.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench",
        abstract: "Measure Apus and what one would use instead, in turn, in labs on this machine.",
        discussion: """
            Needs root, and libvirt and etcd for what is compared with them; `make bench` installs them. Builds labs, prints a table and \
            writes the rows as JSON. Nothing of the labs is left, however it ends. Example:
              apus-bench --only live-idle-512M --only commit-1k --runs 7
            """)

    @Option(help: ArgumentHelp("Only this: \(Benchmark.names).", valueName: "name"))
    var only: [String] = []
    @Option(help: "Runs of each side, 1 to 100.") var runs = 5
    @Option(help: ArgumentHelp("Where the rows go.", valueName: "file")) var output: String?

    func validate() throws {
        guard (1...100).contains(runs) else { throw ValidationError("--runs must be 1 to 100.") }
        for name in only where Benchmark(rawValue: name) == nil {
            throw ValidationError("There is no benchmark \"\(name)\"; there are \(Benchmark.names).")
        }
    }

    func run() async throws {
        guard geteuid() == 0 else { throw ValidationError("The labs need root. Use sudo.") }
        let wanted = only.isEmpty ? Benchmark.allCases : only.compactMap(Benchmark.init(rawValue:))
        let work = Task { try await measure(wanted) }
        let watch = Task {
            await StopSignal.wait()
            work.cancel()
        }
        defer { watch.cancel() }
        let outcome = await work.result
        // In a task of its own, which no signal cancels.
        let cleaning = await Task { try await Self.removeLabs() }.result
        if case .failure(let error) = cleaning { say("The labs could not be taken down: \(error)") }
        guard try outcome.get() else { throw ExitCode(1) }
        try cleaning.get()
    }

    private static func removeLabs() async throws {
        for prefix in Stage.prefixes { try await LabBuilder.down(prefix: prefix) }
    }

    /// - Returns: Whether everything could be measured; not whether the goals were met, which the table tells.
    private func measure(_ wanted: [Benchmark]) async throws -> Bool {
        let settings = StageSettings(tools: try LabTools.find(), runs: runs, progress: { say($0) })
        var report = Report(rows: [])
        var failed: [Benchmark] = []
        var machine = Machine()
        for stage in Stage.allCases {
            let part = wanted.filter { $0.stage == stage }
            guard !part.isEmpty else { continue }
            // Of the stage before, or of a run that was killed.
            try await Self.removeLabs()
            if stage != .rules { say("building labs") }
            do {
                try await stage.run(
                    part, settings, note: { machine.notes.append($0) },
                    measure: { benchmark, rows in
                        do { report.rows += try await rows() } catch  where !Task.isCancelled {
                            failed.append(benchmark)
                            say("\(benchmark.rawValue) failed: \(error)")
                        }
                    })
            } catch  where !Task.isCancelled {
                failed += part
                say("\(part.map(\.rawValue).joined(separator: ", ")) failed: \(error)")
            }
        }
        let path = output ?? (settings.tools.scripts as NSString).deletingLastPathComponent + "/Bench/results.json"
        try report.write(to: path)
        print("\n\(machine.line)\n\n\(report.table)\n\nThe rows are in \(path).")
        return failed.isEmpty
    }
}

/// Ctrl-C and SIGTERM, so that the labs are taken down.
private enum StopSignal {
    private static let isReceived = Atomic(false)

    /// Returns when one of them came, or when cancelled.
    ///
    /// With a handler, not by ignoring them: programs inherit what is ignored, and those of the lab shall end at SIGTERM.
    static func wait() async {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in StopSignal.isReceived.store(true, ordering: .relaxed) } }
        while !isReceived.load(ordering: .relaxed) {
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
        }
    }
}

/// Progress goes beside the result.
private func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
