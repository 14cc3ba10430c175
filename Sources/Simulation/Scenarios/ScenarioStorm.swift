import ClusterModel
import SeededRandom

/// Goal: no order of losses, cuts and returns opens two partitions, loses an acknowledged change or runs a machine twice; and once
/// everything is in order again, the cluster is whole and every machine runs.
/// Method: everything draws from the seed, so a failure replays exactly.
public enum ScenarioStorm {
    /// - Parameter steps: Tenths of a second of trouble; healing takes some more.
    public static func run(seed: UInt64, steps: Int) -> StormOutcome {
        var random = SeededGenerator(seed: seed)
        let count = 1 + random.below(5)
        let hasWitness = random.chance(600)
        let machines = (1...3).map { (name: "vm\($0)", owner: 1 + random.below(count)) }
        var world: ScenarioWorld
        do throws(ScenarioError) {
            world = try ScenarioWorld(
                nodes: count, hasWitness: hasWitness, isDynamic: random.chance(750), secondsUntilStop: 10 + random.below(60),
                machines: machines)
        } catch { return StormOutcome(seed: seed, violations: ["\(error)"], log: []) }
        world.tell("-- \(count) nodes, \(hasWitness ? "witness disk" : "no witness")")
        for _ in 0..<steps {
            if random.chance(12), let act = act(&random, world.nodeIDs, hasWitness: hasWitness) { world.perform(act) }
            world.step()
            if !world.violations.isEmpty { return StormOutcome(seed: seed, violations: world.violations, log: world.log) }
        }
        world.perform(.restoreLinks)
        world.perform(.witness(isReachable: true))
        for id in world.nodeIDs {
            world.perform(.restoreSAN(id))
            world.perform(.powerOn(id))
        }
        var ticks = 0
        // A node that was asked to stop may still be doing so; whoever went is started again.
        while !world.isHealthy, ticks < 1200 {
            world.step()
            ticks += 1
            if ticks.isMultiple(of: 100) { for id in world.nodeIDs { world.perform(.powerOn(id)) } }
        }
        if world.violations.isEmpty, !world.isHealthy {
            let nodes = world.nodeIDs.map { "n\($0) \(world.status(of: $0))" }
            let machines = world.machineNames.map { "\($0) \(world.whereabouts(of: $0))" }
            world.violations.append(
                "safe, but not whole 120 s after everything was repaired: \((nodes + machines).joined(separator: "; "))")
        }
        return StormOutcome(seed: seed, violations: world.violations, log: world.log)
    }

    private static func act(_ random: inout SeededGenerator, _ nodes: [NodeID], hasWitness: Bool) -> ScenarioAct? {
        guard let node = random.pick(nodes) else { return nil }
        switch random.below(15) {
        case 0, 1: return .powerOff(node)
        case 2, 3, 4: return .powerOn(node)
        case 5: return .stop(node)
        case 6: return random.chance(500) ? .cutSAN(node) : .restoreSAN(node)
        case 7:
            let side = nodes.filter { _ in random.chance(500) }
            return .cutLinks([side, nodes.filter { !side.contains($0) }])
        case 8, 9: return .restoreLinks
        case 10: return .killService(node)
        case 11: return hasWitness ? .witness(isReachable: random.chance(600)) : nil
        case 12: return .setClock(node, by: .seconds(random.below(7_200) - 3_600))
        case 13: return random.pick(nodes).map { .cutPair(node, $0) }
        default: return .change("change \(random.next())", node)
        }
    }
}
