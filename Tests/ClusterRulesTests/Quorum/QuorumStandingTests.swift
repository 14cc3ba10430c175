import ClusterModel
import ClusterRules
import Testing

/// Goal: what we say may fail is exactly what may fail.
/// Method: every number of nodes, every set of them present, with and without the witness, against every set of failures.
@Suite("What may fail next")
struct QuorumStandingTests {

    @Test("It agrees with trying every set of failures", arguments: 1...8)
    func bruteForce(count: Int) throws {
        for (model, dynamic) in [
            (QuorumModel.nodeMajority, true), (.nodeMajority, false), (.nodeAndDiskMajority, false), (.diskOnly, false),
        ] {
            let quorum = QuorumSettings(model: model, isModelAutomatic: false, isDynamic: dynamic)
            var state = try StateFixture.cluster(nodes: count, quorum: quorum)
            let nodes = state.nodes.keys.sorted()
            state.votes = VoteRules.foundingTable(nodes: nodes, witness: state.witness.witness, quorum: quorum)
            for mask in 1..<(1 << count) {
                let present = nodes.enumerated().filter { mask >> $0.offset & 1 == 1 }.map(\.element)
                for holder in [nil, present.first] { Self.check(state, present, holder) }
            }
        }
    }

    private static func check(_ state: ClusterState, _ present: [NodeID], _ holder: NodeID?) {
        let standing = QuorumStanding(of: state, present: present, witnessHolder: holder)
        let table = state.votes
        #expect(standing.isQuorate == table.isMajority(present, withWitness: holder != nil))
        guard standing.isQuorate else {
            #expect(standing.sentence.hasPrefix("No quorum"))
            return
        }
        // Survives unless what is left is no majority; the witness moves to another node when its holder fails.
        let voters = standing.voters
        var firstFatal = voters.count + 1
        for mask in 1..<(1 << voters.count) {
            let failed = voters.enumerated().filter { mask >> $0.offset & 1 == 1 }.map(\.element)
            let left = present.filter { !failed.contains(.node($0)) }
            let survives = table.isMajority(left, withWitness: holder != nil && !failed.contains(.witness))
            if !survives { firstFatal = min(firstFatal, failed.count) }
            if failed.count == 1 { #expect(standing.fatal.contains(failed[0]) == !survives) }
        }
        #expect(standing.mayFailAtOnce == firstFatal - 1)
    }

    @Test("It says so in plain words")
    func words() throws {
        let two = try StateFixture.cluster(nodes: 2)
        let first = StateFixture.id(1)
        let second = StateFixture.id(2)
        #expect(
            QuorumStanding(of: two, present: [first, second], witnessHolder: first).sentence == "One more node, or the witness, may fail.")
        #expect(
            QuorumStanding(of: two, present: [first], witnessHolder: first).sentence
                == "Nothing more may fail: if node1 or the witness goes, the cluster stops.")
        #expect(
            QuorumStanding(of: two, present: [first, second], witnessHolder: nil).sentence
                == "Nothing more may fail: if node1 or node2 goes, the cluster stops.")
        #expect(
            QuorumStanding(of: two, present: [second], witnessHolder: first).sentence
                == "No quorum: 1 of 3 votes here, 2 needed. Nothing runs here until enough of node1 and the witness are back.")
        let five = try StateFixture.cluster(nodes: 5, quorum: QuorumSettings(model: .nodeMajority, isDynamic: false))
        #expect(
            QuorumStanding(of: five, present: five.nodes.keys, witnessHolder: nil).sentence == "Any 2 of the nodes may fail at once.")
        var only = try StateFixture.cluster(nodes: 2)
        only.votes = VoteTable(nodes: [first: 0, second: 0], witness: 1)
        #expect(
            QuorumStanding(of: only, present: [first, second], witnessHolder: first).sentence
                == "The witness alone decides: any node may fail while another one reaches it; if the witness goes, the cluster stops.")
    }

    @Test("The model follows the number of nodes and the witness")
    func models() {
        let disk = Witness.disk(id: StateFixture.witnessDisk)
        let share = Witness.fileShare(path: "/w")
        for count in 1...9 {
            let odd = !count.isMultiple(of: 2)
            #expect(QuorumModel.recommended(nodes: count, witness: disk) == (odd ? .nodeMajority : .nodeAndDiskMajority))
            #expect(QuorumModel.recommended(nodes: count, witness: share) == (odd ? .nodeMajority : .nodeAndFileShareMajority))
            #expect(QuorumModel.recommended(nodes: count, witness: .none) == .nodeMajority)
            #expect(QuorumModel.allCases.allSatisfy { $0.fits(disk) == ($0 != .nodeAndFileShareMajority) })
        }
    }

    @Test("Dangerous settings are warned about, a sound one is not")
    func warnings() throws {
        #expect(try StateFixture.cluster(nodes: 2).quorumWarnings.isEmpty)
        #expect(try StateFixture.cluster(nodes: 3).quorumWarnings.isEmpty)
        #expect(try StateFixture.cluster(nodes: 2, witness: .none).quorumWarnings.first?.contains("without a witness") == true)
        #expect(try StateFixture.cluster(nodes: 2, witness: .fileShare(path: "/w")).quorumWarnings.first?.contains("file share") == true)
        let only = QuorumSettings(model: .diskOnly, isModelAutomatic: false)
        #expect(try StateFixture.cluster(nodes: 2, quorum: only).quorumWarnings.first?.hasPrefix("Disk Only") == true)
    }
}
