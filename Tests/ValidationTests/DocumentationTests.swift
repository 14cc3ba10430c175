import Foundation
import Testing

@testable import Validation

/// The manual says what is tested: no test without a line, no line without a test.
@Suite("Docs/validation.md")
struct DocumentationTests {
    private let text: String
    init() throws {
        let page = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Docs/validation.md").standardized
        text = try String(contentsOf: page, encoding: .utf8)
    }

    @Test("Every test has its line, with what it proves")
    func complete() {
        for test in ValidationCatalogue.tests { #expect(text.contains("\n| `\(test.id)` | \(test.proves) |\n"), "\(test.id)") }
    }

    @Test("Every name in it is a test")
    func known() {
        let names = text.split(separator: "`").filter { $0.contains("/") }.compactMap { ValidationTestID(String($0)) }
        #expect(names.count > ValidationCatalogue.tests.count)
        for name in names where name.name != "name" { #expect(ValidationCatalogue.test(name) != nil, "\(name)") }
    }

    @Test("Every test of Windows' list has ours, or a reason")
    func windows() throws {
        let table = try #require(text.components(separatedBy: "| Windows | Apus |\n|---|---|\n").last)
        let rows = table.components(separatedBy: "\n\n")[0].split(separator: "\n").filter { !$0.hasPrefix("| **") }
        #expect(rows.count > 60)
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 2, "\(row)")
            #expect(cells[1].hasPrefix("`") || (cells[1].hasPrefix("None") && cells[1].hasSuffix(".")), "\(row)")
        }
    }
}
