import ClusterModel
import Foundation
import Testing
import Validation

@testable import ValidationReport

@Suite("Difference of two reports")
struct DifferenceTests {
    @Test("A run does not differ from itself", arguments: [false, true])
    func same(faulty: Bool) throws {
        let run = try SampleRun.make(nodes: 3, faulty: faulty)
        let difference = ReportDifference(from: run, to: run)
        #expect(difference.isEmpty)
        #expect(difference.text.hasSuffix("Nothing else has changed."))
    }

    @Test("What appears one way is solved the other way")
    func symmetric() throws {
        let good = try SampleRun.make(nodes: 3, faulty: false)
        let bad = try SampleRun.make(nodes: 3, faulty: true)
        let worse = ReportDifference(from: good, to: bad)
        let better = ReportDifference(from: bad, to: good)
        #expect(worse.appeared.count == bad.results.reduce(0) { $0 + $1.complaints.count })
        #expect(worse.solved.isEmpty && worse.better.isEmpty)
        #expect(better.solved == worse.appeared)
        #expect(better.better.map(\.test) == worse.worse.map(\.test) && better.appeared.isEmpty)
        #expect(worse.rows.contains { $0.caption == "Packages" && $0.old?[2] == "7.2.11" && $0.new?[2] == "7.2.9" })
        let offset = try #require(worse.movements.first { $0.figure == "Offset" })
        #expect((offset.old, offset.new, offset.unit) == (0.4, 123_000, .milliseconds))
        #expect(worse.text.contains("network/clock-offset, node1 to node3, Offset: 0.4 ms -> 2 min 3 s"))
        #expect(worse.text.contains("Now      Not suitable: "))
        #expect(try JSONDecoder().decode(ReportDifference.self, from: JSONEncoder().encode(worse)) == worse)
    }

    @Test(
        "Noise of less than a fifth is no movement",
        arguments: [(100.0, 119.0, 0), (100, 126, 1), (100, 79, 1), (0, 0, 0), (0, 1, 1), (-5, 5, 1), (.nan, 5, 0)])
    func noise(old: Double, new: Double, count: Int) throws {
        var earlier = try SampleRun.make(nodes: 2, faulty: false, selection: ["network/throughput"])
        var later = earlier
        earlier.results[0].findings[0].figures = [Figure("Throughput", old, .bitsPerSecond)]
        later.results[0].findings[0].figures = [Figure("Throughput", new, .bitsPerSecond)]
        #expect(ReportDifference(from: earlier, to: later).movements.count == count)
    }

    @Test("Other nodes, disks and tests are named; a test that was not chosen solves nothing")
    func scope() throws {
        let old = try SampleRun.make(nodes: 3, faulty: true)
        var new = try SampleRun.make(nodes: 2, faulty: false, selection: ["storage"])
        new.disks.removeLast()
        let difference = ReportDifference(from: old, to: new)
        #expect(difference.nodesRemoved.map(\.rawValue) == ["node3"])
        #expect(difference.disksRemoved == [old.disks[1].id])
        #expect(difference.testsRemoved.allSatisfy { $0.category != .storage } && !difference.testsRemoved.isEmpty)
        #expect(difference.solved.allSatisfy { $0.test.category == .storage })
        #expect(difference.text.contains("- node3"))
    }

    @Test("A cancelled test has solved nothing")
    func cancelled() throws {
        let old = try SampleRun.make(nodes: 3, faulty: true)
        var new = old
        new.results = new.results.map { result in
            ValidationCatalogue.test(result.id).map { TestResult.cancelled($0) } ?? result
        }
        #expect(ReportDifference(from: old, to: new).solved.isEmpty)
    }

    @Test("What reports say cannot command a terminal", arguments: HostileText.all)
    func terminal(text: String) throws {
        let run = try HostileText.run(text)
        for output in [ReportDifference(from: try SampleRun.make(nodes: 2, faulty: false), to: run).text, SummaryText.text(of: run)] {
            #expect(
                output.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || ($0.value >= 0x20 && !(0x7f...0x9f).contains($0.value)) })
        }
    }
}
