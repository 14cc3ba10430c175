import Foundation
import Lab
import Subprocess

/// The small C programs beside the benchmarks, compiled for this run: they share the processors with what they measure, so they
/// are as little as can be.
struct BenchPrograms: Sendable {
    /// Many writers at once, for Apus and for etcd.
    let writers: String
    /// What Corosync alone costs.
    let corosync: String

    /// Compiles them into a folder of its own, which ``remove()`` takes away.
    static func build(_ tools: LabTools) async throws -> BenchPrograms {
        let sources = (tools.scripts as NSString).deletingLastPathComponent + "/Bench"
        let folder = FileManager.default.temporaryDirectory.path + "/apus-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let programs = BenchPrograms(writers: folder + "/writers", corosync: folder + "/corosync", folder: folder)
        do {
            try await compile(sources + "/writers.c", to: programs.writers, with: "-lpthread")
            try await compile(sources + "/corosync.c", to: programs.corosync, with: "-lcpg")
        } catch {
            programs.remove()
            throw error
        }
        return programs
    }

    private let folder: String

    private static func compile(_ source: String, to program: String, with library: String) async throws {
        let said = try await hostCommand(["gcc", "-O2", "-o", program, source, library], seconds: 60)
        guard said.isSuccess else { throw BenchError("\(source) does not compile; `make bench` installs what it needs. \(said.errors)") }
    }

    func remove() {
        // In the temporary folder; what is left there hurts nobody.
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// What a program of the host left when it ended.
struct HostResult: Sendable {
    var isSuccess: Bool
    var output: String
    var errors: String
}

/// Runs a program on the host itself, bounded in time.
func hostCommand(_ words: [String], seconds: Int) async throws -> HostResult {
    let ended = try await Subprocess.run(
        .name("timeout"), arguments: Arguments(["--kill-after=10", String(seconds)] + words), input: .none, output: .string(limit: 4 << 20),
        error: .string(limit: 1 << 20))
    return HostResult(isSuccess: ended.terminationStatus.isSuccess, output: ended.standardOutput, errors: ended.standardError)
}

/// Percentiles of latencies in milliseconds, as the programs print them.
struct Latencies: Hashable, Sendable, Decodable {
    var count: Int
    var p50: Double
    var p99: Double
    /// Changes a second; nil where nothing was counted by time.
    var perSecond: Double?
}
