import ClusterModel
import Corosync
import Foundation
import Testing

extension RealCorosync {
    @Suite struct ControlTests {
        @Test("Started and stopped by us: it outlives the starter, stops in order, and whoever was connected is told and comes back")
        func process() async throws {
            try await TestCluster.with(nodes: 1, hasWitness: false, starts: false) { cluster in
                let starter = try cluster.probe(1)
                #expect(try await starter.ask("state").state == "stopped")
                let running = try #require(try await starter.ask("start", within: .seconds(25)).state)
                #expect(running.hasPrefix("running as process"))
                // Again: nothing to do.
                #expect(try await starter.ask("start").state == running)
                let probe = try cluster.probe(1)
                try await probe.ask("join g")
                try await probe.ask("quorum")
                starter.end()
                #expect(try await probe.ask("state").state == running)

                let mark = probe.mark
                try await probe.ask("stop", within: .seconds(25))
                #expect(try await probe.ask("state").state == "stopped")
                try await probe.line("lost", after: mark) { $0.event == "lost" }
                try await probe.line("lost", after: mark) { $0.event == "quorum-lost" }
                let refusal = try await probe.reply("join g 300").error ?? "none"
                #expect(refusal.contains("No connection to Corosync within 0.3 seconds"), "\(refusal)")
                #expect(try await probe.reply("info 1").ok == false)
                // Stopped already: no error.
                try await probe.ask("stop")

                // Connecting waits for Corosync to come back.
                try probe.tell("join g 15000")
                let second = try cluster.probe(1)
                try await second.ask("start", within: .seconds(25))
                try await probe.line("the join", after: mark, within: .seconds(15)) { $0.reply == "join" && $0.ok == true }
                try await probe.ask("quorum 15000")
                // The map reconnects by itself.
                #expect(try await probe.ask("value totem.cluster_name").value == "berlin")
                try await probe.ask("stop", within: .seconds(25))
                try await probe.ask("start", within: .seconds(25))
                #expect(try await probe.ask("value totem.cluster_name").value == "berlin")

                // A crash leaves the pid file; the lock on it does not lie.
                let number = try #require(pid_t((try await probe.ask("state").state ?? "").split(separator: " ").last ?? ""))
                kill(number, SIGKILL)
                let deadline = ContinuousClock.now + .seconds(5)
                while try await probe.ask("state").state != "stopped" {
                    try #require(ContinuousClock.now < deadline)
                    try await Task.sleep(for: .milliseconds(20))
                }
                // A crash leaves the memory that it shared with its clients, too.
                let list = try cluster.node(1).enter + ["ls", "/dev/shm"]
                #expect(try await TestCluster.run(list).contains("qb-\(number)-"))
                try await probe.ask("start", within: .seconds(25))
                let memory = try await TestCluster.run(list)
                #expect(!memory.contains("\(number)") && memory.contains("qb-"), "\(memory)")
                try await probe.ask("stop", within: .seconds(25))
            }
        }

        @Test("With systemd, systemctl is asked, and what it says is passed on")
        func systemd() async throws {
            try await TestCluster.with(nodes: 1, hasWitness: false, starts: false) { cluster in
                let node = try cluster.node(1)
                // Stands for systemd, which no namespace has: does as it is told, but refuses while there is a file "broken".
                let programs = node.folder + "/bin"
                let journal = node.folder + "/systemctl"
                try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
                let script = """
                    #!/bin/sh
                    echo "$@" >>\(journal)
                    [ ! -e \(node.folder)/broken ] || { echo "Unit corosync.service is masked." >&2; exit 1; }
                    case $1 in start) exec corosync;; stop) kill -TERM "$(cat /run/corosync.pid)";; esac
                    """
                try script.write(toFile: programs + "/systemctl", atomically: false, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: programs + "/systemctl")
                let probe = try cluster.probe(1, programs: programs)
                #expect(try await probe.ask("start systemd", within: .seconds(25)).state?.hasPrefix("running") == true)
                try await probe.ask("stop systemd", within: .seconds(25))
                #expect(try await probe.ask("state systemd").state == "stopped")
                #expect(try String(contentsOfFile: journal, encoding: .utf8) == "start corosync\nstop corosync\n")
                try "".write(toFile: node.folder + "/broken", atomically: false, encoding: .utf8)
                let error = try await probe.reply("start systemd").error ?? "none"
                #expect(error.contains("exit code 1") && error.contains("is masked"), "\(error)")
            }
        }

        @Test("A Corosync that refuses its configuration says why")
        func refusal() async throws {
            try await TestCluster.with(nodes: 1, hasWitness: false, starts: false) { cluster in
                let node = try cluster.node(1)
                let probe = try cluster.probe(1)
                try FileManager.default.removeItem(atPath: node.files.keyPath)
                let error = try #require(try await probe.reply("start", within: .seconds(25)).error)
                #expect(error.contains("Corosync did not start") && error.contains("authkey"), "\(error)")
            }
        }

        @Test("A node is added while the others run; a file that is not usable never gets to Corosync, and one that did changes nothing")
        func reload() async throws {
            try await TestCluster.with(nodes: 2) { cluster in
                let one = try await QuorumNode(1, in: cluster, vote: true)
                let two = try await QuorumNode(2, in: cluster, vote: true)
                try await one.expect(quorate: true, total: 3, "two nodes and a witness")
                var larger = cluster.configuration
                larger.version += 1
                larger.nodes.append(.init(id: 3, name: NodeName(unchecked: "n3"), addresses: ["10.98.1.3"]))
                for number in 1...2 { try cluster.node(number).files.write(larger) }
                try await cluster.addNode(3, configuration: larger)
                let mark = one.probe.mark
                try await one.probe.ask("reload")
                try await one.expect(quorate: true, total: 3, "expected votes rise at once")
                #expect(try await two.probe.ask("info 2").expected == 4)
                #expect(try await two.probe.ask("value totem.config_version").value == "8")
                try cluster.node(3).start()
                try await one.ring([1, 2, 3], after: mark)
                let three = try await QuorumNode(3, in: cluster, vote: true)
                try await three.expect(quorate: true, total: 4, "all present")

                // What validation refuses.
                var broken = larger
                broken.version += 1
                broken.nodes[2].addresses = ["10.98.1.2"]
                #expect(throws: CorosyncFileError.self) { try cluster.node(1).files.write(broken) }
                #expect(try cluster.node(1).files.content() == .ours(larger))
                // What a hand could do.
                let path = try cluster.node(1).files.configurationPath
                let good = try String(contentsOfFile: path, encoding: .utf8)
                try (good + "quorum {\n").write(toFile: path, atomically: false, encoding: .utf8)
                #expect(try await one.probe.reply("reload").error?.contains("CS_ERR_INVALID_PARAM") == true)
                try await one.expect(quorate: true, total: 4, "nothing has changed")
                try cluster.node(1).files.write(larger, replacesDamaged: true)

                // A member that still hears us can be told to go.
                let before = one.probe.mark
                try await one.probe.ask("kill-node 3")
                try await one.ring([1, 2], after: before)
                try await three.probe.line("the event lost") { $0.event == "quorum-lost" }
            }
        }

        @Test("Two links: one may be cut without a change of membership, and the statistics show it")
        func links() async throws {
            try await TestCluster.with(nodes: 2, links: 2, token: .seconds(2)) { cluster in
                let probe = try cluster.probe(1)
                try await probe.ask("quorum")
                try await waitForLinks(probe, ["2/0 up", "2/1 up"])
                // knet gives up a link that is this young only after up to 2.6 s, so the token must last longer here.
                try await cluster.cut(2, link: 0)
                try await waitForLinks(probe, ["2/0 down", "2/1 up"])
                try await Task.sleep(for: .milliseconds(700))
                #expect(!probe.lines().contains { $0.event == "quorum-ring" && $0.nodes?.count == 1 })
                try await cluster.heal(2, link: 0)
                try await waitForLinks(probe, ["2/0 up", "2/1 up"])
                #expect(try await probe.ask("value runtime.config.totem.token").value == "2000")
                let members = try await probe.ask("map runtime.members.2.").values ?? [:]
                #expect(members["runtime.members.2.status"] == "joined")
                #expect(try await probe.ask("value no.such.key").value == "none")
            }
        }

        private func waitForLinks(_ probe: Probe, _ expected: [String]) async throws {
            let deadline = ContinuousClock.now + .seconds(8)
            while ContinuousClock.now < deadline {
                let links = try await probe.ask("links 2").links ?? []
                if links.map({ $0.split(separator: " ").prefix(2).joined(separator: " ") }) == expected { return }
                try await Task.sleep(for: .milliseconds(50))
            }
            throw TestFailure("links never were \(expected): \(try await probe.ask("links 2").links ?? [])")
        }
    }
}
