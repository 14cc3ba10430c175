import Simulation
import Testing

/// Other seeds in every run. They are printed, so that a run which does not end, too, can be replayed.
enum FreshSeeds {
    static let log = draw(40, of: "log")
    static let cluster = draw(15, of: "cluster")

    private static func draw(_ count: UInt64, of storm: String) -> Range<UInt64> {
        let first = UInt64.random(in: 1_000_000..<1_000_000_000)
        print("Fresh seeds of the \(storm) storm: \(first) to \(first + count - 1)")
        return first..<(first + count)
    }
}

/// Goal: no order of crashes, cuts, hung members, late messages, full disks and witness changes loses an acknowledged change, lets two
/// partitions commit differently, or applies a request twice; and when all is repaired the cluster comes back by itself.
/// Method: the real rules on simulated nodes; all faults draw from the seed, so a failure replays exactly.
@Suite("Storms over the replicated log")
struct LogStormTests {
    @Test("An acknowledged change is never lost", arguments: UInt64(0)..<150)
    func neverLost(seed: UInt64) {
        storm(seed: seed, steps: 3_000)
    }

    /// Each of these fails when the rule beside it is taken out (decision 0004), so they are the first to look at after a change.
    @Test(
        "Seeds that hit a rule",
        arguments: [
            (10, "an entry is durable before it is acknowledged"), (3, "a replica without memory does not count"),
            (2, "the ledger of requests"), (1301, "a witness that comes late causes a new round"),
            (140, "new votes need a majority of those who follow"),
        ] as [(UInt64, String)])
    func rule(seed: UInt64, rule: String) {
        storm(seed: seed, steps: 5_000)
    }

    @Test("Seeds that nobody ran before", arguments: FreshSeeds.log)
    func fresh(seed: UInt64) {
        storm(seed: seed, steps: 3_000)
    }

    private func storm(seed: UInt64, steps: Int) {
        let outcome = LogStorm.run(seed: seed, steps: steps)
        #expect(outcome.violations.isEmpty, "make simulate STORM=log SEED=\(seed) STEPS=\(steps): \(outcome.violations)")
    }
}
