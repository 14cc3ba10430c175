import ClusterModel
import Foundation
import Testing
import Validation

@testable import ValidationReport

@Suite("JSON and JUnit")
struct JSONReportTests {
    @Test("A run is read as it was written, and the same run gives the same bytes", arguments: [1, 2, 8])
    func roundTrip(nodes: Int) throws {
        let run = try SampleRun.make(nodes: nodes, faulty: nodes > 1)
        let bytes = try JSONReport.bytes(of: run)
        #expect(try JSONReport.read(bytes) == run)
        #expect(try JSONReport.bytes(of: JSONReport.read(bytes)) == bytes)
        #expect(bytes.count < 2 << 20)
    }

    @Test("A measurement that came to nothing does not cost the report")
    func notNumbers() throws {
        var run = try SampleRun.make(nodes: 2, faulty: false)
        run.results[0].findings[0].figures = [Figure("a", .infinity, .bytes), Figure("b", -.infinity, .bytes), Figure("c", .nan, .bytes)]
        let figures = try JSONReport.read(JSONReport.bytes(of: run)).results[0].findings[0].figures
        #expect(figures[0] == Figure("a", .infinity, .bytes) && figures[1] == Figure("b", -.infinity, .bytes))
        guard case .number(let number, .bytes) = figures[2].value else { return #expect(Bool(false)) }
        #expect(number.isNaN)
    }

    /// As the first version wrote it, with what a later one may add.
    static let first = """
        {"format":1,"id":"1A2B3C4D-0102-0304-0506-0708090A0B03","apusVersion":"0.4.0","began":1795000000000,"milliseconds":48213,
         "subject":{"nodes":["n1","n2"],"testableDisks":["naa.6001"],"shares":[],"hasWitness":false},
         "nodes":[{"name":"n1","address":"10.20.0.11","summary":"x"},{"name":"n2","address":"10.20.0.12","summary":"","problem":"No answer."}],
         "disks":[{"id":"naa.6001","lun":4,"byteCount":1073741824,"model":"PURE","content":"Empty"}],
         "options":{"selection":["all"],"skipped":["network/of-later"],"disks":[],"requestedBy":"","addedLater":true},
         "results":[{"id":"network/gone","title":"A test that is gone","proves":"Nothing any more.","verdict":"warning","milliseconds":12,
           "findings":[{"verdict":"warning","subject":{"node":"n1","peer":"n2","network":"10.20.0.0/24"},"reason":"Slow.","cure":"Wait.",
             "figures":[{"name":"Rate","unit":"bits-per-second","number":1e9},{"name":"Model","text":"x"},
               {"name":"Round trip","unit":"milliseconds","distribution":{"count":2,"minimum":1,"mean":1.5,"median":1,"p90":2,"p99":2,
                 "maximum":2,"buckets":[{"limit":1,"count":1},{"limit":2,"count":1}]}}]}],
           "tables":[{"caption":"List","node":"n1","columns":[{"title":"Name","isNumber":false}],"rows":[["a"]]}]}],
         "addedLater":{"x":1}}
        """

    @Test("A report of the first version is read for ever")
    func firstVersion() throws {
        let run = try JSONReport.read(Array(Self.first.utf8))
        #expect(RunVerdict(run).sentence == "Suitable, with 1 warning")
        #expect(run.nodes[1].problem == "No answer.")
        #expect(run.results[0].findings[0].figures[0] == Figure("Rate", 1e9, .bitsPerSecond))
        #expect(HTMLReport.text(of: run).contains("A test that is gone"))
    }

    @Test(
        "What is no report is refused with the place",
        arguments: [
            ("", "not valid JSON"), ("[]", "object"), ("{}", "format is missing"), ("{\"format\":\"1\"}", "whole number"),
            ("{\"format\":1}", "is missing"), ("null", "is null"), ("{\"format\":1e400}", "out of range"),
            (first.replacingOccurrences(of: "\"verdict\":\"warning\",\"mill", with: "\"verdict\":\"fine\",\"mill"), "verdict"),
            (first.replacingOccurrences(of: "network/gone", with: "gone"), "results[0].id"),
            (first.replacingOccurrences(of: "\"n1\",\"n2\"", with: "\"n1\",\"../n2\""), "nodes[1]"),
            (first.replacingOccurrences(of: "48213", with: "99999999999999999999"), "out of range"),
        ])
    func refused(text: String, words: String) {
        let error = #expect(throws: ReportReadError.self) { try JSONReport.read(Array(text.utf8)) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test("A newer format, a huge file and a deep one are refused")
    func limits() {
        #expect(throws: ReportReadError.otherFormat(2)) { try JSONReport.read(Array("{\"format\":2}".utf8)) }
        #expect(throws: ReportReadError.otherFormat(-1)) { try JSONReport.read(Array("{\"format\":-1}".utf8)) }
        #expect(throws: ReportReadError.tooLarge(byteCount: JSONReport.largestFile + 1)) {
            try JSONReport.read([UInt8](repeating: 0x20, count: JSONReport.largestFile + 1))
        }
        #expect(throws: ReportReadError.self) { try JSONReport.read([UInt8](repeating: UInt8(ascii: "["), count: 200_000)) }
        let deep = "{\"format\":1,\"x\":" + String(repeating: "{\"a\":", count: 50_000)
        #expect(throws: ReportReadError.self) { try JSONReport.read(Array(deep.utf8)) }
    }

    private let other: ValidationRun
    init() throws { other = try SampleRun.make(nodes: 2, faulty: true, selection: ["network"]) }

    @Test("A damaged report is refused, or is read and shown; nothing traps", arguments: UInt64(0)..<200)
    func damaged(seed: UInt64) throws {
        var generator = SampleGenerator(state: seed)
        var bytes = Array(Self.first.utf8)
        for _ in 0...(seed % 4) {
            let place = Int(generator.next() % UInt64(bytes.count))
            switch generator.next() % 4 {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            case 1: bytes[place] = UInt8(ascii: "9")
            case 2: bytes.remove(at: place)
            default: bytes.insert(contentsOf: Array("99999999".utf8), at: place)
            }
        }
        do {
            let run = try JSONReport.read(bytes)
            #expect(ParsedDocument(HTMLReport.text(of: run)).problem == nil)
            #expect(ParsedDocument(JUnitReport.text(of: run)).problem == nil)
            #expect(!ReportDifference(from: run, to: other).text.isEmpty)
        } catch {
            #expect(error.description.hasSuffix("."))
        }
    }

    @Test("JUnit counts what build servers count", arguments: [false, true])
    func junit(faulty: Bool) throws {
        var run = try SampleRun.make(nodes: 3, faulty: faulty, selection: ["network", "storage"])
        // Chosen, and beyond this version: one of a category that has others, and one that has none.
        run.options.unavailable = [NetworkCatalogue.mtu.id, ClusterCatalogue.quorum.id]
        run.results.removeAll { $0.id == NetworkCatalogue.mtu.id }
        let document = ParsedDocument(JUnitReport.text(of: run))
        #expect(document.problem == nil)
        #expect(document.elements.count { $0 == "testcase" } == run.results.count + 2)
        #expect(document.elements.count { $0 == "failure" } == run.count(.failure))
        #expect(document.elements.count { $0 == "skipped" } == run.count(.notApplicable) + 2)
        for (name, sum) in [("tests", run.results.count + 2), ("skipped", run.count(.notApplicable) + 2)] {
            let counts = document.attributes.filter { $0.element == "testsuite" && $0.name == name }.compactMap { Int($0.value) }
            #expect(counts.reduce(0, +) == sum, "\(name)")
        }
        #expect(
            document.attributes.contains { $0.element == "testsuites" && $0.name == "failures" && $0.value == "\(run.count(.failure))" })
        let times = document.values(of: "time")
        #expect(times.contains("48.213") && times.allSatisfy { Double($0) != nil && !$0.contains("e") })
    }
}
