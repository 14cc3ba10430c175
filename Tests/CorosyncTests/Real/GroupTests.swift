import Foundation
import Testing

extension RealCorosync {
    @Suite struct GroupTests {
        @Test("Three senders, one order; survivors see a lost node after the same message; whoever was lost is told and joins again")
        func orderAndMembership() async throws {
            try await TestCluster.with(nodes: 3) { cluster in
                var probes: [Probe] = []
                for number in 1...3 {
                    let probe = try cluster.probe(number)
                    try await probe.ask("quiet")
                    try await probe.ask("join g")
                    probes.append(probe)
                }
                try await probes[0].line("three members") { $0.members == [1, 2, 3] }
                try await probes[0].line("the first ring") {
                    $0.event == "ring" && $0.nodes == [1, 2, 3] && $0.ring?.hasPrefix("1.") == true
                }

                // Two flood while the third, which floods too, is killed.
                for probe in probes { try probe.tell("burst 3000 200") }
                try await Task.sleep(for: .milliseconds(250))
                try cluster.node(3).kill()
                let killed = ContinuousClock.now
                var seen: [ProbeLine] = []
                for probe in probes.prefix(2) {
                    seen.append(try await probe.line("the loss of 3") { $0.left == ["3 nodeDown"] })
                    try await probe.line("the new ring") { $0.event == "ring" && $0.nodes == [1, 2] }
                }
                // 2.1 tokens of 300 ms, and a slow machine.
                #expect(ContinuousClock.now - killed < .seconds(4))
                #expect(seen[0].order == seen[1].order && seen[0].count == seen[1].count)
                let count = try #require(seen[0].count)
                #expect(count > 0 && count < 9_000, "the loss is to fall among the messages")
                for probe in probes.prefix(2) { try await probe.line("end of burst") { $0.reply == "burst" && $0.ok == true } }

                // The lost one hears of it, and can come back.
                let lost = try await probes[2].line("the event lost") { $0.event == "lost" }
                #expect(lost.error?.contains("CS_ERR_LIBRARY") == true)
                try await probes[2].line("the end of the events") { $0.event == "group-end" }
                #expect(try await probes[2].reply("send x").ok == false)
                try cluster.node(3).start()
                let mark = probes[0].mark
                try await probes[2].ask("join g 10000")
                // It may have joined while it was still alone; then the two groups merge, and it comes with its node.
                try await probes[0].line("its return", after: mark) {
                    $0.members == [1, 2, 3] && ($0.joined == ["3 joined"] || $0.joined == ["3 nodeUp"])
                }

                // Order and count of everything, at the two that were there all the time.
                try await probes[2].ask("leave")
                try await probes[0].line("the leave", after: mark) { $0.left == ["3 left"] }
                var ends: [ProbeLine] = []
                for probe in probes.prefix(2) {
                    try await probe.line("the leave") { $0.left == ["3 left"] }
                    try await probe.ask("leave")
                    ends.append(try await probe.line("the end") { $0.event == "group-end" })
                }
                #expect(ends[0].order == ends[1].order && ends[0].count == ends[1].count)
            }
        }

        @Test("A process that dies leaves its group; a megabyte arrives whole, more is refused; a slow reader is told, not robbed")
        func processes() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let first = try cluster.probe(1)
                let second = try cluster.probe(2)
                let third = try cluster.probe(1)
                for probe in [first, second, third] { try await probe.ask("join g") }
                try await first.line("three members") { $0.members?.sorted() == [1, 1, 2] }
                third.kill()
                try await second.line("its end") { $0.left == ["1 processDown"] }

                try await first.ask("send-size 1000000")
                try await second.line("the large message") { $0.event == "message" && $0.bytes == 1_000_000 && $0.from == 1 }
                #expect(try await first.reply("send-size 1000001").error?.contains("more than the 1000000") == true)
                try await first.ask("send-size 0")
                try await second.line("the empty message") { $0.event == "message" && $0.bytes == 0 }

                // Handed over without waiting: all arrive, in their order.
                let mark = second.mark
                try await first.ask("post 300 500")
                try await second.line("the last of them", after: mark) { $0.text?.hasPrefix("299 ") == true }
                let posted = second.lines(after: mark).filter { $0.event == "message" }.compactMap { $0.text?.split(separator: " ").first }
                #expect(posted == (0..<300).map { Substring("\($0)") })
                #expect(try await first.ask("stalled").text == "no")
                let hasty = try cluster.probe(1)
                try await hasty.ask("join g")
                try await hasty.ask("post 1 1000001")
                let end = try await hasty.line("the end of its membership") { $0.event == "lost" }
                #expect(end.error?.contains("more than the 1000000") == true)

                // 10 events may wait, one is read every 200 ms.
                let slow = try cluster.probe(2)
                try await slow.ask("join g 5000 10")
                try await first.ask("burst 40 64")
                let lost = try await slow.line("the event lost") { $0.event == "lost" }
                #expect(lost.error?.contains("waiting to be read") == true)
                // All that waited came before it, without a gap.
                let numbers = slow.lines().filter { $0.event == "message" }.compactMap { $0.text?.split(separator: " ").first }
                #expect(numbers.count >= 8)
                #expect(numbers == numbers.indices.map { Substring("\($0)") })
                try await second.line("it left the group") { $0.left == ["2 left"] || $0.left == ["2 processDown"] }
            }
        }

        @Test("\"Try again\" is tried again until the deadline, and a Corosync that hangs keeps nobody longer")
        func deadlines() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let probe = try cluster.probe(1)
                try await probe.ask("join g")
                // The token is lost for 0.6 s: the queue fills, and what does not fit is told as busy.
                try cluster.node(2).signal(SIGSTOP)
                let storm = try await probe.ask("storm 400 100000 400")
                try cluster.node(2).signal(SIGCONT)
                #expect((storm.busy ?? 0) > 0 && (storm.sent ?? 0) > 0)
                #expect((storm.busy ?? 0) + (storm.sent ?? 0) == 400)
                // All that was taken is delivered, and nothing that was refused.
                try await probe.ask("send after", within: .seconds(10))
                try await probe.line("the message after the storm") { $0.text == "after" }
                #expect(probe.lines().filter { $0.event == "message" && $0.bytes == 100_000 }.count == storm.sent)
                try await probe.ask("leave")

                try await probe.ask("join g")
                try await probe.ask("quorum")
                try cluster.node(1).signal(SIGSTOP)
                let began = ContinuousClock.now
                // Messages go to a buffer until that is full; questions want an answer.
                for _ in 0..<4 { _ = try await probe.reply("send-size-within 500000 300") }
                #expect(try await probe.reply("send-size-within 500000 300").error?.contains("found Corosync busy") == true)
                #expect(try await probe.reply("info 1 300").error?.contains("had no answer") == true)
                #expect(ContinuousClock.now - began < .seconds(4))
                // Who does not wait can look.
                try await probe.ask("post 1 500000")
                #expect(try await probe.ask("stalled").text == "yes")
                try cluster.node(1).signal(SIGCONT)
            }
        }
    }
}
