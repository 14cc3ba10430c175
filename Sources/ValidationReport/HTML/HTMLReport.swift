import ClusterModel
import Foundation
import Validation

/// A run as one HTML file: no scripts, nothing from elsewhere. The verdict comes first, then what to do, then the details.
public struct HTMLReport {
    let run: ValidationRun
    let line: RunVerdict
    /// `LUN 4` for disks that alone have that number.
    private let diskNames: [DiskID: String]

    public static func text(of run: ValidationRun) -> String { HTMLReport(run).page.text }

    init(_ run: ValidationRun) {
        self.run = run
        line = RunVerdict(run)
        let byLUN = Dictionary(grouping: run.disks.filter { $0.lun != nil }) { $0.lun }
        diskNames = Dictionary(
            byLUN.values.filter { $0.count == 1 }.map { ($0[0].id, "LUN \($0[0].lun ?? 0)") }, uniquingKeysWith: { first, _ in first })
    }

    private var page: Markup {
        .group([
            .verbatim("<!DOCTYPE html>\n"),
            .tag("html", ["lang": "en"]) {
                head
                Markup.tag("body") {
                    Icons.definitions
                    Markup.tag("a", ["class": "skip", "href": "#main"]) { "Skip to the report" }
                    Markup.tag("div", ["class": "page"]) {
                        header
                        navigation
                        Markup.tag("main", ["id": "main"]) {
                            actions
                            summary
                            subjects
                            for category in categories { section(of: category) }
                            unchosen
                        }
                        footer
                    }
                }
            },
        ])
    }

    private var head: Markup {
        .tag("head") {
            Markup.tag("meta", ["charset": "utf-8"])
            Markup.tag("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
            Markup.tag("meta", ["name": "color-scheme", "content": "light dark"])
            Markup.tag("meta", ["name": "generator", "content": "Apus \(run.apusVersion)"])
            // Should anything ever slip through the escaping, the browser still neither runs nor fetches it.
            Markup.tag(
                "meta",
                [
                    "http-equiv": "Content-Security-Policy",
                    "content": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
                ])
            Markup.tag("title") { "\(line.sentence) – validation of \(subjectName), \(FigureText.moment(run.began))" }
            Markup.element("style", [], [.trusted(Stylesheet.text)])
        }
    }

    /// `cluster prod` or the names of the nodes.
    var subjectName: String {
        run.subject.cluster.map { "cluster \($0)" } ?? Self.joined(run.subject.nodes.map(\.rawValue))
    }

    /// Categories of which at least one test was chosen.
    var categories: [ValidationCategory] { ValidationCategory.allCases.filter { !run.results(in: $0).isEmpty } }

    private var header: Markup {
        .tag("header") {
            Markup.tag("p", ["class": "product"]) { "Apus – Validate a Configuration" }
            Markup.tag("div", ["class": "banner v-\(line.verdict.rawValue)"]) {
                Markup.tag("h1") {
                    Icons.icon(line.verdict)
                    " " + line.word
                    for (index, clause) in line.clauses.enumerated() {
                        Self.spoken(index == 0 ? ": " : "; ")
                        Markup.tag("span", ["class": "clauses"]) { clause }
                    }
                }
                if let reservation = line.reservation { Markup.tag("p") { reservation } }
            }
            Markup.tag("dl", ["class": "facts"]) {
                fact(run.subject.cluster == nil ? "Nodes" : "Cluster", subjectName)
                fact("Begun", FigureText.moment(run.began), machineReadable: FigureText.iso8601(run.began))
                fact("Took", FigureText.milliseconds(run.milliseconds))
                fact(
                    "Tests",
                    "\(run.results.count) of \(run.results.count + run.options.skipped.count + (run.options.unavailable?.count ?? 0))")
                if !run.options.requestedBy.isEmpty { fact("Asked for by", run.options.requestedBy) }
            }
            tally
        }
    }

    private func fact(_ name: String, _ value: String, machineReadable: String? = nil) -> Markup {
        .tag("div") {
            Markup.tag("dt") { name }
            Markup.tag("dd") {
                if let machineReadable {
                    Markup.tag("time", ["datetime": machineReadable]) { value }
                } else {
                    Markup.tag("bdi") { value }
                }
            }
        }
    }

    /// How many tests ended how: a bar for the eye, a list for everybody.
    private var tally: Markup {
        let counts = [Verdict.failure, .warning, .pass, .cancelled, .notApplicable].map { ($0, run.count($0)) }.filter { $0.1 > 0 }
        let total = max(run.results.count, 1)
        var start = 0
        var bars: [Markup] = []
        for (verdict, count) in counts {
            let opacity = verdict == .notApplicable ? "0.35" : nil
            bars.append(
                .tag(
                    "rect",
                    [
                        "class": "v-\(verdict.rawValue)", "x": "\(start)", "y": "0", "width": "\(count)", "height": "1",
                        "fill": "currentColor", "opacity": opacity,
                    ]))
            start += count
        }
        return .tag("div", ["class": "tally"]) {
            Markup.tag("svg", ["viewBox": "0 0 \(total) 1", "preserveAspectRatio": "none", "aria-hidden": "true"]) { bars }
            Markup.tag("ul", ["aria-label": "Tests by result"]) {
                for (verdict, count) in counts {
                    Markup.tag("li") {
                        Markup.tag("span", ["class": "v-\(verdict.rawValue)"]) { Icons.icon(verdict) }
                        " "
                        Markup.tag("b") { "\(count)" }
                        " " + Self.counted(verdict, count)
                    }
                }
            }
        }
    }

    private static func counted(_ verdict: Verdict, _ count: Int) -> String {
        switch verdict {
        case .pass: "passed"
        case .warning: count == 1 ? "warning" : "warnings"
        case .failure: count == 1 ? "failure" : "failures"
        case .cancelled: "cancelled"
        case .notApplicable: "not applicable"
        }
    }

    private var navigation: Markup {
        .tag("nav", ["aria-label": "Contents"]) {
            Markup.tag("ul") {
                if run.results.contains(where: { !$0.complaints.isEmpty }) { entry("What to do", "actions") }
                entry("Summary", "summary")
                entry("Nodes and disks", "subjects")
                for category in categories {
                    entry(category.title, category.rawValue, run.results(in: category).map(\.verdict).max())
                }
                if hasUnchosen { entry("Tests not carried out", "unchosen") }
            }
        }
    }

    private func entry(_ title: String, _ target: String, _ verdict: Verdict? = nil) -> Markup {
        .tag("li") {
            Markup.tag("a", ["href": "#\(target)"]) {
                Markup.tag("span") { title }
                if let verdict {
                    Markup.tag("span", ["class": "v-\(verdict.rawValue)"]) {
                        Icons.icon(verdict)
                        Self.spoken(verdict.title)
                    }
                }
            }
        }
    }

    private var footer: Markup {
        .tag("footer") {
            Markup.tag("p") {
                "Made by Apus \(run.apusVersion). Run \(run.id.uuidString.lowercased()). Times are in UTC. "
                "The same results are beside this file as JSON and JUnit XML; apus report diff compares two of them."
            }
        }
    }

    /// What a finding is about, with disks as people call them.
    func title(of subject: FindingSubject) -> String {
        guard let disk = subject.disk else { return subject.title }
        var rest = subject
        rest.disk = nil
        return rest == .all ? name(of: disk) : "\(rest.title), \(name(of: disk))"
    }

    /// As people call it where that is clear, else its identity.
    func name(of disk: DiskID) -> String { diskNames[disk] ?? disk.rawValue }

    /// For readers of screens only, beside a sign.
    static func spoken(_ text: String) -> Markup { .tag("span", ["class": "spoken"]) { text } }

    /// `a`, `a and b`, `a, b and c`.
    static func joined(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }
}
