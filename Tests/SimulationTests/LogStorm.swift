import ClusterModel
import ClusterRules
import Simulation
import Testing

/// Goal: no order of crashes, cuts, hung members, late messages, full disks and witness changes loses an acknowledged change, lets two
/// partitions commit differently, or applies a request twice; and when all is repaired the cluster comes back by itself.
/// Method: the real rules on simulated nodes; all faults draw from the seed, so a failure replays exactly.
@Suite("Storms over the replicated log")
struct LogStorm {
    @Test("An acknowledged change is never lost", arguments: UInt64(0)..<150)
    func neverLost(seed: UInt64) throws {
        try storm(seed: seed, plan: FaultPlan(seed: seed), steps: 3_000)
    }

    /// Each of these fails when the rule beside it is taken out (decision 0004), so they are the first to look at after a change.
    @Test(
        "Seeds that hit a rule",
        arguments: [
            (1086, "the epoch of a log counts before its length"), (1760, "the witness counts once it was written"),
            (4514, "messages of another session are ignored"), (5727, "a majority promises, durably"),
            (6331, "a change of the votes needs the old majority too"),
        ] as [(UInt64, String)])
    func rule(seed: UInt64, rule: String) throws {
        try storm(seed: seed, plan: FaultPlan(seed: seed), steps: 5_000)
    }

    private func storm(seed: UInt64, plan: FaultPlan, steps: Int) throws {
        var cluster = SimulatedCluster<ChainState>(nodes: Int(seed % 5) + 1, hasWitness: seed / 5 % 2 == 0, seed: seed, plan: plan)
        for step in 0..<steps {
            cluster.step()
            if let violation = cluster.checker.violation {
                Issue.record("seed \(seed), step \(step): \(violation)")
                return
            }
        }
        cluster.heal()
        let settled = cluster.settle(within: 60_000)
        #expect(cluster.checker.violation == nil, "seed \(seed), after healing")
        #expect(settled, "seed \(seed): safe, but the cluster did not come back: \(cluster.summary)")
    }
}
