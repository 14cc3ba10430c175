import ArgumentParser
import ClusterModel
import Foundation
import Validation
import ValidationReport

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Reports of validations: list, show and compare them.",
        discussion: """
            Each run of apus validate leaves a report on the node it was started from, and on every member of its cluster: a page to \
            read, and the same as JSON and JUnit XML. The 200 newest are kept.

            EXAMPLES
              apus report --open
              apus report list
              apus report diff 1a2b3c4d latest
            """,
        subcommands: [ShowReport.self, ListReports.self, CompareReports.self], defaultSubcommand: ShowReport.self)
}

/// Where reports are kept.
struct ReportPlace: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the reports. (default: $APUS_REPORTS, else /var/lib/apus/reports)", valueName: "path"), completion: .directory)
    var folder: String?

    var reports: ReportFolder { ReportFolder(folder ?? Self.defaultFolder) }

    static var defaultFolder: String {
        ProcessInfo.processInfo.environment["APUS_REPORTS"].flatMap { $0.isEmpty ? nil : $0 } ?? NodeDirectories().state + "/reports"
    }

    func load(_ name: String) throws -> (run: ValidationRun, report: StoredReport) {
        do { return try reports.load(name) } catch { throw CommandFailure(message: error.description) }
    }
}

struct ListReports: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the reports, the newest first.",
        discussion: """
            EXAMPLES
              apus report list
              apus report list --json | jq -r '.[0].html'
            """)
    @Flag(help: "Print JSON instead of text.") var json = false
    @OptionGroup var place: ReportPlace

    func run() throws {
        let reports: [StoredReport]
        do { reports = try place.reports.list() } catch { throw CommandFailure(message: error.description) }
        if json { return try Console.print(json: reports) }
        var table = Table("ID", "BEGUN", "NODES", "VERDICT")
        for report in reports {
            table.add(
                report.id.map { String($0.uuidString.lowercased().prefix(8)) }, report.moment,
                report.cluster?.rawValue ?? report.nodes.map(\.rawValue).joined(separator: ","), report.problem ?? report.sentence)
        }
        Console.print(visibleText(table.text(none: "There is no report yet; apus validate makes one.")))
    }
}

struct ShowReport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a report: its verdict and what to do.",
        discussion: """
            EXAMPLES
              apus report
              apus report show 1a2b3c4d --format html > report.html
              apus report show latest --open
              apus report show ./report.json --format junit
            """)
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, html, json, junit }

    @Argument(help: ArgumentHelp("latest, the beginning of an ID, or the path of a report's JSON.", valueName: "report"))
    var name = "latest"
    @Option(help: "text, html, json or junit.") var format = Format.text
    @Flag(help: "Open the page in the browser.") var open = false
    @Flag(help: "The same as --format json.") var json = false
    @OptionGroup var place: ReportPlace

    func run() async throws {
        let (run, report) = try place.load(name)
        if open { return try Browser.show(report.html) }
        switch json ? .json : format {
        case .text: Console.print(SummaryText.text(of: run) + "\n\nThe whole report: \(visibleText(report.html))")
        case .html: Console.print(HTMLReport.text(of: run))
        case .json: Console.print(String(decoding: try JSONReport.bytes(of: run), as: UTF8.self))
        case .junit: Console.print(JUnitReport.text(of: run))
        }
    }
}

struct CompareReports: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell what changed from one report to a later one.",
        discussion: """
            Exit code 1 when something is worse: a test that ended in a worse way, or a new complaint.

            EXAMPLES
              apus report diff 1a2b3c4d latest
              apus report diff old.json new.json --json
            """)
    @Argument(help: ArgumentHelp("The earlier report.", valueName: "old")) var old: String
    @Argument(help: ArgumentHelp("The later report.", valueName: "new")) var new = "latest"
    @Flag(help: "Print JSON instead of text.") var json = false
    @OptionGroup var place: ReportPlace

    func run() throws {
        let difference = ReportDifference(from: try place.load(old).run, to: try place.load(new).run)
        if json { try Console.print(json: difference) } else { Console.print(difference.text) }
        if !difference.worse.isEmpty || !difference.appeared.isEmpty { throw CommandFailure(message: nil) }
    }
}
