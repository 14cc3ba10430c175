import ClusterModel
import Foundation
import Validation

/// The report of a validation as a node tells of it, to operators and to the other members, which fetch those that they lack.
public struct KeptReport: Hashable, Sendable, Codable, Identifiable {
    public var id: UUID
    public var began: WallTime
    public var nodes: [NodeName]
    /// nil when the nodes belonged to no cluster yet.
    public var cluster: ClusterName?
    public var verdict: Verdict
    /// The verdict in one line.
    public var sentence: String
    /// Of its JSON on the node that tells.
    public var byteCount: Int
    public init(_ run: ValidationRun, byteCount: Int) {
        let line = RunVerdict(run)
        id = run.id
        began = run.began
        nodes = run.subject.nodes
        cluster = run.subject.cluster
        verdict = line.verdict
        sentence = line.sentence
        self.byteCount = byteCount
    }
}

/// A member says that it keeps a report that others may lack.
public struct ReportNotice: Hashable, Sendable, Codable {
    public var node: NodeName
    public init(node: NodeName) { self.node = node }
}
