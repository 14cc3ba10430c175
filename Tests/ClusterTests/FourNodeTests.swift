import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// Four real nodes and a witness disk: five votes, three needed.
@Suite(.serialized, .cluster(nodes: 4, hasWitness: true), .enabled(if: geteuid() == 0, "The lab needs root."))
struct FourNodeTests {
    @Test("halves: the one with the holder goes on, both nodes of it")
    func halves() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let half = [holder, stage.others(holder)[0]]
            let rest = stage.nodes.filter { !half.contains($0) }
            try await stage.lab.split(.cluster, into: [half, rest])
            try await stage.decided(open: half, closed: rest, "halves")
            try await stage.lab.join(.cluster)
            try await stage.settle()
        }
    }

    @Test("the holder alone against three: the three go on, without the disk")
    func holderAlone() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            try await stage.lab.split(.cluster, into: [[holder], stage.others(holder)])
            try await stage.decided(open: stage.others(holder), closed: [holder], "three of five")
        }
    }

    @Test("four parts: nobody goes on, nor the holder")
    func fourParts() async throws {
        try await story { stage in
            try await stage.lab.split(.cluster, into: stage.nodes.map { [$0] })
            try await stage.decided(open: [], closed: stage.nodes, "four parts", staysFor: 5)
        }
    }

    @Test("half of the nodes lose power at once, the holder among them: the others take the disk over")
    func halfLost() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let lost = [holder, stage.others(holder)[0]]
            let left = stage.nodes.filter { !lost.contains($0) }
            async let first: Void = stage.powerOff([lost[0]])
            async let second: Void = stage.powerOff([lost[1]])
            _ = try await (first, second)
            try await stage.wait(open: left, "half lost with the holder")
        }
    }

    @Test("nodes are lost one after the other, down to one and the disk")
    func oneAfterTheOther() async throws {
        try await story { stage in
            let last = stage.nodes[3]
            // Four and the disk, then three without it, then two with it: always three votes afterwards.
            for (gone, witnessVotes) in [(0, 0), (1, 1)] {
                try await stage.powerOff([stage.nodes[gone]])
                try await stage.wait(until: "\(3 - gone) are left and the votes followed", of: [last]) {
                    $0[last].map {
                        $0.isOpen && $0.votesTotal == 3 && $0.votesPresent == 3 && $0.witness?.votes == witnessVotes
                            && ClusterStage.sees($0).count == 3 - gone
                    } ?? false
                }
            }
            try await stage.powerOff([stage.nodes[2]])
            try await stage.wait(open: [last], "one and the disk")
        }
    }

    @Test("a walk of faults", arguments: Walk.seeds(1))
    func walk(seed: UInt64) async throws { try await Walk.play(seed: seed) }
}
