import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// The programs of two nodes end, hang and go on, each at the worst time.
extension TwoNodeTests {
    @Test(
        "a program is killed: the node is part of the cluster again by itself", arguments: ["apusd", "corosync"], Extent.cases(true, false))
    func killed(program: String, onHolder: Bool) async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let struck = onHolder ? holder : stage.others(holder)[0]
            try stage.signal(struck, SIGKILL, program)
            // Until the cluster has noticed, all looks well.
            try await Task.sleep(for: .seconds(1))
            try await stage.settle()
        }
    }

    @Test(
        "a program hangs: the other node goes on without it, and it takes part when it runs again",
        arguments: ["apusd", "corosync"], [true, false])
    func stopped(program: String, onHolder: Bool) async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let struck = onHolder ? holder : stage.others(holder)[0]
            let survivor = stage.others(struck)[0]
            try stage.signal(struck, SIGSTOP, program)
            if program == "corosync" {
                // Its service is alive and was told nothing: it must find out by itself, before the other goes on.
                try await stage.decided(open: [survivor], closed: [struck], "\(program) hangs")
            } else {
                // The service's process stays in Corosync's group, where it is left out.
                try await Task.sleep(for: .seconds(5))
                try await stage.wait(until: "open without it", of: [survivor]) { $0[survivor]?.isOpen ?? false }
            }
            try stage.signal(struck, SIGCONT, program)
            try await stage.settle()
        }
    }

    @Test("the service of the last node hangs: Corosync stops counting the witness")
    func loneServiceHangs() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            try await stage.powerOff(stage.others(holder))
            try await stage.wait(open: [holder], "alone")
            try stage.signal(holder, SIGSTOP, "apusd")
            let start = ContinuousClock.now
            var isQuorate = true
            while isQuorate, ContinuousClock.now - start < .seconds(10) {
                let tool = try await stage.node(holder).exec(["corosync-quorumtool", "-s"])
                isQuorate = tool.output.contains(/Quorate: +Yes/)
            }
            #expect(!isQuorate, "the witness still counts 10 s after its last poll")
            Timetable.note("no quorum any more", after: ContinuousClock.now - start)
            try stage.signal(holder, SIGCONT, "apusd")
            try await stage.wait(open: [holder], "it goes on")
        }
    }

    @Test("the service of the last node is killed and finds its witness again")
    func loneServiceKilled() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            try await stage.powerOff(stage.others(holder))
            try await stage.wait(open: [holder], "alone")
            try stage.signal(holder, SIGKILL, "apusd")
            try await Task.sleep(for: .milliseconds(300))
            try await stage.wait(open: [holder], "killed")
        }
    }

    @Test("the services are restarted one after the other")
    func rollingRestart() async throws {
        try await story { stage in
            for node in stage.nodes {
                try stage.signal(node, SIGTERM, "apusd")
                try await Task.sleep(for: .milliseconds(300))
                try await stage.settle()
            }
        }
    }

    @Test("Corosync counts otherwise than its file says: it is made to read it again")
    func miscount() async throws {
        try await story { stage in
            func votes() async throws -> Substring? {
                let tool = try await stage.node(stage.nodes[0]).exec(["corosync-quorumtool", "-s"])
                return tool.output.firstMatch(of: #/\n +2 +([0-9]+) /#)?.1
            }
            #expect(try await votes() == "1")
            // As after a reload that met a change of membership.
            _ = try await stage.node(stage.nodes[1]).exec(["corosync-quorumtool", "-n", "2", "-v", "3"])
            let start = ContinuousClock.now
            var wasMiscounted = false
            var now: Substring?
            repeat {
                now = try await votes()
                if now == "3" { wasMiscounted = true }
            } while !(wasMiscounted && now == "1") && ContinuousClock.now - start < .seconds(ClusterStage.patience)
            #expect(wasMiscounted && now == "1", "node 2 has \(now ?? "no") votes in Corosync")
            try await stage.settle()
        }
    }
}
