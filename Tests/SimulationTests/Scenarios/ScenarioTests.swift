import Foundation
import Simulation
import Testing

@Suite("Scenarios")
struct ScenarioTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Scenarios")
    static let files =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".scenario") }.sorted()

    @Test("The stories are there")
    func found() { #expect(Self.files.count >= 10) }

    @Test("Every line of every story holds", arguments: files)
    func story(file: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: file), encoding: .utf8)
        let (world, failures) = try Scenario(text).run()
        for failure in failures { Issue.record("\(file) \(failure)\n\(world.log.joined(separator: "\n"))") }
    }

    @Test("A story that does not hold fails, and says what was found instead")
    func wrongStory() throws {
        let (_, failures) = try Scenario("nodes 3\nat 1s n3 power off\nexpect 5s n1 runs: votes 3 of 3").run()
        #expect(failures == [ScenarioError(line: 3, problem: "n1: expected \"runs: votes 3 of 3\", found \"runs: votes 1 of 1\"")])
    }

    @Test(
        "What is not understood is refused with its line",
        arguments: [
            "nodes 0", "nodes 99", "nodes 2\nat 5s n3 power off", "nodes 2\nat 5 n1 power off", "nodes 2\nat 5s n1 dance",
            "nodes 2\nat 1e99s n1 stop", "nodes 2\nat nans n1 stop", "nodes 2\nat 5s n1 stop\nexpect 4s n1 off", "nodes 2\nat 5s n1 stop",
            "",
            "nodes 2\nmachine Web on n1", "nodes 2\nexpect 5s nobody runs on n1", "nodes 2\nat 5s link cut n1", "witness sometimes",
            "nodes 2\nat 5s link between n1 n1 cut", "nodes 2\nat 5s link between n1 n3 cut", "nodes 2\nat 5s n1 clock sideways 3s",
        ])
    func refused(text: String) {
        #expect(throws: ScenarioError.self) { try Scenario(text) }
    }

    @Test("A storm over the rules of votes, partitions and machines", arguments: UInt64(0)..<40)
    func storm(seed: UInt64) {
        run(seed)
    }

    @Test("Seeds that nobody ran before", arguments: FreshSeeds.cluster)
    func freshStorm(seed: UInt64) { run(seed) }

    private func run(_ seed: UInt64) {
        let outcome = ScenarioStorm.run(seed: seed, steps: 1_500)
        #expect(outcome.violations.isEmpty, "make simulate STORM=cluster SEED=\(seed) STEPS=1500: \(outcome.violations)")
    }

    @Test("A seed replays exactly")
    func replays() { #expect(ScenarioStorm.run(seed: 7, steps: 1_000).log == ScenarioStorm.run(seed: 7, steps: 1_000).log) }
}
