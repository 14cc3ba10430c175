import ClusterModel
import Testing
import Validation

@testable import ValidationReport

@Suite("Texts of reports")
struct TextTests {
    @Test(
        "What would not show, or would turn its neighbours around, is made visible",
        arguments: [
            ("plain é 日本", "plain é 日本"), ("a\0b", "a␀b"), ("\u{1b}[2J", "␛[2J"), ("\u{7f}", "␡"),
            ("a\tb\nc", "a\tb\nc"), ("a\r\nb", "a␍\nb"), ("\u{202e}x", "‹U+202E›x"), ("\u{200f}", "‹U+200F›"), ("\u{85}", "‹U+85›"),
            ("\u{fffe}", "\u{fffd}"), ("\u{1ffff}", "‹U+1FFFF›"), ("👩‍🔧", "👩‍🔧"),
        ])
    func visible(text: String, expected: String) { #expect(visibleText(text) == expected) }

    @Test(
        "Markup is escaped by scalars, so that no accent hides a quotation mark",
        arguments: [
            ("<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"), ("\"\u{301}", "&quot;\u{301}"), ("<\u{338}b", "&lt;\u{338}b"),
        ])
    func escaping(text: String, expected: String) {
        // Compared as scalars: `==` of strings takes different sequences for the same.
        #expect(Array(escaped(text).unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test(
        "Figures have three digits that count, and a unit",
        arguments: [
            (0.0426, FigureUnit.milliseconds, "0.043 ms"), (4.26, .milliseconds, "4.26 ms"), (42.61, .milliseconds, "42.6 ms"),
            (999.7, .milliseconds, "1 s"), (1_250, .milliseconds, "1.25 s"), (185_000, .milliseconds, "3 min 5 s"),
            (0, .milliseconds, "0 ms"),
            (-3, .milliseconds, "-3 ms"), (9.24e9, .bitsPerSecond, "9.24 Gbit/s"), (999.9e6, .bitsPerSecond, "1 Gbit/s"),
            (1_073_741_824, .bytes, "1 GiB"), (1_048_575, .bytes, "1 MiB"), (512, .bytes, "512 bytes"), (1_500, .bytes, "1500 bytes"),
            (4_096, .bytes, "4 KiB"),
            (1_572_864, .bytesPerSecond, "1.5 MiB/s"),
            (0.5, .percent, "0.5 %"), (12_345, .count, "12345"), (9_876, .perSecond, "9876 /s"), (.nan, .count, "unknown"),
            (.infinity, .bytes, "unknown"), (1e300, .bitsPerSecond, "unknown"),
        ])
    func figures(number: Double, unit: FigureUnit, expected: String) { #expect(FigureText.text(number, unit) == expected) }

    @Test(
        "Moments are in UTC; what is no moment says so",
        arguments: [
            (1_795_000_000_000, "2026-11-18 11:06 UTC"), (0, "1970-01-01 00:00 UTC"), (-1, "an impossible date"),
            (.max, "an impossible date"),
        ])
    func moments(milliseconds: Int64, expected: String) { #expect(FigureText.moment(WallTime(milliseconds: milliseconds)) == expected) }

    @Test("What one cure helps against is said once, with the network said once")
    func complaints() throws {
        let run = try SampleRun.make(nodes: 8, faulty: true)
        let report = HTMLReport(run)
        let slow = try #require(run.result(of: NetworkCatalogue.latency.id))
        let latency = try #require(report.complaints(of: slow).first)
        #expect(latency.lines.count == 1 && latency.lines[0].subjects.count == 7)
        #expect(
            report.titles(of: latency.lines[0].subjects, most: 2)
                == "node1 to node2, node3 to node2 and 5 more, cluster network 10.20.0.0/24")
        let disks = report.complaints(of: try #require(run.result(of: StorageCatalogue.sharedDisks.id)))
        #expect(disks.count == 2 && disks.allSatisfy { $0.verdict == .failure })
    }

    @Test("A square shows the worst of several findings about one place, and none that fits no screen")
    func squares() throws {
        let nodes = (1...70).map { NodeName(unchecked: "n\($0)") }
        let finding = { (verdict: Verdict, from: Int, to: Int) in ValidationFinding(verdict, .pair(nodes[from], nodes[to]), reason: "x") }
        let grid = try #require(FindingGrid.grids(of: [finding(.pass, 0, 1), finding(.failure, 0, 1), finding(.pass, 0, 1)]).first)
        #expect(grid.rows == ["n1", "n2"] && grid.cells[0][1]?.verdict == .failure && grid.cells[1][0] == nil)
        #expect(FindingGrid.grids(of: (1..<70).map { finding(.pass, 0, $0) }).isEmpty)
        #expect(FindingGrid.grids(of: [finding(.pass, 0, 1)]).isEmpty)
    }
}
