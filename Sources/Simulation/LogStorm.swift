/// What a storm of one seed came to.
public struct StormOutcome: Sendable {
    public var seed: UInt64
    /// Empty, or the rules have a fault.
    public var violations: [String]
    /// Every event with its time; what a person reads to understand a violation.
    public var log: [String]

    public init(seed: UInt64, violations: [String], log: [String]) {
        self.seed = seed
        self.violations = violations
        self.log = log
    }
}

/// Goal: no order of crashes, cuts, hung members, late messages, full disks, jumping clocks and witness changes loses an acknowledged
/// change, lets two partitions commit differently, or applies a request twice; and when all is repaired the cluster comes back by itself.
/// Method: the real ``ClusterRules/ConfigurationLog`` on simulated nodes; everything draws from the seed, so a failure replays exactly.
public enum LogStorm {
    /// - Parameters:
    ///   - steps: Deliveries, answers of disks, timers and faults, one at a time. Healing takes some more.
    ///   - isTraced: Whether the last of what happened is told. It slows down a hundred times.
    public static func run(seed: UInt64, steps: Int, isTraced: Bool = false) -> StormOutcome {
        run(seed: seed, steps: steps, plan: FaultPlan(seed: seed), isTraced: isTraced)
    }

    public static func run(seed: UInt64, steps: Int, plan: FaultPlan, isTraced: Bool = false) -> StormOutcome {
        var cluster = SimulatedCluster<ChainState>(nodes: Int(seed % 5) + 1, hasWitness: seed / 5 % 2 == 0, seed: seed, plan: plan)
        cluster.isTraced = isTraced
        for step in 0..<steps {
            cluster.step()
            if let violation = cluster.checker.violation {
                return StormOutcome(seed: seed, violations: ["step \(step): \(violation)"], log: cluster.trace)
            }
        }
        cluster.heal()
        let isSettled = cluster.settle(within: 60_000)
        var violations: [String] = []
        if let violation = cluster.checker.violation {
            violations.append("after healing: \(violation)")
        } else if !isSettled {
            violations.append("safe, but the cluster did not come back: \(cluster.summary)")
        }
        return StormOutcome(seed: seed, violations: violations, log: cluster.trace)
    }
}
