import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// Two real nodes with Corosync and a witness on a SAN lose power, links, storage and programs.
///
/// Goal: the side that has the majority of votes is open again by itself, the other is not, and nothing that was accepted is lost.
@Suite(.serialized, .cluster(nodes: 2, hasWitness: true), .enabled(if: geteuid() == 0, "The lab needs root."))
struct TwoNodeTests {
    @Test("a node loses power and returns", arguments: [true, false])
    func losesPower(itHeldTheWitness: Bool) async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let lost = itHeldTheWitness ? holder : stage.others(holder)[0]
            let survivor = stage.others(lost)[0]
            try await stage.powerOff([lost])
            try await stage.wait(open: [survivor], itHeldTheWitness ? "the holder lost" : "the other lost")
            let alone = try #require(await stage.status(survivor))
            #expect(alone.witness?.holder == survivor)
            #expect(alone.votesPresent == 2)
            try await stage.powerOn([lost])
            try await stage.settle()
        }
    }

    @Test("the cluster network is cut: one side is open, the other has no quorum", arguments: Extent.cases(true, false))
    func cutClusterNetwork(isSilent: Bool) async throws {
        try await story { stage in
            let holder = try await stage.holder()
            try await stage.node(stage.nodes[1]).cut(.cluster, isSilent: isSilent)
            // Both cast a vote would be a split brain: only the reservation decides, and the holder defends it.
            try await stage.decided(open: [holder], closed: stage.others(holder), staysFor: 4)
            try await stage.node(stage.nodes[1]).restore(.cluster)
            try await stage.settle()
        }
    }

    @Test("the holder loses the SAN, then the link: the other takes the witness over")
    func takeover() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let other = stage.others(holder)[0]
            try await stage.node(holder).cut(.storage)
            try await stage.node(holder).cut(.cluster)
            try await stage.decided(open: [other], closed: [holder])
        }
    }

    @Test("both links of the other node are cut at once")
    func bothLinks() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let other = stage.others(holder)[0]
            try await stage.node(other).cut(.cluster)
            try await stage.node(other).cut(.storage)
            try await stage.decided(open: [holder], closed: [other])
        }
    }

    @Test("the last node loses the witness too, and gets it back")
    func loneNodeLosesWitness() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            try await stage.powerOff(stage.others(holder))
            try await stage.wait(open: [holder], "alone")
            try await stage.node(holder).cut(.storage)
            try await stage.wait(open: [], closed: [holder], "without the SAN")
            try await stage.node(holder).restore(.storage)
            try await stage.wait(open: [holder], "the SAN is back")
        }
    }

    @Test("the SAN goes away while both nodes are there: they stay open")
    func sanLost() async throws {
        try await story { stage in
            try await stage.lab.cutSAN()
            try await Task.sleep(for: .seconds(4))
            try await stage.wait(open: stage.nodes, "without the SAN")
            try await stage.lab.restoreSAN()
        }
    }

    @Test("the SAN's service starts again, which forgets every registration", arguments: Extent.cases(true, false))
    func sanRestarts(isAlone: Bool) async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let here = isAlone ? [holder] : stage.nodes
            if isAlone {
                try await stage.powerOff(stage.others(holder))
                try await stage.wait(open: here, "alone")
            }
            try await stage.lab.restartSAN()
            try await stage.wait(until: "the witness is held again", of: here) { seen in
                here.allSatisfy { seen[$0].map { $0.isOpen && $0.witness?.holder != nil && $0.witness?.problem == nil } ?? false }
            }
        }
    }

    @Test("a change made by one node alone reaches the other by the witness")
    func changeTravelsByWitness() async throws {
        // The writer goes on: what it was promised by n1 alone must be in n2's history at the end, and n1 is off when n2 opens.
        try await story { stage in
            let (n1, n2) = (stage.nodes[0], stage.nodes[1])
            try await stage.powerOff([n2])
            try await stage.wait(open: [n1], "n1 alone")
            let before = try #require(await stage.status(n1)).index
            try await Task.sleep(for: .seconds(1))
            let known = try #require(await stage.status(n1)).index
            #expect(known > before, "nothing was changed by n1 alone")
            try await stage.powerOff([n1])
            try await stage.powerOn([n2])
            try await stage.wait(open: [n2], "n2 alone")
            #expect(try #require(await stage.status(n2)).index >= known)
        }
    }

    @Test("both nodes lose power at once")
    func powerCut() async throws {
        try await story { stage in
            async let first: Void = stage.powerOff([stage.nodes[0]])
            async let second: Void = stage.powerOff([stage.nodes[1]])
            _ = try await (first, second)
            try await stage.powerOn(stage.nodes)
            try await stage.settle()
        }
    }

    @Test("a walk of faults", arguments: Walk.seeds(1))
    func walk(seed: UInt64) async throws { try await Walk.play(seed: seed) }
}
