import ClusterModel
import Foundation
import Validation

/// A line of `apus report list`.
public struct StoredReport: Hashable, Sendable, Codable {
    /// The name of its files without their endings.
    public var name: String
    public var html: String
    public var json: String
    public var junit: String
    public var id: UUID?
    public var began: WallTime?
    public var nodes: [NodeName]
    public var cluster: ClusterName?
    public var verdict: Verdict?
    /// The verdict in one line.
    public var sentence: String?
    /// Whether every test was chosen.
    public var isComplete: Bool
    /// Why it cannot be read; nil when it can.
    public var problem: String?

    init(_ run: ValidationRun, name: String, folder: String) {
        self.init(name: name, folder: folder, problem: nil)
        id = run.id
        began = run.began
        nodes = run.subject.nodes
        cluster = run.subject.cluster
        let line = RunVerdict(run)
        verdict = line.verdict
        sentence = line.sentence
        isComplete = run.isComplete
    }

    init(name: String, folder: String, problem: String?) {
        self.name = name
        html = "\(folder)/\(name).html"
        json = "\(folder)/\(name).json"
        junit = "\(folder)/\(name).xml"
        nodes = []
        isComplete = false
        self.problem = problem
    }

    /// When the run began: `2026-01-31 12:00 UTC`.
    public var moment: String? { began.map(FigureText.moment) }

    /// Whether it speaks for a cluster of exactly these nodes: all tests were chosen, all were carried out, and it is not too old.
    ///
    /// - Parameter maximumAge: Milliseconds. A report from the future, by a clock that was wrong, counts as too old.
    public func covers(_ nodes: some Sequence<NodeName>, now: WallTime, maximumAge: Int64) -> Bool {
        guard problem == nil, isComplete, let began, let verdict, verdict != .cancelled, verdict != .notApplicable else { return false }
        let (age, overflow) = now.rawValue.subtractingReportingOverflow(began.rawValue)
        return !overflow && (0...max(0, maximumAge)).contains(age) && Set(self.nodes) == Set(nodes)
    }
}
