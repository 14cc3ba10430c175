import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Subprocess
import Testing

extension MigrationTests {
    /// The command as an operator types it, and the API that programs read about.
    @Suite(.serialized)
    struct Command {
        @Test(
            "The command says no with a sentence and exit code 1, or 2 when it was typed wrong", .timeLimit(.minutes(4)),
            arguments: [
                (["vm", "migrate", "web10", "--to", "n9"], 1, "There is no node n9; the cluster has n1, n2."),
                (["vm", "migrate", "web10", "--to", "n1"], 1, "web10 is on n1 already; name another node with --to."),
                (["vm", "migrate", "web99", "--to", "n2"], 1, "There is no virtual machine web99. See: apus vm list"),
                (["vm", "migrate", "web10"], 2, "Say where to: apus vm migrate web10 --to NODE"),
                (["vm", "migrate", "web10", "--to", "N2"], 2, "is no node name"),
                (["vm", "migrate", "web10", "--cancel"], 1, "web10 is not being migrated."),
                (["vm", "start", "web10"], 1, "web10 runs already."),
                (["vm", "delete", "web10"], 1, "web10 is not stopped."),
            ] as [([String], Int, String)])
        func refusals(words: [String], code: Int, sentence: String) async throws {
            let machine = try Stage.get().machine
            try await machine.bring(to: Stage.n1)
            let result = try await Self.apus(words)
            #expect(result.code == code && result.text.contains(sentence), "\(words): \(result)")
            let place = try await machine.settle(within: 20)
            #expect(place.node == Stage.n1)
        }

        @Test("The command moves a machine, waits, and prints what it cost", .timeLimit(.minutes(4)))
        func migrates() async throws {
            let machine = try Stage.get().machine
            try await machine.bring(to: Stage.n1)
            let moved = try await Self.apus(["vm", "migrate", "web10", "--to", "n2", "--json"])
            #expect(moved.code == 0, "\(moved)")
            let status = try APICoding.decoder.decode(MigrationStatus.self, from: Data(moved.text.utf8))
            #expect(status.record?.outcome == .completed && status.record?.owner == Stage.n2, "\(status)")
            let back = try await Self.apus(["vm", "migrate", "web10", "--to", "n1", "--quick"])
            #expect(back.code == 0 && back.text.contains("web10 runs on n1.") && back.text.contains("Blackout"), "\(back)")
            _ = try await machine.settle(within: 10)
        }

        @Test("A plan moves nothing and gives numbers", .timeLimit(.minutes(4)))
        func plan() async throws {
            let machine = try Stage.get().machine
            try await machine.bring(to: Stage.n1)
            let before = try await machine.settle(within: 10)
            let plan = try await machine.client().planMigration(machine.order(to: Stage.n2))
            #expect(plan.refusals.isEmpty && plan.willConverge && !plan.summary.isEmpty, "\(plan)")
            #expect(plan.linkBytesPerSecond > 1 << 20 && plan.memoryBytes > 10 << 20 && plan.memoryBytes <= 256 << 20, "\(plan)")
            #expect((plan.predictedTotalMilliseconds ?? 0) > 0, "\(plan)")
            let after = try await machine.settle(within: 20)
            #expect(after == before)
        }

        @Test("A node describes its own API", .timeLimit(.minutes(4)))
        func openAPI() async throws {
            let document = try await Stage.get().client(of: Stage.n2).openAPI()
            let text = String(decoding: try APICoding.encoder.encode(document), as: UTF8.self)
            for path in ["/machines", "/migrations", "/nodes", "/disks"] { #expect(text.contains(path), "\(path)") }
            #expect(text.contains("\"openapi\""))
        }

        /// Runs `apus` against n1.
        private static func apus(_ words: [String]) async throws -> (code: Int, text: String) {
            let lab = try Stage.get().lab
            let program = (lab.tools.apusd as NSString).deletingLastPathComponent + "/apus"
            let ended = try await Subprocess.run(
                .name("timeout"), arguments: Arguments(["60", program] + words + ["--socket", lab.nodes[0].apiSocket]), input: .none,
                output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            guard case .exited(let code) = ended.terminationStatus else { throw Unexpected("\(words): \(ended.terminationStatus)") }
            return (Int(code), ended.standardOutput + ended.standardError)
        }
    }
}
