import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

extension ValidationLab {
    /// What is done to disks in the tests of reservations, and that nothing of it is ever left.
    @Suite("Reservations") struct Reservations {
        static let tests = ["storage/reserve", "storage/contest", "storage/defence", "storage/fenced-writes", "storage/failover"]

        @Test("Every test of reservations passes on two disks of the lab, in time, and leaves them as they were", .timeLimit(.minutes(5)))
        func whole() async throws {
            let ground = try await Ground(luns: [2, 3])
            let status = try await ground.stage.start(Ground.tests.map { "storage/\($0)" }, disks: ground.disks)
            try await ground.wait(for: status.id) { $0.isEnded }
            let run = try await ground.stage.client(of: ValidationStage.n1).validationReport(status.id)
            #expect(run.results.map(\.id.name) == Ground.tests)
            for result in run.results {
                // A machine that does other things beside may be slow, which is a warning.
                #expect(result.verdict == .pass || result.verdict == .warning, "\(result.id): \(result.findings.map(\.reason))")
                for disk in ground.disks where result.verdict == .pass {
                    let nodes = Set(result.findings.filter { $0.subject.disk == disk }.compactMap(\.subject.node))
                    #expect(nodes == [ValidationStage.n1, ValidationStage.n2], "\(result.id) on \(disk)")
                }
            }
            // tgt has no persistence through power loss, and fences by a reset.
            #expect(try run.findings("storage/persistence", .warning).map(\.subject.disk) == ground.disks)
            let fenced = try run.result("storage/preempt-and-abort").findings.flatMap(\.figures).filter { $0.name == "Fenced by" }
            #expect(Set(fenced.map(\.value)) == [.text("PREEMPT and LOGICAL UNIT RESET")])
            try await ground.expectClean(within: 30)
        }

        @Test("A disk with keys of others is told and left alone; what others registered stays", .timeLimit(.minutes(5)))
        func foreignKeys() async throws {
            let ground = try await Ground(luns: [2])
            let stranger = try await ground.seat(of: UUID(), on: ValidationStage.n2)
            _ = try await ground.act(.register, stranger)
            _ = try await ground.act(.reserve, stranger)
            let run = try await ground.stage.validate("storage/register", "storage/clear", disks: ground.disks)
            let finding = try #require(try run.findings("storage/register", .failure).first)
            #expect(finding.subject == .disk(ground.disks[0]))
            #expect(finding.reason.contains("\(stranger.key)") && finding.reason.contains("reserved by \(stranger.key)"), "\(finding)")
            #expect(finding.cure?.hasPrefix("Another validation tests this disk, or was killed.") == true, "\(finding)")
            #expect(try run.result("storage/clear").verdict == .notApplicable)
            #expect(try run.result("storage/register").headline == "disk \(ground.disks[0]) is registered or reserved by others")
            let look = try await ground.act(.look, stranger)
            #expect(look.keys == [stranger.key] && look.holder == stranger.key)
            // Nor may a seat be told to remove them.
            let another = try await ground.seat(of: UUID(), on: ValidationStage.n1)
            _ = try await ground.act(.register, another)
            for act in [ReservationAct.clear, .preempt(victim: stranger.key), .fence(victim: stranger.key), .expel(keys: [stranger.key])] {
                let answer = try await ground.act(act, another)
                #expect(answer.result == .failed && answer.words.contains("is left alone"), "\(act): \(answer)")
            }
            try await ground.finish(another)
            try await ground.finish(stranger)
            try await ground.expectClean(within: 30)
        }

        @Test("A run that is cancelled at any moment leaves no key and no changed block", .timeLimit(.minutes(5)))
        func cancelled() async throws {
            let ground = try await Ground(luns: [2, 3])
            for pause in [Int.random(in: 0...1_000), Int.random(in: 1_000...4_000)] {
                let status = try await ground.stage.start(Self.tests, disks: ground.disks)
                try await ground.wait(for: status.id) { $0.phase == .testing }
                try await Task.sleep(for: .milliseconds(pause))
                let client = try ground.stage.client(of: ValidationStage.n1)
                _ = try await client.cancelValidation(status.id)
                try await ground.wait(for: status.id) { $0.isEnded }
                let run = try await client.validationReport(status.id)
                #expect(run.results.contains { $0.verdict == .cancelled }, "after \(pause) ms")
                try await ground.expectClean(within: 30)
            }
        }

        @Test("A node service that is killed at any moment leaves no key and no changed block", arguments: ["n1", "n2"])
        func killed(name: String) async throws {
            let ground = try await Ground(luns: [2, 3])
            let status = try await ground.stage.start(Self.tests, disks: ground.disks)
            try await ground.wait(for: status.id) { $0.phase == .testing }
            let pause = Int.random(in: 0...4_000)
            try await Task.sleep(for: .milliseconds(pause))
            let node = try ground.stage.lab.node(name)
            #expect(node.signal(SIGKILL, processesNamed: "apusd") == 1)
            try await node.waitForService(seconds: 90)
            if name == "n2" {
                // The node that asked goes on, and tells which one did not do its part.
                try await ground.wait(for: status.id) { $0.isEnded }
                let run = try await ground.stage.client(of: ValidationStage.n1).validationReport(status.id)
                let failures = run.results.flatMap(\.findings).filter { $0.verdict == .failure }
                #expect(failures.isEmpty || failures.contains { $0.subject.node == ValidationStage.n2 }, "after \(pause) ms: \(failures)")
            }
            try await ground.expectClean(within: 120)
        }

        @Test("A node that hangs in the middle of a test is named; the other one removes its key", .timeLimit(.minutes(5)))
        func hanging() async throws {
            let ground = try await Ground(luns: [2])
            let node = try ground.stage.lab.node("n2")
            let status = try await ground.stage.start(["storage/register", "storage/defence", "storage/clear"], disks: ground.disks)
            let run: ValidationRun
            do {
                try await ground.wait(for: status.id) { status in
                    status.tests.contains { $0.id == StorageCatalogue.defence.id && $0.state == .running }
                }
                // Its seat is taken when the owner's heartbeat is on the disk.
                try #require(try await eventually(within: 30) { try ground.isMarked(lun: 2) })
                #expect(node.signal(SIGSTOP, processesNamed: "apusd") == 1)
                try await ground.wait(for: status.id) { $0.isEnded }
                run = try await ground.stage.client(of: ValidationStage.n1).validationReport(status.id)
                #expect(try await ground.keys(on: ValidationStage.n1).isEmpty)
                node.signal(SIGCONT, processesNamed: "apusd")
            } catch {
                node.signal(SIGCONT, processesNamed: "apusd")
                throw error
            }
            let finding = try #require(try run.findings("storage/defence", .failure).first)
            #expect(finding.subject == .disk(ground.disks[0], node: ValidationStage.n2))
            #expect(finding.reason.hasPrefix("n2 did not do its part."), "\(finding)")
            #expect(finding.cure == "Look at what n2 says: journalctl -u apusd. Then run this test again.")
            #expect(try run.result("storage/defence").headline == "n2 did not do its part of storage/defence")
            try await node.waitForService(seconds: 90)
            try await ground.expectClean(within: 120)
        }

        @Test("An array without reservations is told once, with its cure", .timeLimit(.minutes(5)))
        func withoutReservations() async throws {
            let ground = try await Ground(luns: [2])
            let array = PoorArray(stage: ground.stage)
            let run = try await ground.stage.breaking {
                try await array.begin()
            } mending: {
                try await array.end()
            } _: {
                let run = try await ground.stage.validate("storage/register", "storage/arbitration", disks: ground.disks)
                try await ground.expectClean(within: 30)
                return run
            }
            let findings = try run.findings("storage/register", .failure)
            #expect(findings.map(\.subject) == [.disk(ground.disks[0])])
            #expect(
                findings.first?.reason.hasPrefix("The storage array offers no SCSI-3 persistent reservations on this disk.") == true,
                "\(findings)")
            #expect(
                findings.first?.cure
                    == "Enable SCSI-3 persistent reservations for the LUN on the array; without them it cannot be a cluster disk.")
            #expect(try run.result("storage/register").headline == "disk \(ground.disks[0]) has no SCSI-3 persistent reservations")
            #expect(try run.result("storage/arbitration").verdict == .notApplicable)
            try await ground.expectClean(within: 30)
        }
    }
}
