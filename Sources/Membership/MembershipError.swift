import ClusterModel
import ClusterRules

/// What is certain of a change that was ordered.
public enum OrderOutcome: Hashable, Sendable {
    case applied
    /// It is in the log, and the rules refused it. No change that this node ordered before it can come after it.
    case rejected(String)
    /// It never reached the log.
    case notTaken(String)
    /// It may have happened, or may yet.
    case unknown(String)
}

/// Why a change of the configuration did not happen, or may not have.
public enum MembershipError: Error, Hashable, CustomStringConvertible {
    /// No majority, or not decided yet.
    case notOpen(node: NodeName, standing: String)
    /// The log did not take it. Nothing was changed.
    case refused(Refusal)
    /// It was ordered, and the rules rejected it. Nothing was changed.
    case rejected(CommandRejection)
    /// Nobody answered in time: it may still be carried out.
    case unanswered(node: NodeName, seconds: Int)
    /// The log went on while this node was away. It may have been carried out.
    case outcomeUnknown(node: NodeName)
    case coding(ClusterCodingError)
    case ended(node: NodeName)

    public var description: String {
        switch self {
        case .notOpen(let node, let standing):
            "\(node) cannot change the configuration: \(standing)"
        case .refused(let refusal): "\(refusal)"
        case .rejected(let rejection): "\(rejection)"
        case .unanswered(let node, let seconds):
            "\(node) got no answer from a majority within \(seconds) s. The change may still happen: look before you repeat it."
        case .outcomeUnknown(let node):
            "\(node) lost touch with the cluster while the change was ordered. It may have happened: look before you repeat it."
        case .coding(let error): "\(error)"
        case .ended(let node): "The cluster's engine on \(node) is being stopped. The change may have happened."
        }
    }
}
