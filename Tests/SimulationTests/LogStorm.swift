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

    /// Seeds that found a mistake once.
    @Test(
        "What went wrong once",
        arguments: [
            (58, "a request of an evicted node was never answered"), (234, "an operator's order was taken twice"),
            (294, "a node that was left out waited longer at every round"), (301, "two forced epochs had one number"),
            (311, "a promise after the hello made the next epoch too low"), (733, "a forced log had an older commit mark"),
            (1086, "a disk that recovered between two hellos was never counted again"), (1172, "an order was refused and committed"),
        ] as [(UInt64, String)])
    func oldMistakes(seed: UInt64, mistake: String) throws {
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
