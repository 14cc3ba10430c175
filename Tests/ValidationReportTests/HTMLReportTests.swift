import ClusterModel
import Foundation
import Testing
import Validation

@testable import ValidationReport

@Suite("HTML report")
struct HTMLReportTests {
    /// Everything the page is made of; anything else came from outside.
    static let known: Set<String> = [
        "html", "head", "meta", "title", "style", "body", "svg", "defs", "symbol", "circle", "path", "use", "rect", "text", "a", "div",
        "header", "p", "h1", "h2", "h3", "span", "dl", "dt", "dd", "bdi", "time", "ul", "ol", "li", "b", "nav", "main", "section", "table",
        "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "code", "footer",
    ]

    @Test("Well-formed for any number of nodes, with every landmark and heading", arguments: [1, 2, 3, 8], [false, true])
    func wellFormed(nodes: Int, faulty: Bool) throws {
        guard nodes > 1 || !faulty else { return }
        let run = try SampleRun.make(nodes: nodes, faulty: faulty)
        let text = HTMLReport.text(of: run)
        // Where somebody who works on the page finds it.
        if let folder = ProcessInfo.processInfo.environment["APUS_SAMPLE_REPORTS"] {
            try text.write(toFile: "\(folder)/report-\(nodes)\(faulty ? "-faulty" : "").html", atomically: true, encoding: .utf8)
        }
        let page = ParsedDocument(text)
        #expect(page.problem == nil)
        #expect(Set(page.elements).isSubset(of: Self.known))
        for landmark in ["header", "nav", "main", "footer", "h1", "title"] { #expect(page.elements.count { $0 == landmark } == 1) }
        // A table without caption or heads is read out as a heap of cells.
        let tables = page.elements.count { $0 == "table" }
        #expect(page.elements.count { $0 == "caption" } == tables && tables > 3)
        #expect(page.elements.count { $0 == "thead" } == tables)
        #expect(page.attributes.filter { $0.element == "th" && $0.name == "scope" }.count == page.elements.count { $0 == "th" })
        // Every place is there that something leads to, once.
        let places = page.values(of: "id")
        #expect(Set(places).count == places.count)
        for link in page.attributes where link.name == "href" && link.value.hasPrefix("#") {
            #expect(places.contains(String(link.value.dropFirst())), "\(link.value)")
        }
        for label in page.values(of: "aria-labelledby") { #expect(places.contains(label)) }
    }

    @Test("Nothing is fetched, nothing runs")
    func selfContained() throws {
        let page = ParsedDocument(HTMLReport.text(of: try SampleRun.make(nodes: 3, faulty: true)))
        #expect(!page.elements.contains { ["script", "link", "img", "iframe", "object", "form"].contains($0) })
        #expect(page.attributes.allSatisfy { !$0.name.hasPrefix("on") && $0.name != "src" })
        #expect(page.attributes.allSatisfy { $0.name != "href" || $0.value.hasPrefix("#") })
        #expect(!Stylesheet.text.contains("url(") && !Stylesheet.text.contains("@import"))
    }

    @Test("The verdict comes first, then what to do, then the details")
    func order() throws {
        let run = try SampleRun.make(nodes: 3, faulty: true)
        let text = HTMLReport.text(of: run)
        let order = try [
            "<h1>", "id=\"actions\"", "id=\"summary\"", "id=\"subjects\"", "id=\"inventory\"", "id=\"network\"", "id=\"storage\"",
        ]
        .map { try #require(text.range(of: $0)).lowerBound }
        #expect(order == order.sorted())
        let page = ParsedDocument(text)
        #expect(page.text.contains("node2 and node3 do not see LUN 4"))
        for result in run.results {
            #expect(page.text.contains(result.title))
            for complaint in result.complaints {
                #expect(page.text.contains(complaint.reason))
                #expect(page.text.contains(try #require(complaint.cure)))
            }
        }
    }

    @Test("No text from outside becomes markup", arguments: HostileText.all)
    func hostile(text: String) throws {
        let run = try HostileText.run(text)
        let page = ParsedDocument(HTMLReport.text(of: run))
        #expect(page.problem == nil)
        #expect(Set(page.elements).isSubset(of: Self.known))
        #expect(page.attributes.allSatisfy { !$0.name.hasPrefix("on") })
        #expect(page.attributes.count { $0.element == "b" } == 0)
        #expect(text.isEmpty || page.text.contains(visibleText(text).replacingOccurrences(of: "\r\n", with: "\n")))
        #expect(page.text.unicodeScalars.allSatisfy { !(0x202a...0x202e).contains($0.value) && $0.value != 0x1b })
        let tests = ParsedDocument(JUnitReport.text(of: run))
        #expect(tests.problem == nil)
        #expect(
            Set(tests.elements).isSubset(of: [
                "testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped", "system-out",
            ]))
    }

    @Test("Numbers that are none break no chart", arguments: [Double.nan, .infinity, -.infinity, -1, 0, 1e308, 2.3e-308])
    func oddNumbers(number: Double) throws {
        var run = try SampleRun.make(nodes: 3, faulty: true)
        run.began = WallTime(milliseconds: number > 0 ? .max : .min)
        run.milliseconds = number > 0 ? .max : .min
        for result in run.results.indices {
            run.results[result].milliseconds = .max
            for finding in run.results[result].findings.indices {
                for index in run.results[result].findings[finding].figures.indices {
                    let figure = run.results[result].findings[finding].figures[index]
                    switch figure.value {
                    case .number(_, let unit): run.results[result].findings[finding].figures[index] = Figure(figure.name, number, unit)
                    case .distribution(var distribution, let unit):
                        distribution.minimum = number
                        distribution.median = number
                        distribution.maximum = number
                        distribution.count = .max
                        distribution.buckets = [
                            .init(limit: number, count: .max), .init(limit: 1, count: .max), .init(limit: 2, count: .min),
                        ]
                        run.results[result].findings[finding].figures[index] = Figure(figure.name, distribution, unit)
                    case .text: break
                    }
                }
            }
        }
        #expect(ParsedDocument(HTMLReport.text(of: run)).problem == nil)
        #expect(ParsedDocument(JUnitReport.text(of: run)).problem == nil)
        #expect(!SummaryText.text(of: run).isEmpty)
    }

    @Test("Headings go down one level at a time, and every section is named by its own", arguments: [2, 8], [false, true])
    func headings(nodes: Int, faulty: Bool) throws {
        let page = ParsedDocument(HTMLReport.text(of: try SampleRun.make(nodes: nodes, faulty: faulty)))
        let levels = page.elements.compactMap { $0.count == 2 && $0.hasPrefix("h") ? $0.last?.wholeNumberValue : nil }
        #expect(levels.first == 1 && levels.count > 20)
        for (before, after) in zip(levels, levels.dropFirst()) { #expect(after <= before + 1) }
        let sections = page.elements.count { $0 == "section" }
        #expect(page.attributes.count { $0.element == "section" && $0.name == "aria-labelledby" } == sections && sections > 5)
        // What is drawn only is kept from readers of screens; the same stands in words beside it.
        let drawings = page.elements.count { $0 == "svg" }
        #expect(page.attributes.count { $0.element == "svg" && $0.name == "aria-hidden" && $0.value == "true" } == drawings)
        #expect(drawings > 10)
    }

    @Test("What differs in the names only is told once in \"What to do\", and in full with the test")
    func brief() throws {
        let nodes = (1...11).map { NodeName(unchecked: "n\($0)") }
        var run = try SampleRun.make(nodes: 2, faulty: false)
        let findings = nodes.map {
            ValidationFinding(.warning, .node($0), reason: "\($0) has no watchdog.", cure: "On \($0): modprobe softdog.")
        }
        run.results[0] = TestResult(SystemCatalogue.watchdog, TestOutcome(findings), milliseconds: 1)
        let report = HTMLReport(run)
        let brief = report.complaints(of: run.results[0], isBrief: true)
        #expect(brief.count == 1 && brief[0].lines.count == 1 && brief[0].lines[0].alike.count == 10)
        #expect(report.complaints(of: run.results[0]).count == 11)
        let text = report.actions.text
        #expect(text.contains("n1 has no watchdog. Likewise: ") && text.contains("n2, n3, n4, n5 and 6 more"))
        #expect(!text.contains("n1</bdi>: n1 has"), "The node is named twice")
        #expect(HTMLReport.replacing("n1", with: "X", in: "n1 n10 n1-a n1. (n1)") == "X n10 n1-a X. (X)")
    }

    @Test("The stylesheet knows the colours of the palette and no others, and each that it asks for is there")
    func colors() throws {
        let used = Set(Stylesheet.text.matches(of: /var\(--([a-z-]+)[,)]/).map { String($0.1) }).subtracting(["mark", "tint", "share"])
        let known = Set(
            Palette.light.declarations.split(separator: ";").compactMap { $0.dropFirst(2).split(separator: ":").first.map(String.init) })
        #expect(used.isSubset(of: known), "\(used.subtracting(known))")
        let values = Set((Palette.light.declarations + ";" + Palette.dark.declarations).matches(of: /#[0-9a-f]{6}/).map { String($0.0) })
        let written = Set(Stylesheet.text.matches(of: /#[0-9a-fA-F]{3,8}\b/).map { String($0.0) })
        #expect(written.isSubset(of: values), "\(written.subtracting(values))")
    }

    @Test("Text is readable in front of what is behind it: at least 4.5 to 1, signs 3 to 1", arguments: ["light", "dark"])
    func contrast(scheme: String) {
        let palette = scheme == "light" ? Palette.light : Palette.dark
        for behind in [palette.page, palette.surface] {
            for color in [
                palette.text, palette.quiet, palette.link, palette.pass, palette.warning, palette.failure, palette.cancelled,
                palette.notApplicable,
            ] {
                #expect(Self.contrast(color, behind) >= 4.5, "#\(String(color, radix: 16)) on #\(String(behind, radix: 16))")
            }
            #expect(Self.contrast(palette.chart, behind) >= 3)
        }
        for (color, tint) in [(palette.failure, palette.failureTint), (palette.warning, palette.warningTint)] {
            #expect(Self.contrast(color, tint) >= 4.5 && Self.contrast(palette.text, tint) >= 4.5)
        }
    }

    /// WCAG 2.1, relative luminance and contrast ratio.
    private static func contrast(_ left: Int, _ right: Int) -> Double {
        func luminance(_ color: Int) -> Double {
            let parts = [16, 8, 0].map { shift in
                let part = Double(color >> shift & 0xff) / 255
                return part <= 0.03928 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
            }
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
        }
        let (one, other) = (luminance(left), luminance(right))
        return (max(one, other) + 0.05) / (min(one, other) + 0.05)
    }
}
