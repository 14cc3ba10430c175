import Foundation

/// A change of who belongs to the cluster, from the order to its end: what `apus cluster create` and its like follow.
public struct ClusterChange: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case createCluster = "create-cluster"
        case addNode = "add-node"
        case evictNode = "evict-node"
        case stopNode = "stop-node"
        case startNode = "start-node"
        case destroyCluster = "destroy-cluster"
        case setWitness = "set-witness"
    }
    public enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
        case done
        /// It was not done, and every node is as it was before, unless the message says otherwise.
        case failed
    }
    /// Something that was reached on the way.
    public struct Step: Hashable, Sendable, Codable {
        public var at: Date
        public var text: String
        public init(at: Date, text: String) {
            self.at = at
            self.text = text
        }
    }
    public var id: UUID
    public var kind: Kind
    /// The name of the cluster or node it is about; of a witness, what was asked for.
    public var subject: String
    public var steps: [Step]
    /// nil while it goes on.
    public var outcome: Outcome?
    /// How it ended, in sentences: what was done, or why not and what to do.
    public var message: String?

    public init(id: UUID, kind: Kind, subject: String, steps: [Step] = [], outcome: Outcome? = nil, message: String? = nil) {
        self.id = id
        self.kind = kind
        self.subject = subject
        self.steps = steps
        self.outcome = outcome
        self.message = message
    }
}

/// What a node is to a cluster: the first lines of `apus cluster status`, answered also by a node that belongs to none.
public struct Membership: Hashable, Sendable, Codable {
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// Belongs to no cluster and may join one.
        case free
        /// Runs with the list of nodes in its own node.yaml; there is no replicated configuration.
        case fixed
        case member
        /// A member whose Corosync and engine an operator has stopped.
        case stopped
        case evicted
    }
    public var node: NodeName
    public var state: State
    public var cluster: String?
    public var clusterID: UUID?
    /// A sentence about what this means or what to do.
    public var note: String

    public init(node: NodeName, state: State, cluster: String?, clusterID: UUID?, note: String) {
        self.node = node
        self.state = state
        self.cluster = cluster
        self.clusterID = clusterID
        self.note = note
    }
}
