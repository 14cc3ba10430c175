import ClusterAPI
import ClusterModel
import Lab
import NodeClient

/// Something that can be measured by itself: `apus-bench --only NAME`.
enum Benchmark: String, CaseIterable, Sendable {
    case liveIdle = "live-idle-512M"
    case liveCalm = "live-1G-200M-at-50"
    case liveBusy = "live-1G-200M-at-400"
    case quick = "quick-8G-1G-active"
    case serviceMemory = "apusd-memory-20-machines"
    case commit = "commit-1k"
    case commitMany = "commit-64-writers"
    case failoverHeld = "failover-witness-held"
    case failoverTaken = "failover-witness-taken"
    case simulateRate = "simulate-rate"

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// What it is compared with runs in a lab of its own.
    var needsVirsh: Bool {
        switch self {
        case .liveIdle, .liveCalm, .liveBusy: true
        default: false
        }
    }

    var stage: Stage {
        switch self {
        case .liveIdle, .liveCalm, .liveBusy, .quick, .serviceMemory: .machines
        case .commit, .commitMany: .commit
        case .failoverHeld, .failoverTaken: .failover
        case .simulateRate: .rules
        }
    }
}

/// Benchmarks that share labs. One stage after the other: a lab that is up takes some of the machine also when it is idle.
enum Stage: CaseIterable, Sendable {
    case machines, commit, failover, rules
}

/// What a stage is given.
struct StageSettings: Sendable {
    var tools: LabTools
    var runs: Int
    /// Told in a few words what has been reached.
    var progress: @Sendable (String) -> Void
}

extension Stage {
    /// Prefixes of all labs that a stage may have built.
    static let prefixes = [ApusSide.prefix, VirshSide.prefix, CommitBench.prefix, EtcdSide.prefix, FailoverBench.prefix]

    /// Builds what the stage needs, and hands each of its benchmarks to `measure` with the way to its rows. The labs stay up.
    ///
    /// - Parameter note: Told what is worth knowing about the machine in this stage.
    func run(
        _ wanted: [Benchmark], _ settings: StageSettings, note: (String) -> Void,
        measure: (Benchmark, () async throws -> [Row]) async throws -> Void
    ) async throws {
        switch self {
        case .machines:
            let apus = try await ApusSide.up(settings.tools)
            guard let facts = try await apus.client("n1").nodes().compactMap(\.facts).first else { throw BenchError("No node answers.") }
            note("QEMU \(facts.qemuVersion), \(facts.acceleration.rawValue.uppercased())")
            let virsh = wanted.contains(where: \.needsVirsh) ? try await VirshSide.up(settings.tools) : nil
            let bench = Bench(apus: apus, virsh: virsh, runs: settings.runs, progress: settings.progress)
            for benchmark in wanted { try await measure(benchmark) { try await bench.rows(of: benchmark) } }
        case .commit:
            let programs = try await BenchPrograms.build(settings.tools)
            defer { programs.remove() }
            let bench = try await CommitBench.up(settings.tools, programs, runs: settings.runs, progress: settings.progress)
            for benchmark in wanted {
                try await measure(benchmark) {
                    benchmark == .commit ? try await bench.oneWriter(benchmark) : try await bench.manyWriters(benchmark)
                }
            }
        case .failover:
            let programs = try await BenchPrograms.build(settings.tools)
            defer { programs.remove() }
            let bench = try await FailoverBench.up(settings.tools, programs, runs: settings.runs, progress: settings.progress)
            for benchmark in wanted {
                try await measure(benchmark) { try await bench.rows(benchmark, isTaken: benchmark == .failoverTaken) }
            }
        case .rules:
            let rate = try SimulateRate(settings.tools, runs: settings.runs, progress: settings.progress)
            for benchmark in wanted { try await measure(benchmark) { try await rate.rows(benchmark) } }
        }
    }
}

/// What the benchmarks of machines are given.
struct Bench: Sendable {
    var apus: ApusSide
    /// nil when no benchmark that was asked for needs it.
    var virsh: VirshSide?
    var runs: Int
    /// Told in a few words what has been reached.
    var progress: @Sendable (String) -> Void

    func rows(of benchmark: Benchmark) async throws -> [Row] {
        switch benchmark {
        case .liveIdle: try await liveMigration(benchmark, GuestShape(memoryMiB: 512, dirty: nil), ratio: 0.25)
        case .liveCalm: try await liveMigration(benchmark, GuestShape(memoryMiB: 1_024, dirty: (200, 50)), ratio: 0.4)
        case .liveBusy:
            // What is rewritten meanwhile is all of the 200 MB, and TLS carries about 250 MB/s.
            try await liveMigration(
                benchmark, GuestShape(memoryMiB: 1_024, dirty: (200, 400)), ratio: 0.4, allowances: ["--max-blackout", "1s"])
        case .quick: try await quickMigration(benchmark)
        case .serviceMemory: try await serviceMemory(benchmark)
        default: throw BenchError("\(benchmark.rawValue) is not measured with machines.")
        }
    }
}
