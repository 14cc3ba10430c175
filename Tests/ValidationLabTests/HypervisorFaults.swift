import ClusterModel
import Foundation
import Lab
import LabTesting
import Testing
import Validation

extension ValidationLab {
    @Suite("Guests") struct Guests {
        private let n1 = ValidationStage.n1
        private let n2 = ValidationStage.n2
        /// As proc(5), `comm`, shortens the program's name.
        private static let qemu = "qemu-system-x86"

        /// Puts a file in the place of another one, for one node alone.
        private func replacing<Result>(
            _ path: String, on name: NodeName, by command: String, _ body: (ValidationStage) async throws -> Result
        ) async throws -> Result {
            let stage = try ValidationStage.get()
            let node = try stage.node(name)
            return try await stage.breaking {
                let script = "set -e; \(command) > /run/apus/in-its-place; chmod 755 /run/apus/in-its-place; "
                let result = try await node.exec(["sh", "-c", script + "mount --bind /run/apus/in-its-place \(path)"])
                try #require(result.isSuccess, "\(result.errors)")
            } mending: {
                // Nothing is mounted there when breaking it failed half-way.
                _ = try await node.exec(["sh", "-c", "umount \(path); rm -f /run/apus/in-its-place"])
            } _: {
                try await body(stage)
            }
        }

        /// No guest, no key and no file of a run is on a node.
        private func expectNothingLeft(_ stage: ValidationStage) async throws {
            for name in [n1, n2] {
                let node = try stage.node(name)
                let isClean = try await eventually(within: 60) {
                    node.signal(0, processesNamed: Self.qemu) == 0
                        && !FileManager.default.fileExists(atPath: node.runtimeFolder + "/validation")
                }
                #expect(isClean, "\(name) has \(node.signal(0, processesNamed: Self.qemu)) guests, or files of a validation")
            }
        }

        @Test("A guest starts on each node, and moves both ways, live and quickly") func healthy() async throws {
            let stage = try ValidationStage.get()
            let run = try await stage.validate("hypervisor")
            #expect(try run.result("hypervisor/acceleration").verdict == .pass)
            for test in ["hypervisor/live-migration", "hypervisor/quick-migration"] {
                let result = try run.result(test)
                // A busy machine may pause a guest for longer than people like.
                #expect(result.verdict == .pass || result.verdict == .warning, "\(result.findings)")
                #expect(result.findings.map(\.subject) == [.pair(n1, n2), .pair(n2, n1)])
                #expect(
                    result.findings.allSatisfy { finding in
                        ["Gap", "Blackout"].allSatisfy { name in finding.figures.contains { $0.name == name } }
                    })
            }
            try await expectNothingLeft(stage)
        }

        @Test("Guests do not start on one node") func noGuestStarts() async throws {
            let script = #"printf '#!/bin/sh\necho "qemu-system-x86_64: broken by a test" >&2\nexit 1\n'"#
            try await replacing("/usr/bin/qemu-system-x86_64", on: n2, by: script) { stage in
                let run = try await stage.validate("hypervisor/acceleration", "hypervisor/live-migration")
                let failures = try run.findings("hypervisor/acceleration", .failure)
                #expect(failures.map(\.subject) == [.node(n2)])
                #expect(failures.first?.reason.contains("broken by a test") == true, "\(failures)")
                #expect(failures.first?.cure?.isEmpty == false)
                #expect(try run.findings("hypervisor/acceleration", .pass).map(\.subject) == [.node(n1)])
                let moves = try run.findings("hypervisor/live-migration", .failure)
                #expect(moves.map(\.subject) == [.pair(n1, n2), .pair(n2, n1)])
                #expect(moves.allSatisfy { $0.reason.contains("broken by a test") }, "\(moves)")
                try await expectNothingLeft(stage)
            }
        }

        @Test("A processor feature is missing on one node") func missingFeature() async throws {
            try await replacing("/proc/cpuinfo", on: n2, by: "sed 's/ sse2 / /' /proc/cpuinfo") { stage in
                let run = try await stage.validate("hypervisor/processor-baseline")
                let warnings = try run.findings("hypervisor/processor-baseline", .warning)
                #expect(warnings.map(\.subject) == [.node(n1, item: "features")])
                #expect(warnings.map(\.reason) == ["n2 lacks processor features that n1 has: sse2."])
                #expect(warnings.first?.cure?.contains("and not `host`") == true)
            }
        }

        @Test("The node services are killed while a guest moves, and nothing is left") func killed() async throws {
            let stage = try ValidationStage.get()
            _ = try await stage.start(["hypervisor/live-migration", "hypervisor/quick-migration"])
            let nodes = [try stage.node(n1), try stage.node(n2)]
            let isMoving = try await eventually(within: 60, every: 5) { nodes.allSatisfy { $0.signal(0, processesNamed: Self.qemu) > 0 } }
            #expect(isMoving, "no guest was moved")
            for node in nodes { #expect(node.signal(SIGKILL, processesNamed: "apusd") > 0) }
            for node in nodes { try await node.waitForService(seconds: 90) }
            try await expectNothingLeft(stage)
        }
    }
}
