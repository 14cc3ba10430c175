import ArgumentParser
import Simulation

@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-simulate",
        abstract: "Plays the cluster's rules against seeded faults.",
        discussion: """
            One seed is replayed with everything that happens; a batch prints seeds a minute and the seeds that failed.

              apus-simulate --storm log --seed 42
              apus-simulate --seeds 10000
            """)

    @Option(help: "log: the replicated log alone, message by message; cluster: votes, partitions and machines; both.")
    var storm = Storm.both
    @Option(help: "The seed to replay, or the first one of a batch.") var seed: UInt64 = 0
    @Option(help: "How many seeds; more than one is a batch on all cores.") var seeds: Int = 1
    @Option(help: "Steps of trouble in each: events of the log, tenths of a second of the cluster.") var steps: Int = 5_000

    func validate() throws {
        guard (1...10_000_000).contains(seeds) else { throw ValidationError("--seeds is 1 to 10000000.") }
        guard (1...1_000_000).contains(steps) else { throw ValidationError("--steps is 1 to 1000000.") }
        guard seed <= UInt64.max - UInt64(seeds) else { throw ValidationError("--seed is too large for so many seeds.") }
    }

    func run() async throws {
        guard seeds > 1 else {
            let outcomes = storm.kinds.map { $0.run(seed, steps, true) }
            for outcome in outcomes { for line in outcome.log { print(line) } }
            for (kind, outcome) in zip(storm.kinds, outcomes) { report(outcome, kind) }
            if outcomes.contains(where: { !$0.violations.isEmpty }) { throw ExitCode(1) }
            return
        }
        print("Seeds \(seed) to \(seed + UInt64(seeds) - 1), \(steps) steps each.")
        var hasFailed = false
        for kind in storm.kinds {
            let began = ContinuousClock.now
            let failed = await batch(kind)
            let took = ContinuousClock.now - began
            for outcome in failed { report(outcome, kind) }
            let minutes = Double(took.components.seconds) / 60 + Double(took.components.attoseconds) / 6e19
            print("\(kind): \(seeds) seeds, \(failed.count) failed, \(Int(Double(seeds) / max(minutes, 1e-6))) seeds a minute.")
            hasFailed = hasFailed || !failed.isEmpty
        }
        if hasFailed { throw ExitCode(1) }
    }

    /// As many at a time as Swift runs tasks side by side: one a core.
    private func batch(_ kind: Storm) async -> [StormOutcome] {
        let (first, steps) = (seed, steps)
        let end = first + UInt64(seeds)
        return await withTaskGroup(of: StormOutcome.self) { group in
            var failed: [StormOutcome] = []
            var next = first
            for _ in 0..<min(64, seeds) {
                let seed = next
                group.addTask { kind.run(seed, steps, false) }
                next += 1
            }
            for await outcome in group {
                if !outcome.violations.isEmpty { failed.append(outcome) }
                guard next < end else { continue }
                let seed = next
                group.addTask { kind.run(seed, steps, false) }
                next += 1
            }
            return failed.sorted { $0.seed < $1.seed }
        }
    }

    private func report(_ outcome: StormOutcome, _ kind: Storm) {
        guard !outcome.violations.isEmpty else { return }
        print("seed \(outcome.seed) failed; replay it with: apus-simulate --storm \(kind) --seed \(outcome.seed) --steps \(steps)")
        for violation in outcome.violations.prefix(5) { print("  \(violation)") }
    }
}

/// Which rules a seed is played against.
enum Storm: String, ExpressibleByArgument, CaseIterable, Sendable {
    case log, cluster, both

    /// The storms in it, one by one.
    var kinds: [Storm] { self == .both ? [.log, .cluster] : [self] }

    func run(_ seed: UInt64, _ steps: Int, _ isTraced: Bool) -> StormOutcome {
        switch self {
        case .log: LogStorm.run(seed: seed, steps: steps, isTraced: isTraced)
        case .cluster, .both: ScenarioStorm.run(seed: seed, steps: steps)
        }
    }
}
