import Corosync
import Foundation
import Testing

extension RealCorosync {
    /// Rows that Apus's quorum rules stand on. If a later Corosync counts otherwise, it shows here.
    @Suite struct QuorumTests {
        @Test("Two nodes and a witness: what each vote, loss and silence does")
        func twoNodesAndWitness() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let one = try await QuorumNode(1, in: cluster, vote: true)
                let two = try await QuorumNode(2, in: cluster, vote: true)
                try await one.expect(quorate: true, total: 3, "all present")
                try await two.expect(quorate: true, total: 3, "all present")
                let info = try await one.probe.ask("info 1")
                #expect([info.quorum, info.expected, info.deviceVotes, info.highest] == [2, 3, 1, 3])
                #expect(try await one.probe.reply("stale-vote apus-disk").error?.contains("the membership has changed") == true)

                // The other node dies: this one stays quorate, without a flicker.
                var mark = one.probe.mark
                try cluster.node(2).kill()
                try await one.ring([1], after: mark)
                try await one.probe.line("the decision", after: mark) { $0.event == "quorum" && $0.nodes == [1] }
                #expect(!one.probe.lines(after: mark).contains { $0.event == "quorum" && $0.quorate == false })
                try await two.probe.line("the event lost") { $0.event == "quorum-lost" }
                try await two.probe.line("the end of the events") { $0.event == "quorum-end" }

                // The vote is withheld, given again, and then the daemon is silent.
                try await one.vote("0")
                try await one.expect(quorate: false, total: 1, "the vote was withheld")
                try await one.vote("1")
                try await one.expect(quorate: true, total: 2, "the vote was given")
                mark = one.probe.mark
                let silent = ContinuousClock.now
                try await one.vote("-")
                try await one.stays(quorate: true, for: .milliseconds(500), "the last vote counts until its timeout")
                try await one.expect(quorate: false, "the device timed out")
                #expect(ContinuousClock.now - silent < .seconds(3))
                try await one.vote("1")
                try await one.expect(quorate: true, "it came back")
                try await one.probe.ask("unregister")
                try await one.expect(quorate: false, "unregistered")
            }
        }

        @Test("A cut link: two devices that both vote make both sides quorate, so the reservation has to decide; then one side is")
        func cutLink() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let one = try await QuorumNode(1, in: cluster, vote: true)
                let two = try await QuorumNode(2, in: cluster, vote: true)
                try await one.expect(quorate: true, total: 3, "all present")
                let marks = (one.probe.mark, two.probe.mark)
                try await cluster.cut(2)
                try await one.ring([1], after: marks.0)
                try await two.ring([2], after: marks.1)
                try await one.expect(quorate: true, total: 2, "it votes")
                try await two.expect(quorate: true, total: 2, "it votes too")
                try await two.vote("0")
                try await two.expect(quorate: false, total: 1, "only the other has the witness")
                // The witness is taken over.
                try await one.vote("0")
                try await one.expect(quorate: false, total: 1, "it lost the witness")
                try await two.vote("1")
                try await two.expect(quorate: true, total: 2, "it took the witness")
                try await cluster.heal(2)
                try await one.expect(quorate: true, "united")
            }
        }

        @Test("The vote is each node's own: in the owner's half every node must cast it")
        func voteIsNotShared() async throws {
            try await TestCluster.with(nodes: 4) { cluster in
                var nodes: [QuorumNode] = []
                for number in 1...4 { nodes.append(try await QuorumNode(number, in: cluster, vote: number == 1)) }
                try await nodes[0].expect(quorate: true, total: 5, "all present, it votes")
                try await nodes[1].expect(quorate: true, total: 4, "all present, it does not vote")
                let marks = nodes.map(\.probe.mark)
                try await cluster.divide(3, 4)
                for (index, members) in [[1, 2], [1, 2], [3, 4], [3, 4]].enumerated() {
                    try await nodes[index].ring(members, after: marks[index])
                }
                try await nodes[0].expect(quorate: true, total: 3, "two nodes and the witness of five votes")
                for index in 1...3 { try await nodes[index].expect(quorate: false, total: 2, "two of five votes") }
                try await nodes[1].vote("1")
                try await nodes[1].expect(quorate: true, total: 3, "it votes too")
            }
        }

        @Test("Cold start in two halves: with expected_votes written, neither half is quorate without a majority")
        func coldStart() async throws {
            try await TestCluster.with(nodes: 3, starts: false) { cluster in
                try await cluster.divide(3)
                for number in 1...3 { try cluster.node(number).start() }
                try await cluster.waitForMembers([1, 2])
                let one = try await QuorumNode(1, in: cluster, vote: false)
                let two = try await QuorumNode(2, in: cluster, vote: false)
                let three = try await QuorumNode(3, in: cluster, vote: true)
                try await three.expect(quorate: false, total: 2, "one node and the witness of four votes")
                try await one.stays(quorate: false, for: .milliseconds(1_500), "two nodes of four votes")
                try await two.expect(quorate: false, total: 2, "two nodes of four votes")
                try await three.stays(quorate: false, for: .milliseconds(500), "one node and the witness of four votes")
                try await cluster.unite(3)
                try await one.expect(quorate: true, total: 3, "all nodes", within: .seconds(10))
            }
        }

        @Test("A device that hangs holds up the decision of all for sync_timeout and no longer")
        func hungDevice() async throws {
            try await TestCluster.with(nodes: 3) { cluster in
                var nodes: [QuorumNode] = []
                // Long enough that the hung device still counts as alive when the ring changes.
                for number in 1...3 { nodes.append(try await QuorumNode(number, in: cluster, vote: true)) }
                try await nodes[0].expect(quorate: true, total: 4, "all present")
                try await nodes[1].vote("-")
                let mark = nodes[0].probe.mark
                try cluster.node(3).kill()
                let ring = try await nodes[0].probe.line("the ring", after: mark) {
                    $0.event == "quorum-ring" && $0.nodes?.sorted() == [1, 2]
                }
                let decision = try await nodes[0].probe.line("the decision", after: mark) {
                    $0.event == "quorum" && $0.nodes?.sorted() == [1, 2]
                }
                // Its last vote was at most a quarter of a second before the end of 0.64 s, so it is alive, and the wait is 1.5 s.
                let waited = decision.at - ring.at
                #expect((1_000_000...3_000_000).contains(waited), "\(waited) µs")
            }
        }

        @Test("Expected votes follow the members down to the last node and the witness, and up again; not below what is present")
        func dynamicVotes() async throws {
            try await TestCluster.with(nodes: 3) { cluster in
                let one = try await QuorumNode(1, in: cluster, vote: true)
                let two = try await QuorumNode(2, in: cluster, vote: true)
                let three = try await QuorumNode(3, in: cluster, vote: true)
                for node in [one, two, three] { try await node.expect(quorate: true, total: 4, "all present") }
                #expect(try await one.probe.reply("set-expected 3").error?.contains("CS_ERR_INVALID_PARAM") == true)
                // More than twice the votes present would end the quorum.
                #expect(try await one.probe.reply("set-expected 8").error?.contains("CS_ERR_INVALID_PARAM") == true)

                try cluster.node(3).kill()
                try await one.expect(quorate: true, total: 3, "3 died")
                try await one.probe.ask("set-votes 3 0")
                #expect(try await two.probe.ask("info 3").votes == 0)
                #expect(try await two.probe.ask("info 2").expected == 4)
                try await one.probe.ask("set-expected 3")
                try await two.probe.line("expected votes at 2") { $0.event == "expected" && $0.votes == 3 }

                // Without it the last node would need 3 of 4 votes.
                try cluster.node(2).kill()
                try await one.expect(quorate: true, total: 2, "the last node and the witness, two of three votes")
                try await one.vote("0")
                try await one.expect(quorate: false, total: 1, "the last node without the witness")
                try await one.vote("1")
                try await one.expect(quorate: true, total: 2, "with the witness again")

                // One that returns while it is cut off goes by its own file: 4 expected.
                try await cluster.divide(2)
                try cluster.node(2).start()
                let again = try await QuorumNode(2, in: cluster, vote: true)
                try await again.expect(quorate: false, total: 2, "two of four votes")
                #expect(try await again.probe.ask("info 2").expected == 4)
                try await cluster.unite(2)
                try await again.expect(quorate: true, total: 3, "united", within: .seconds(10))
                try cluster.node(3).start()
                let last = try await QuorumNode(3, in: cluster, vote: true)
                try await last.expect(quorate: true, total: 4, "all present")
                let info = try await one.probe.ask("info 1")
                #expect([info.expected, info.quorum] == [4, 3])
                #expect(try await one.probe.ask("info 3").votes == 1)
            }
        }

        @Test("A reload changes votes at run time, with a device too; one that leaves the nodes a single vote switches the device off")
        func reloadedVotes() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let one = try await QuorumNode(1, in: cluster, vote: true)
                let two = try await QuorumNode(2, in: cluster, vote: true)
                try await one.expect(quorate: true, total: 3, "all present")
                try await two.expect(quorate: true, total: 3, "all present")
                var heavier = cluster.configuration
                heavier.version += 1
                heavier.nodes[0].votes = 3
                for number in 1...2 { try cluster.node(number).files.write(heavier) }
                try await one.probe.ask("reload")
                try await one.expect(quorate: true, total: 5, "3 + 1 + 1")
                #expect(try await two.probe.ask("info 2").expected == 5)

                // What validation refuses to write.
                var single = heavier
                single.version += 1
                single.nodes[0].votes = 1
                single.nodes[1].votes = 0
                let refusal = #expect(throws: CorosyncConfigurationError.self) { try single.text() }
                #expect(refusal?.description.contains("at least two votes") == true)
                let text = try heavier.text().replacingOccurrences(of: "quorum_votes: 3", with: "quorum_votes: 1")
                    .replacingOccurrences(of: "expected_votes: 5", with: "expected_votes: 2")
                for number in 1...2 {
                    let path = try cluster.node(number).files.configurationPath
                    try text.write(toFile: path, atomically: false, encoding: .utf8)
                }
                let mark = one.probe.mark
                try await one.probe.ask("reload")
                try await one.probe.line("the refused poll", after: mark) {
                    $0.error?.contains("takes no vote of the quorum device") == true
                }
                // A good file brings it back.
                for number in 1...2 { try cluster.node(number).files.write(heavier, replacesDamaged: true) }
                try await one.probe.ask("reload")
                try await one.expect(quorate: true, total: 5, "3 + 1 + 1")
                let good = one.probe.mark
                try await one.vote("0")
                try await one.expect(quorate: true, total: 4, "the device is heard again")
                #expect(!one.probe.lines(after: good).contains { $0.event == "poll-failed" })
            }
        }
    }
}
