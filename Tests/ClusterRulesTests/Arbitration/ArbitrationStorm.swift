import ClusterModel
import SeededRandom
import Testing

@testable import ClusterRules

/// Goal: no order of cut links, dead and stopped nodes, lost sessions, slow writes and target restarts gives two rings the witness's vote.
/// Method: delays and faults draw from the seed, so a failure replays; every step is checked. Afterwards everything heals, and somebody
/// must hold the witness and every node count its vote.
@Suite("Witness arbitration in a storm")
struct ArbitrationStorm {
    @Test(arguments: UInt64(0)..<40)
    func neverTwice(seed: UInt64) {
        let count = [2, 2, 2, 4, 4, 3, 6][Int(seed % 7)]
        var world = ArbitrationWorld(count: count, seed: seed, mode: seed % 11 == 10 ? .diskOnly : .majority)
        for _ in 0..<60 {
            fault(&world)
            let pause = world.random.milliseconds(50...6_000)
            if let found = world.run(for: pause) {
                Issue.record("seed \(seed): \(found)")
                return
            }
        }
        heal(&world)
        world.isCalm = true
        if let found = world.run(for: .seconds(25)) { Issue.record("seed \(seed), healing: \(found)") }
        let holder = world.disk.holder?.key.node
        #expect(holder != nil, "seed \(seed): nobody holds the witness")
        for id in world.ids {
            #expect(world.nodes[id]?.polled?.isYes == true, "seed \(seed): node \(id) does not count the vote")
            #expect(world.nodes[id]?.machine.holder == holder, "seed \(seed): node \(id)")
        }
    }

    private func fault(_ world: inout ArbitrationWorld) {
        let ids = world.ids
        guard let victim = ids.randomElement(using: &world.random) else { return }
        switch Int.random(in: 0..<13, using: &world.random) {
        case 0...2: world.connect(parts(&world))
        case 3: world.connect([Set(ids)])
        case 4: world.nodes[victim]?.pausedUntil = world.now + world.random.milliseconds(100...9_000)
        case 5: world.loseSession(victim)
        case 6: world.restartTarget()
        case 7:
            if world.nodes[victim]?.isDown == true {
                world.nodes[victim]?.ring = nil
                world.start(victim)
                world.connect(world.topology)
            } else {
                world.kill(victim)
            }
        case 8: world.nodes[victim]?.hasSAN.toggle()
        case 9: world.nodes[victim]?.hasSAN = true
        case 10:
            // The holder is the one that hurts.
            if let holder = world.disk.holder?.key.node {
                world.nodes[holder]?.pausedUntil = world.now + world.random.milliseconds(1_000...8_000)
            }
        case 11:
            // Nothing is heard of Corosync for a while; perhaps longer than the node keeps the witness for that.
            if world.nodes[victim]?.isDown == false { world.silence(victim, for: world.random.milliseconds(100...6_000)) }
        default:
            // The service alone starts anew; Corosync goes on and counts what was polled before until it times out.
            let polled = world.nodes[victim]?.polled
            if world.nodes[victim]?.isDown == false {
                world.start(victim)
                world.nodes[victim]?.polled = polled
            }
        }
    }

    private func parts(_ world: inout ArbitrationWorld) -> [Set<NodeID>] {
        var parts: [Set<NodeID>] = [[], [], []]
        let count = world.random.chance(700) ? 2 : 3
        for id in world.ids { parts[Int.random(in: 0..<count, using: &world.random)].insert(id) }
        return parts
    }

    private func heal(_ world: inout ArbitrationWorld) {
        for id in world.ids {
            world.nodes[id]?.hasSAN = true
            world.nodes[id]?.pausedUntil = .zero
            if world.nodes[id]?.isDown == true {
                world.nodes[id]?.ring = nil
                world.start(id)
            }
        }
        world.connect([Set(world.ids)])
    }
}
