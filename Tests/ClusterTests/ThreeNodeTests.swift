import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// Three real nodes without a witness: the majority of the nodes decides.
@Suite(.serialized, .cluster(nodes: 3, hasWitness: false), .enabled(if: geteuid() == 0, "The lab needs root."))
struct ThreeNodeTests {
    @Test("a node is cut off: the two others go on", arguments: Extent.cases(0, 2))
    func oneCutOff(index: Int) async throws {
        try await story { stage in
            let lost = stage.nodes[index]
            try await stage.lab.split(.cluster, into: [[lost], stage.others(lost)])
            try await stage.decided(open: stage.others(lost), closed: [lost])
            try await stage.lab.join(.cluster)
            try await stage.settle()
        }
    }

    @Test("every node is cut off from every other: nobody goes on")
    func allCutOff() async throws {
        try await story { stage in
            try await stage.lab.split(.cluster, into: stage.nodes.map { [$0] })
            try await stage.decided(open: [], closed: stage.nodes, "three parts")
        }
    }

    @Test("two nodes lose power at once: the third waits, and goes on with the first that returns")
    func twoAtOnce() async throws {
        try await story { stage in
            let (n1, n2, n3) = (stage.nodes[0], stage.nodes[1], stage.nodes[2])
            async let first: Void = stage.powerOff([n2])
            async let second: Void = stage.powerOff([n3])
            _ = try await (first, second)
            try await stage.decided(open: [], closed: [n1], "alone")
            try await stage.powerOn([n3])
            try await stage.wait(open: [n1, n3], "one returned")
        }
    }

    @Test("two nodes are lost one after the other: the last goes on with the vote that was left to it")
    func oneAfterTheOther() async throws {
        try await story { stage in
            let n1 = stage.nodes[0]
            try await stage.powerOff([stage.nodes[2]])
            try await stage.wait(until: "n1 has the only vote", of: [n1]) { $0[n1].map { $0.isOpen && $0.votesTotal == 1 } ?? false }
            try await stage.powerOff([stage.nodes[1]])
            try await stage.wait(open: [n1], "alone")
        }
    }

    @Test("a hung service does not hold up the others, also when they meet anew")
    func hungService() async throws {
        try await story { stage in
            let (n1, n2, n3) = (stage.nodes[0], stage.nodes[1], stage.nodes[2])
            try stage.signal(n3, SIGSTOP, "apusd")
            try stage.signal(n2, SIGKILL, "apusd")
            try await stage.wait(until: "two go on", of: [n1, n2]) { $0.count == 2 && $0.values.allSatisfy(\.isOpen) }
            try stage.signal(n3, SIGCONT, "apusd")
            try await stage.settle()
        }
    }

    @Test("a hung service counts for nothing, although its Corosync votes")
    func hungServiceDoesNotCount() async throws {
        try await story { stage in
            let (n1, n2, n3) = (stage.nodes[0], stage.nodes[1], stage.nodes[2])
            try stage.signal(n2, SIGSTOP, "apusd")
            try await stage.powerOff([n3])
            try await stage.decided(open: [], closed: [n1], "one of three copies", staysFor: 6)
            try stage.signal(n2, SIGCONT, "apusd")
            try await stage.wait(open: [n1, n2], "it runs again")
        }
    }

    @Test("a walk of faults", arguments: Walk.seeds(1))
    func walk(seed: UInt64) async throws { try await Walk.play(seed: seed) }
}

/// Three real nodes and a disk that takes part only when the number of nodes is even.
@Suite(.serialized, .cluster(nodes: 3, hasWitness: true), .enabled(if: geteuid() == 0, "The lab needs root."))
struct ThreeNodesAndDiskTests {
    @Test("a cold start in two parts: the disk does not make the smaller one a majority")
    func coldStartInParts() async throws {
        try await story { stage in
            let (n1, n2, n3) = (stage.nodes[0], stage.nodes[1], stage.nodes[2])
            // At once: no node may see another go, or the votes would follow.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in stage.nodes { group.addTask { try await stage.powerOff([node]) } }
                try await group.waitForAll()
            }
            try await stage.lab.split(.cluster, into: [[n1, n2], [n3]])
            try await stage.powerOn(stage.nodes)
            for node in [n1, n2] { try await stage.node(node).cut(.storage) }
            try await stage.wait(until: "a decision", of: stage.nodes) { seen in
                seen.count == 3 && seen.values.allSatisfy { $0.configuration.contains("are needed") || $0.isOpen }
            }
            #expect(await stage.status(n3)?.isOpen == false)
        }
    }

    @Test("nodes are lost one after the other, down to one and the disk")
    func oneAfterTheOther() async throws {
        try await story { stage in
            let n1 = stage.nodes[0]
            try await stage.powerOff([stage.nodes[2]])
            try await stage.wait(until: "two and the disk vote", of: [n1]) {
                $0[n1].map { $0.isOpen && $0.votesTotal == 3 && $0.witness?.votes == 1 && $0.votesPresent == 3 } ?? false
            }
            try await stage.powerOff([stage.nodes[1]])
            try await stage.wait(open: [n1], "one and the disk")
        }
    }

    @Test("two of three nodes at once, the disk among those that are left: nobody goes on")
    func twoAtOnce() async throws {
        try await story { stage in
            async let first: Void = stage.powerOff([stage.nodes[0]])
            async let second: Void = stage.powerOff([stage.nodes[1]])
            _ = try await (first, second)
            try await stage.decided(open: [], closed: [stage.nodes[2]], "one and the disk")
        }
    }
}
