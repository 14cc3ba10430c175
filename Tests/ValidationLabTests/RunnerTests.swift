import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

extension ValidationLab {
    /// The frame around the tests: what is chosen runs, all of it is told, and nothing stays behind, however a run ends.
    @Suite("The runner")
    struct Runner {
        private static let (n1, n2) = (ValidationStage.n1, ValidationStage.n2)

        @Test("Tests chosen by category and by name run, others do not") func selection() async throws {
            let stage = try ValidationStage.get()
            let token = try await stage.client(of: Self.n2).makeToken(TokenRequest()).token
            let request = StartValidationRequest(tokens: [token], tests: ["system", "udp", "network/mtu"], skip: ["system/watchdog"])
            let run = try await stage.follow(try await stage.client(of: Self.n1).startValidation(request))
            let wanted = SystemCatalogue.tests.filter { $0.id.name != "watchdog" } + [NetworkCatalogue.udp, NetworkCatalogue.mtu]
            #expect(Set(run.results.map(\.id)) == Set(wanted.map(\.id)))
            #expect(run.options.selection == ["system", "udp", "network/mtu", "-system/watchdog"])
            #expect(run.options.requestedBy == "an administrator at n1")
            #expect(run.options.skipped.contains(SystemCatalogue.watchdog.id) && !run.options.skipped.contains(NetworkCatalogue.udp.id))
        }

        @Test("Who follows sees a run begin, go on and end") func progress() async throws {
            let stage = try ValidationStage.get()
            var statuses: [ValidationStatus] = []
            let run = try await stage.follow(try await stage.start(["network"], disks: [])) { statuses.append($0) }
            let first = try #require(statuses.first)
            let last = try #require(statuses.last)
            #expect(!first.isEnded && first.nodes == [Self.n1, Self.n2] && first.tests.count == NetworkCatalogue.tests.count)
            #expect(statuses.contains { $0.phase == .testing && $0.tests.contains { $0.state == .running } })
            let ended = statuses.map { status in status.tests.count { $0.state == .ended } }
            #expect(ended == ended.sorted() && Set(ended).count > 2, "\(ended)")
            #expect(statuses.map(\.elapsedMilliseconds) == statuses.map(\.elapsedMilliseconds).sorted())
            #expect(last.isEnded && last.tests.map(\.verdict) == run.results.map(\.verdict))
            #expect(last.report?.hasSuffix(".html") == true && last.problem == nil)
        }

        @Test("A second run at the same node is refused while one goes on") func second() async throws {
            let stage = try ValidationStage.get()
            let first = try await stage.start(["network/throughput"], disks: [])
            let error = await #expect(throws: APIError.self) { try await stage.start(["system"], disks: []) }
            #expect(error?.code == .busy)
            _ = try await stage.follow(first)
        }

        @Test("Ctrl-C ends a run early, keeps its report, and nothing is left open") func interrupt() async throws {
            let stage = try ValidationStage.get()
            let before = try (stage.openSockets(of: Self.n1), stage.openSockets(of: Self.n2))
            let token = try await stage.client(of: Self.n2).makeToken(TokenRequest()).token
            let folder = (stage.lab.tools.apusd as NSString).deletingLastPathComponent
            let process = Process()
            let (output, errors) = (Pipe(), Pipe())
            process.executableURL = URL(fileURLWithPath: folder + "/apus")
            process.arguments = [
                "validate", "--yes", "--socket", try stage.node(Self.n1).apiSocket, "--token", token, "--tests", "network",
            ]
            (process.standardOutput, process.standardError) = (output, errors)
            try process.run()
            // While n2 watches for a moved address it holds something that must be taken back.
            let isHolding = try await eventually(within: 60, every: 5) {
                try !process.isRunning || !stage.openSockets(of: Self.n2).isSubset(of: before.1)
            }
            #expect(isHolding && process.isRunning)
            process.interrupt()
            let hasEnded = try await eventually(within: 60) { !process.isRunning }
            if !hasEnded { process.terminate() }
            try #require(hasEnded, "apus validate does not end at Ctrl-C")
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(process.terminationStatus == 2, "\(text)\(said)")
            #expect(said.contains("Ending the validation") && text.contains("the run was ended early"), "\(text)\(said)")
            #expect(text.contains("The report is kept on n1"))
            // Given back by the run, not expired, which takes 20 s.
            try await expectSockets(before.0, before.1, within: 12)
        }

        @Test("A node that does not answer is a failed test, not a failed run") func silence() async throws {
            let stage = try ValidationStage.get()
            let node = try stage.node(Self.n2)
            let first = try await {
                let token = try await stage.client(of: Self.n2).makeToken(TokenRequest()).token
                try await node.cut(.cluster)
                return try await stage.client(of: Self.n1).startValidation(
                    StartValidationRequest(tokens: [token], tests: ["system/entropy", "network/udp", "network/names"]))
            }()
            try await stage.breaking {
            } mending: {
                try await node.restore(.cluster)
            } _: {
                let run = try await stage.follow(first)
                #expect(run.results.count == 3 && run.results.allSatisfy { $0.verdict == .failure })
                #expect(run.nodes.map { $0.problem == nil } == [true, false])
                #expect(try run.findings("system/entropy", .pass).map(\.subject) == [.node(Self.n1)])
                for result in run.results {
                    let silent = result.findings.filter { $0.verdict == .failure }
                    #expect(silent.map(\.subject.node) == [Self.n2], "\(silent.map(\.reason))")
                    #expect(silent.first?.cure?.contains("systemctl status apusd") == true)
                }
            }
        }

        @Test("A node that hangs in the middle is found by its deadline, and the rest of the run goes on") func hang() async throws {
            let stage = try ValidationStage.get()
            let node = try stage.node(Self.n2)
            let before = try (stage.openSockets(of: Self.n1), stage.openSockets(of: Self.n2))
            try await stage.breaking {
            } mending: {
                node.signal(SIGCONT, processesNamed: "apusd")
                try await expectSockets(before.0, before.1)
            } _: {
                let first = try await stage.start(["network/gratuitous-arp", "network/throughput", "system/entropy"], disks: [])
                var isStopped = false
                let run = try await stage.follow(first) { status in
                    guard !isStopped, status.tests.contains(where: { $0.id == NetworkCatalogue.throughput.id && $0.state == .running })
                    else {
                        return
                    }
                    isStopped = true
                    node.signal(SIGSTOP, processesNamed: "apusd")
                }
                #expect(isStopped && run.results.count == 3)
                #expect(try run.result("system/entropy").verdict == .pass)
                let findings = try run.findings("network/throughput", .failure)
                #expect(findings.map(\.subject.node) == [Self.n2], "\(run.results.flatMap(\.findings).map(\.reason))")
                #expect(findings.first?.reason.contains("did not do its part") == true)
                #expect(findings.first?.cure?.contains("journalctl -u apusd") == true)
            }
        }

        @Test("When the node service that asked is killed, the other node takes back by itself what it holds") func killed() async throws {
            let stage = try ValidationStage.get()
            let before = try (stage.openSockets(of: Self.n1), stage.openSockets(of: Self.n2))
            let first = try await stage.start(["network/gratuitous-arp"], disks: [])
            let isHolding = try await eventually(within: 60, every: 5) {
                try stage.openSockets(of: Self.n2).subtracting(before.1).contains { $0.hasPrefix("packet") }
            }
            #expect(isHolding)
            try await stage.restart(stage.node(Self.n1))
            // It was n1's; nobody knows of it any more, and it left no half report.
            let error = await #expect(throws: APIError.self) { try await stage.client(of: Self.n1).validationReport(first.id) }
            #expect(error?.code == .notFound)
            try await expectSockets(before.0, before.1)
            let again = try await stage.run(["network/gratuitous-arp"])
            #expect(try again.result("network/gratuitous-arp").verdict == .pass)
        }

        /// Nothing more is open than before, at the latest once what probes hold has expired by itself.
        private func expectSockets(_ first: Set<String>, _ second: Set<String>, within seconds: Double = 60) async throws {
            let stage = try ValidationStage.get()
            var left: Set<String> = []
            let isClosed = try await eventually(within: seconds) {
                left = try stage.openSockets(of: Self.n1).subtracting(first).union(stage.openSockets(of: Self.n2).subtracting(second))
                return left.isEmpty
            }
            #expect(isClosed, "left open: \(left)")
        }
    }
}
