import ClusterModel
import Foundation
import Validation

/// What changed from one run to a later one. Pure; `apus report diff` prints it.
public struct ReportDifference: Hashable, Sendable, Codable {
    /// A test that ended in another way.
    public struct Change: Hashable, Sendable, Codable {
        public var test: ValidationTestID
        public var title: String
        public var old: Verdict
        public var new: Verdict
    }
    /// A warning or failure of one test about one thing.
    public struct Complaint: Hashable, Sendable, Codable {
        public var test: ValidationTestID
        public var title: String
        public var finding: ValidationFinding
    }
    /// A number that moved by a fifth or more.
    public struct Movement: Hashable, Sendable, Codable {
        public var test: ValidationTestID
        public var subject: FindingSubject
        public var figure: String
        public var unit: FigureUnit
        public var old: Double
        public var new: Double
    }
    /// A row of a list that is not in both.
    public struct Row: Hashable, Sendable, Codable {
        public var test: ValidationTestID
        public var caption: String
        public var node: NodeName?
        /// nil when the row is new.
        public var old: [String]?
        /// nil when the row is gone.
        public var new: [String]?
    }

    public var oldVerdict: String
    public var newVerdict: String
    public var nodesAdded: [NodeName]
    public var nodesRemoved: [NodeName]
    public var disksAdded: [DiskID]
    public var disksRemoved: [DiskID]
    /// Tests that only one run knows or chose.
    public var testsAdded: [ValidationTestID]
    public var testsRemoved: [ValidationTestID]
    public var worse: [Change]
    public var better: [Change]
    /// Complaints that are new, and those that are gone. A complaint of a test that the new run did not choose is neither.
    public var appeared: [Complaint]
    public var solved: [Complaint]
    public var movements: [Movement]
    public var rows: [Row]

    /// Figures vary from run to run; less than this is noise.
    static let noise = 0.2

    public init(from old: ValidationRun, to new: ValidationRun) {
        oldVerdict = RunVerdict(old).sentence
        newVerdict = RunVerdict(new).sentence
        nodesAdded = Self.missing(new.subject.nodes, in: old.subject.nodes)
        nodesRemoved = Self.missing(old.subject.nodes, in: new.subject.nodes)
        disksAdded = Self.missing(new.disks.map(\.id), in: old.disks.map(\.id))
        disksRemoved = Self.missing(old.disks.map(\.id), in: new.disks.map(\.id))
        testsAdded = Self.missing(new.results.map(\.id), in: old.results.map(\.id))
        testsRemoved = Self.missing(old.results.map(\.id), in: new.results.map(\.id))
        (worse, better, appeared, solved, movements, rows) = ([], [], [], [], [], [])
        let before = Dictionary(old.results.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for result in new.results {
            let earlier = before[result.id]
            compareComplaints(earlier, result)
            guard let earlier else { continue }
            let change = Change(test: result.id, title: result.title, old: earlier.verdict, new: result.verdict)
            if result.verdict > earlier.verdict { worse.append(change) }
            if result.verdict < earlier.verdict { better.append(change) }
            compareFigures(earlier, result)
            rows += Self.rows(earlier, result)
        }
    }

    public var isEmpty: Bool {
        let names = nodesAdded.count + nodesRemoved.count + disksAdded.count + disksRemoved.count + testsAdded.count + testsRemoved.count
        return names + worse.count + better.count + appeared.count + solved.count + movements.count + rows.count == 0
    }

    private static func missing<Name: Hashable>(_ names: [Name], in others: [Name]) -> [Name] {
        let others = Set(others)
        return names.filter { !others.contains($0) }
    }

    /// A complaint appears when nothing as bad was said about the same thing before, and is solved when nothing is said of it any more. The
    /// words do not count: they change with the numbers in them.
    private mutating func compareComplaints(_ old: TestResult?, _ new: TestResult) {
        let complaint = { Complaint(test: new.id, title: new.title, finding: $0) }
        let worst = { (result: TestResult?) in
            Dictionary((result?.complaints ?? []).map { ($0.subject, $0.verdict) }, uniquingKeysWith: { max($0, $1) })
        }
        let before = worst(old)
        let after = worst(new)
        appeared += new.complaints.filter { $0.verdict > before[$0.subject] ?? .pass }.map(complaint)
        // What was cancelled or has no meaning any more was not solved.
        guard new.verdict == .pass || new.verdict == .warning || new.verdict == .failure else { return }
        solved += (old?.complaints ?? []).filter { after[$0.subject] == nil }.map(complaint)
    }

    private mutating func compareFigures(_ old: TestResult, _ new: TestResult) {
        struct Key: Hashable {
            var subject: FindingSubject
            var name: String
            var unit: FigureUnit
        }
        var before: [Key: Double] = [:]
        for finding in old.findings {
            for figure in finding.figures {
                if case .number(let number, let unit) = figure.value {
                    before[Key(subject: finding.subject, name: figure.name, unit: unit)] = number
                }
            }
        }
        for finding in new.findings {
            for figure in finding.figures {
                guard case .number(let number, let unit) = figure.value,
                    let earlier = before[Key(subject: finding.subject, name: figure.name, unit: unit)], Self.differs(earlier, number)
                else { continue }
                movements.append(
                    Movement(test: new.id, subject: finding.subject, figure: figure.name, unit: unit, old: earlier, new: number))
            }
        }
    }

    private static func differs(_ old: Double, _ new: Double) -> Bool {
        guard old.isFinite, new.isFinite else { return false }
        return abs(new - old) > noise * max(abs(old), abs(new))
    }

    /// Lists with the same caption of the same node; a row is the same when its first cell is.
    private static func rows(_ old: TestResult, _ new: TestResult) -> [Row] {
        struct Key: Hashable {
            var caption: String
            var node: NodeName?
        }
        let before = Dictionary(
            old.tables.map { (Key(caption: $0.caption, node: $0.node), $0) }, uniquingKeysWith: { first, _ in first })
        var rows: [Row] = []
        for table in new.tables {
            // Columns that changed, as with another number of nodes, would make every row differ.
            guard let earlier = before[Key(caption: table.caption, node: table.node)], earlier.columns == table.columns else { continue }
            let oldRows = Dictionary(earlier.rows.map { ($0.first ?? "", $0) }, uniquingKeysWith: { first, _ in first })
            let newNames = Set(table.rows.map { $0.first ?? "" })
            for row in table.rows {
                let earlierRow = oldRows[row.first ?? ""]
                guard earlierRow != row else { continue }
                rows.append(Row(test: new.id, caption: table.caption, node: table.node, old: earlierRow, new: row))
            }
            for row in earlier.rows where !newNames.contains(row.first ?? "") {
                rows.append(Row(test: new.id, caption: table.caption, node: table.node, old: row, new: nil))
            }
        }
        return rows
    }
}
