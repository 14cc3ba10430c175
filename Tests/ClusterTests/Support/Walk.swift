import ClusterModel
import Foundation
import Lab
import Testing

/// Faults and repairs in an order that a seed decides. Whatever was open in between, in the end all nodes are, with the same configuration.
///
/// The cluster itself does not follow the seed, so a run does not replay exactly; the orders and pauses do.
enum Walk {
    /// - Returns: As many seeds as asked for, the same each time; `APUS_WALK_SEED` plays that one alone, `APUS_WALKS` asks for more.
    static func seeds(_ count: Int) -> [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["APUS_WALK_SEED"].flatMap(UInt64.init) { return [seed] }
        return (0..<(environment["APUS_WALKS"].flatMap { Int($0) } ?? count)).map { UInt64($0) + 1 }
    }

    static func play(seed: UInt64) async throws {
        let steps = ProcessInfo.processInfo.environment["APUS_WALK_STEPS"].flatMap { Int($0) } ?? 8
        try await story { stage in
            var world = World(stage, seed: seed)
            for number in 1...steps {
                let (what, pause) = try await world.step()
                print("    walk \(seed) of \(stage.nodes.count) nodes, step \(number): \(what), then \(pause) ms")
                try await Task.sleep(for: .milliseconds(pause))
            }
        }
    }

    /// What is broken now, so that every step makes sense.
    private struct World {
        let stage: ClusterStage
        var random: SplitMix
        var off: Set<NodeName> = []
        var stopped: [NodeName: String] = [:]
        var cut: [NodeName: Set<LabNetwork>] = [:]
        var isSplit = false
        var sanIsCut = false

        init(_ stage: ClusterStage, seed: UInt64) {
            self.stage = stage
            random = SplitMix(state: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(stage.nodes.count))
        }

        mutating func step() async throws -> (what: String, pause: Int) {
            // Faults come in quick succession or long after each other: shorter and longer than a ring needs to end.
            let pause = [0, 200, 1_000, 2_500, 5_000].randomElement(using: &random) ?? 0
            while true {
                let node = stage.nodes.randomElement(using: &random) ?? stage.nodes[0]
                let die = Int.random(in: 0..<10, using: &random)
                if let what = try await act(die, on: node) { return (what, pause) }
            }
        }

        /// - Returns: Nil when that cannot be done now.
        private mutating func act(_ die: Int, on node: NodeName) async throws -> String? {
            switch die {
            case 0 where !off.contains(node):
                try await stage.powerOff([node])
                off.insert(node)
                stopped[node] = nil
                cut[node] = nil
                return "\(node) loses power"
            case 1 where off.contains(node), 2 where off.contains(node):
                try await stage.powerOn([node])
                off.remove(node)
                return "\(node) is powered on"
            case 3 where !off.contains(node) && stopped[node] == nil:
                let program = ["apusd", "corosync"].randomElement(using: &random) ?? "apusd"
                // It may be about to be started again, which is as good.
                try stage.node(node).signal(SIGKILL, processesNamed: program)
                return "\(program) on \(node) is killed"
            case 4 where !off.contains(node) && stopped[node] == nil:
                let program = ["apusd", "corosync"].randomElement(using: &random) ?? "apusd"
                guard try stage.node(node).signal(SIGSTOP, processesNamed: program) == 1 else { return nil }
                stopped[node] = program
                return "\(program) on \(node) is stopped"
            case 4...6 where stopped[node] != nil:
                guard let program = stopped.removeValue(forKey: node) else { return nil }
                try stage.node(node).signal(SIGCONT, processesNamed: program)
                return "\(program) on \(node) goes on"
            case 5 where !off.contains(node), 6 where !off.contains(node): return try await plug(node)
            case 7:
                isSplit.toggle()
                if isSplit {
                    let nodes = stage.nodes.shuffled(using: &random)
                    let size = Int.random(in: 1..<nodes.count, using: &random)
                    try await stage.lab.split(.cluster, into: [Array(nodes[..<size]), Array(nodes[size...])])
                    return "the cluster network is split, \(nodes[..<size].map(\.rawValue)) | \(nodes[size...].map(\.rawValue))"
                }
                try await stage.lab.join(.cluster)
                return "the cluster network is one again"
            case 8 where stage.hasWitness:
                sanIsCut.toggle()
                if sanIsCut { try await stage.lab.cutSAN() } else { try await stage.lab.restoreSAN() }
                return sanIsCut ? "the SAN is cut off" : "the SAN is back"
            case 9 where stage.hasWitness && !sanIsCut:
                try await stage.lab.restartSAN()
                return "the SAN's service is started again"
            default: return nil
            }
        }

        private mutating func plug(_ node: NodeName) async throws -> String {
            let network: LabNetwork = stage.hasWitness && Bool.random(using: &random) ? .storage : .cluster
            if cut[node]?.contains(network) == true {
                cut[node]?.remove(network)
                try await stage.node(node).restore(network)
                return "\(node) is plugged into the \(network.rawValue) network"
            }
            cut[node, default: []].insert(network)
            try await stage.node(node).cut(network, isSilent: Bool.random(using: &random))
            return "\(node) is cut from the \(network.rawValue) network"
        }
    }
}

/// The same numbers from the same seed, on every system (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
