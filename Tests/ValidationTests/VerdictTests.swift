import ClusterModel
import Foundation
import Testing

@testable import Validation

@Suite("Verdicts")
struct VerdictTests {
    static func run(_ outcomes: [(ValidationTest, TestOutcome)], skipped: [ValidationTestID] = []) -> ValidationRun {
        ValidationRun(
            id: UUID(), apusVersion: "1.0", began: WallTime(milliseconds: 0), milliseconds: 1,
            subject: ValidationSubject(nodes: [NodeName(unchecked: "n1")]), nodes: [], disks: [],
            options: ValidationOptions(skipped: skipped), results: outcomes.map { TestResult($0, $1, milliseconds: 1) })
    }
    static func found(_ verdict: Verdict, _ reason: String = "Seen.", headline: String? = nil) -> TestOutcome {
        TestOutcome([ValidationFinding(verdict, reason: reason)], headline: headline)
    }

    @Test(
        "The line of a run",
        arguments: [
            ([found(.pass), found(.pass)], "Suitable", Verdict.pass),
            ([found(.pass), found(.warning)], "Suitable, with 1 warning", .warning),
            ([found(.warning), found(.warning), found(.notApplicable)], "Suitable, with 2 warnings", .warning),
            ([found(.notApplicable)], "Not decided: none of the chosen tests applies", .notApplicable),
            ([found(.pass), found(.cancelled)], "Not decided: the run was ended early", .cancelled),
            (
                [found(.failure, headline: "node2 and node3 do not see LUN 4"), found(.warning)],
                "Not suitable: node2 and node3 do not see LUN 4", .failure
            ),
            ([found(.failure, "The clock of n2 is off.")], "Not suitable: The clock of n2 is off", .failure),
            (
                [
                    found(.failure, headline: "a"), found(.failure, headline: "b"), found(.failure, headline: "c"), found(.failure),
                    found(.failure),
                ],
                "Not suitable: a; b; c; 2 more failures", .failure
            ),
            (
                [found(.failure, headline: "n2 did not answer"), found(.failure, headline: "n2 did not answer")],
                "Not suitable: n2 did not answer", .failure
            ),
        ])
    func sentence(outcomes: [TestOutcome], sentence: String, verdict: Verdict) {
        let run = Self.run(outcomes.map { (StorageCatalogue.sharedDisks, $0) })
        let line = RunVerdict(run)
        #expect(line.sentence == sentence)
        #expect(line.verdict == verdict)
        #expect(run.results.allSatisfy { $0.verdict == $0.findings.map(\.verdict).max() })
    }

    @Test("Tests that were not chosen are said, so that nobody takes a part for the whole")
    func reservation() {
        let run = Self.run([(NetworkCatalogue.mtu, Self.found(.pass))], skipped: [NetworkCatalogue.udp.id, NetworkCatalogue.tcp.id])
        #expect(RunVerdict(run).reservation == "2 tests not chosen.")
        #expect(!run.isComplete)
    }

    @Test("Tests that this version cannot carry out are not taken for tests that nobody chose")
    func unavailable() {
        var run = Self.run([(NetworkCatalogue.mtu, Self.found(.pass))], skipped: [NetworkCatalogue.udp.id])
        run.options.unavailable = [NetworkCatalogue.tcp.id, NetworkCatalogue.names.id]
        #expect(RunVerdict(run).reservation == "1 test not chosen, 2 tests that this version cannot carry out.")
    }

    @Test("A complaint without advice gets the test's; a test that found nothing has failed")
    func cures() {
        let result = TestResult(NetworkCatalogue.mtu, Self.found(.warning), milliseconds: 3)
        #expect(result.findings.map(\.cure) == [NetworkCatalogue.mtu.cure])
        #expect(TestResult(NetworkCatalogue.mtu, TestOutcome(), milliseconds: 3).verdict == .failure)
        #expect(TestResult(NetworkCatalogue.mtu, Self.found(.pass), milliseconds: 3).findings.map(\.cure) == [nil])
        #expect(TestResult.cancelled(NetworkCatalogue.mtu).verdict == .cancelled)
    }

    @Test("Percentiles are samples, and every sample is in a bucket")
    func distribution() throws {
        let distribution = try #require(Distribution((1...1_000).map { Double($0) / 100 } + [.nan, -1, .infinity]))
        #expect(distribution.count == 1_000)
        #expect(
            (distribution.minimum, distribution.median, distribution.p90, distribution.p99, distribution.maximum) == (0.01, 5, 9, 9.9, 10))
        #expect(distribution.buckets.reduce(0) { $0 + $1.count } == 1_000)
        #expect(distribution.buckets.map(\.limit) == distribution.buckets.map(\.limit).sorted())
        #expect(Distribution([]) == nil && Distribution([.nan]) == nil)
        #expect(try #require(Distribution([0, 1e300])).buckets.count < 100)
    }

    @Test("A run survives JSON", arguments: Verdict.allCases)
    func coding(verdict: Verdict) throws {
        var outcome = Self.found(verdict)
        outcome.findings[0].figures = [
            Figure("Round trip", try #require(Distribution([1, 2])), .milliseconds), Figure("Rate", 1.5, .bitsPerSecond),
            Figure("Model", "x"),
        ]
        outcome.findings[0].subject = .pair(NodeName(unchecked: "n1"), NodeName(unchecked: "n2"), network: "10.0.0.0/24")
        outcome.tables = [FactTable("Adapters", columns: [.init("Name"), .init("MTU", isNumber: true)], rows: [["eth0", "1500"]])]
        let run = Self.run([(NetworkCatalogue.latency, outcome)])
        #expect(try JSONDecoder().decode(ValidationRun.self, from: JSONEncoder().encode(run)) == run)
    }
}
