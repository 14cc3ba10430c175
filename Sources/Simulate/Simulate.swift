import ArgumentParser
import Simulation

@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-simulate",
        abstract: "Plays the cluster's rules against seeded faults.",
        discussion: """
            One seed is replayed with everything that happens; a batch prints seeds a minute and the seeds that failed.

              apus-simulate --seed 42
              apus-simulate --seeds 10000
            """)

    @Option(help: "The seed to replay, or the first one of a batch.") var seed: UInt64 = 0
    @Option(help: "How many seeds; more than one is a batch on all cores.") var seeds: Int = 1
    @Option(help: "Tenths of a second of trouble in each.") var steps: Int = 5_000

    func validate() throws {
        guard (1...10_000_000).contains(seeds) else { throw ValidationError("--seeds is 1 to 10000000.") }
        guard (1...1_000_000).contains(steps) else { throw ValidationError("--steps is 1 to 1000000.") }
        guard seed <= UInt64.max - UInt64(seeds) else { throw ValidationError("--seed is too large for so many seeds.") }
    }

    func run() async throws {
        guard seeds > 1 else {
            let outcome = ScenarioStorm.run(seed: seed, steps: steps)
            for line in outcome.log { print(line) }
            report([outcome])
            if !outcome.violations.isEmpty { throw ExitCode(1) }
            return
        }
        print("Seeds \(seed) to \(seed + UInt64(seeds) - 1), \(steps) steps each.")
        let began = ContinuousClock.now
        let failed = await batch()
        let took = ContinuousClock.now - began
        report(failed)
        let minutes = Double(took.components.seconds) / 60 + Double(took.components.attoseconds) / 6e19
        print("\(seeds) seeds, \(failed.count) failed, \(Int(Double(seeds) / max(minutes, 1e-6))) seeds a minute.")
        if !failed.isEmpty { throw ExitCode(1) }
    }

    /// As many at a time as Swift runs tasks side by side: one a core.
    private func batch() async -> [ScenarioStorm.Outcome] {
        let (first, steps) = (seed, steps)
        let end = first + UInt64(seeds)
        return await withTaskGroup(of: ScenarioStorm.Outcome.self) { group in
            var failed: [ScenarioStorm.Outcome] = []
            var next = first
            for _ in 0..<min(64, seeds) {
                let seed = next
                group.addTask { ScenarioStorm.run(seed: seed, steps: steps) }
                next += 1
            }
            for await outcome in group {
                if !outcome.violations.isEmpty { failed.append(outcome) }
                guard next < end else { continue }
                let seed = next
                group.addTask { ScenarioStorm.run(seed: seed, steps: steps) }
                next += 1
            }
            return failed.sorted { $0.seed < $1.seed }
        }
    }

    private func report(_ outcomes: [ScenarioStorm.Outcome]) {
        for outcome in outcomes where !outcome.violations.isEmpty {
            print("seed \(outcome.seed) failed; replay it with: apus-simulate --seed \(outcome.seed) --steps \(steps)")
            for violation in outcome.violations.prefix(5) { print("  \(violation)") }
        }
    }
}
