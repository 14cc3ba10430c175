import ClusterModel
import Foundation
import Validation

/// What a disk, a firmware or another node may call itself.
enum HostileText {
    static let all = [
        "<script>alert(1)</script>", "\" onmouseover=\"alert(1)", "\"\u{301} onmouseover=\"alert(1)", "<\u{338}script>", "</style><b>",
        "]]></failure>", "&lt;&#0;&nope;", "-->", "\0\u{1}\u{8}\u{b}\u{c}\u{1b}[31mred\u{7f}\u{85}", "\u{202e}gpj.exe\u{2066}x",
        "\u{200f}right\u{200e}\u{feff}\u{2028}", "\u{fffe}\u{ffff}\u{1fffe}", "a\nb\tc\r\nd", "x=\"1\" y='2'", "\u{e0041}tag", "é",
        String(repeating: "long", count: 100), "",
    ]

    /// A run in which everything that is text is that text.
    static func run(_ text: String) throws -> ValidationRun {
        var run = try SampleRun.make(nodes: 3, faulty: true)
        run.apusVersion = text
        run.options.requestedBy = text
        run.options.selection = [text]
        run.options.skipped = [NetworkCatalogue.mtu.id]
        for index in run.nodes.indices {
            run.nodes[index].address = text
            run.nodes[index].summary = text
            run.nodes[index].problem = index == 0 ? text : nil
        }
        for index in run.disks.indices {
            run.disks[index].id = DiskID(text)
            run.disks[index].model = text
            run.disks[index].content = text
        }
        for result in run.results.indices {
            run.results[result].title = text
            run.results[result].proves = text
            run.results[result].headline = run.results[result].headline.map { _ in text }
            for index in run.results[result].findings.indices {
                run.results[result].findings[index].reason = text
                run.results[result].findings[index].cure = run.results[result].findings[index].cure.map { _ in text }
                run.results[result].findings[index].subject.network = text
                run.results[result].findings[index].subject.item = index % 2 == 0 ? text : nil
                run.results[result].findings[index].figures.append(Figure(text, text))
                for figure in run.results[result].findings[index].figures.indices where figure > 0 {
                    run.results[result].findings[index].figures[figure].name = text
                }
            }
            run.results[result].tables.append(
                FactTable(text, columns: [.init(text), .init(text, isNumber: true)], rows: [[text, text, text], [], [text]]))
        }
        return run
    }
}
