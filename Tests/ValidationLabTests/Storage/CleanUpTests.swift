import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

extension ValidationLab {
    /// Goal: whatever ends a validation, and whenever, disks are as they were.
    @Suite("What validations leave behind") struct CleanUp {
        /// Those that write longest.
        static let tests = ["storage/latency", "storage/coherence", "storage/flush", "storage/atomicity"]

        @Test("Ended by the operator in the middle of a test", arguments: [0, 1, 3])
        func cancelled(after ended: Int) async throws {
            let stage = try ValidationStage.get()
            let client = try stage.client(of: ValidationStage.n1)
            let first = try await stage.start(Self.tests, disks: [try await stage.disk(2), try await stage.disk(3)])
            var isAsked = false
            var last = first
            for try await status in try await client.followValidation(first.id) {
                last = status
                if !isAsked, status.tests.count(where: { $0.state == .ended }) >= ended,
                    status.tests.contains(where: { $0.state == .running })
                {
                    isAsked = true
                    _ = try await client.cancelValidation(first.id)
                }
            }
            #expect(isAsked && last.isEnded && last.verdict == .cancelled, "\(last)")
            try await expectClean(stage)
        }

        @Test("The node service killed in the middle of a test", arguments: [ValidationStage.n1, ValidationStage.n2])
        func killed(node: NodeName) async throws {
            let stage = try ValidationStage.get()
            let client = try stage.client(of: ValidationStage.n1)
            let first = try await stage.start(Self.tests, disks: [try await stage.disk(2), try await stage.disk(3)])
            do {
                for try await status in try await client.followValidation(first.id)
                where status.tests.contains(where: { $0.state == .running }) {
                    // A moment, so that it is in the middle of writing.
                    try await Task.sleep(for: .milliseconds(300))
                    break
                }
            }
            try await stage.restartService(node)
            let isClean = try await eventually(within: 120, every: 200) {
                let isEmpty = try [2, 3].allSatisfy { try stage.scratch($0).allSatisfy { $0 == 0 } }
                return isEmpty && stage.traces().isEmpty
            }
            #expect(isClean, "Traces after two minutes: \(stage.traces())")
            // The other node's run must be over before the next test begins one.
            if node != ValidationStage.n1 { for try await _ in try await client.followValidation(first.id) {} }
            try await expectClean(stage)
        }

        @Test("Ctrl-C twice in the middle of a test: the command ends at once, the nodes take back what it left") func left() async throws {
            let stage = try ValidationStage.get()
            let before = try await stage.client(of: ValidationStage.n1).keptReports().map(\.id)
            let token = try await stage.client(of: ValidationStage.n2).makeToken(TokenRequest()).token
            let disks = [try await stage.disk(2), try await stage.disk(3)].flatMap { ["--disk", $0.rawValue] }
            let process = Process()
            process.executableURL = URL(
                fileURLWithPath: (stage.lab.tools.apusd as NSString).deletingLastPathComponent + "/apus")
            process.arguments =
                ["validate", "--yes", "--socket", try stage.node(ValidationStage.n1).apiSocket, "--token", token]
                + ["--tests", Self.tests.joined(separator: ",")] + disks
            (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            try process.run()
            let isWriting = try await eventually(within: 60, every: 5) { !process.isRunning || !stage.traces().isEmpty }
            #expect(isWriting && process.isRunning)
            // Again and again, as somebody does who is in a hurry; a signal that comes while the one before is handled is lost.
            let hasEnded = try await eventually(within: 60, every: 50) {
                if process.isRunning { process.interrupt() }
                return !process.isRunning
            }
            if !hasEnded { process.terminate() }
            #expect(hasEnded)
            #expect(process.terminationStatus == 2)
            // The node was told before the command left: it ends the run, and keeps its report.
            let isKept = try await eventually(within: 60) {
                try await stage.client(of: ValidationStage.n1).keptReports().contains {
                    !before.contains($0.id) && $0.verdict == .cancelled
                }
            }
            #expect(isKept, "the run goes on although whoever asked for it left")
            try await expectClean(stage)
        }

        private func expectClean(_ stage: ValidationStage) async throws {
            for lun in [2, 3] {
                let dirty = try stage.scratch(lun).firstIndex { $0 != 0 }
                #expect(dirty == nil, "LUN \(lun) is not zero at \(10 << 20) + \(dirty ?? 0)")
            }
            // What was asked of a node at the very end may still be noticing that it came too late.
            #expect(try await eventually(within: 30) { stage.traces().isEmpty }, "\(stage.traces())")
        }
    }
}
