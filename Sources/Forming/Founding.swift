import ClusterAPI
import ClusterModel
import Foundation

/// What the node that creates a cluster has to remember of it, kept in its cluster folder from its own activation until all are up.
///
/// When it becomes a member itself, every other node holds durably what makes it one: from then on the creation is gone on with, also by a
/// service that was started anew, and nothing but an answer that says otherwise makes it be taken back. See Docs/decisions/0009.
public struct Founding: Hashable, Sendable, Codable {
    /// Of the node that creates.
    var session: Data
    var others: [Other]
    var clusterID: UUID
    public var cluster: ClusterName
    /// What was initialised, to be cleared if all is taken back.
    var witness: Witness

    struct Other: Hashable, Sendable, Codable {
        /// As the operator gave it: it tells where the node is and what it shows while it is free.
        var token: String
        var session: Data
    }
}

/// Whether the creation of a cluster whose node was started anew in the middle goes forward or back.
enum FoundingDecision: Hashable, Sendable {
    case forward, back, wait

    /// What another node says when it is told once more to become a member.
    enum Reply: Hashable, Sendable {
        /// It is one. `isOpen`: and has found a majority, so that the cluster may be in use.
        case member(isOpen: Bool)
        /// It is none, and will not become one: it waited too long, or cannot.
        case refused(String)
        case silent(String)
    }

    /// - Parameter isLate: The silent ones have had their time.
    init(_ replies: some Collection<Reply>, isLate: Bool) {
        let isInUse = replies.contains(.member(isOpen: true))
        let isMember: (Reply) -> Bool = { if case .member = $0 { true } else { false } }
        let isRefused: (Reply) -> Bool = { if case .refused = $0 { true } else { false } }
        if replies.allSatisfy(isMember) {
            self = .forward
        } else if isInUse {
            // A majority goes on as the cluster. This node belongs to it, and whoever refused is missing there, for the operator to see.
            self = .forward
        } else if replies.contains(where: isRefused) || isLate {
            self = .back
        } else {
            self = .wait
        }
    }
}
