import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// Five real nodes without a witness.
@Suite(.serialized, .cluster(nodes: 5, hasWitness: false), .enabled(if: geteuid() == 0, "The lab needs root."))
struct FiveNodeTests {
    @Test("two against three: the three go on")
    func twoAgainstThree() async throws {
        try await story { stage in
            let parts = [Array(stage.nodes[0..<2]), Array(stage.nodes[2...])]
            try await stage.lab.split(.cluster, into: parts)
            try await stage.decided(open: parts[1], closed: parts[0], "two against three")
            try await stage.lab.join(.cluster)
            try await stage.settle()
        }
    }

    @Test("nodes are lost one after the other, down to one")
    func oneAfterTheOther() async throws {
        try await story { stage in
            let n1 = stage.nodes[0]
            for (gone, total) in [(4, 3), (3, 3), (2, 1)] {
                try await stage.powerOff([stage.nodes[gone]])
                try await stage.wait(until: "\(gone) left, the votes followed: \(total)", of: [n1]) {
                    $0[n1].map { $0.isOpen && $0.votesTotal == total && ClusterStage.sees($0).count == gone } ?? false
                }
            }
            try await stage.powerOff([stage.nodes[1]])
            try await stage.wait(open: [n1], "the last one")
        }
    }

    @Test("the services are restarted one after the other")
    func rollingRestart() async throws {
        try await story { stage in
            for node in stage.nodes {
                try stage.signal(node, SIGTERM, "apusd")
                try await Task.sleep(for: .milliseconds(300))
                try await stage.wait(until: "\(node) takes part again") { seen in
                    seen.count == stage.nodes.count
                        && seen.values.allSatisfy { $0.isOpen && ClusterStage.sees($0).count == stage.nodes.count }
                }
            }
        }
    }

    @Test("a walk of faults", arguments: Walk.seeds(1))
    func walk(seed: UInt64) async throws { try await Walk.play(seed: seed) }
}
