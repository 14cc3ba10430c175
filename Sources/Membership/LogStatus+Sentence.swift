import ClusterModel
import ClusterRules

extension LogStatus {
    /// What an administrator is told about the configuration's state on a node.
    ///
    /// - Parameter names: The name of a node.
    public func sentence(names: (NodeID) -> String) -> String {
        func list(_ nodes: [NodeID]) -> String { nodes.sorted().map(names).joined(separator: ", ") }
        var text =
            switch phase {
            case .apart: "Corosync does not run here, or is starting."
            case .gathering(let missing):
                missing.isEmpty ? "The nodes are comparing what they know." : "Waiting for an answer of \(list(missing))."
            case .leftOut: "This node answered too late and was left out by the others; it asks to be let in again."
            case .waitingForMajority(let present, let needed, let all, let missing, let witnessMissing):
                "\(present) of \(all) votes are present, \(needed) are needed. Missing: "
                    + (missing.sorted().map(names) + (witnessMissing ? ["the witness"] : [])).joined(separator: ", ") + "."
            case .forcedElsewhere:
                "Quorum was forced on nodes that are not here, and theirs is the configuration now: bring one of them back, or force it here again."
            case .empty: "No node that is present has a configuration."
            case .opening: "The nodes are bringing their copies of the configuration to the same state."
            case .open(_, _, let behind): behind ? "It is open; this node is catching up." : "It is open: changes are accepted."
            case .turnedAway: "This node is no member of the cluster any more."
            case .epochsExhausted: "The numbers of epochs are used up, so a copy must be damaged. Report this."
            }
        if let storageFailure { text += " This node's copy cannot be written and does not count: \(storageFailure)" }
        if let witnessFailure { text += " The witness cannot be used: \(witnessFailure)" }
        return text
    }
}
