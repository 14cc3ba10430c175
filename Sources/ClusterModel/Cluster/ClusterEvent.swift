/// One line of the cluster's history, the same with the same number on every node.
public struct ClusterEvent: Hashable, Sendable, Codable {
    public enum Severity: String, Hashable, Sendable, Codable, CaseIterable {
        case information, warning, error
    }
    /// What happened, for programs; ``ClusterEvent/sentence`` is for people.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case clusterCreated = "cluster-created"
        case clusterDestroyed = "cluster-destroyed"
        case nodeAdded = "node-added"
        case nodeEvicted = "node-evicted"
        case nodeUp = "node-up"
        case nodeStopped = "node-stopped"
        case nodeLost = "node-lost"
        case nodeFenced = "node-fenced"
        case nodePaused = "node-paused"
        case nodeDraining = "node-draining"
        case nodeResumed = "node-resumed"
        case networksChanged = "networks-changed"
        case diskAdded = "disk-added"
        case diskRemoved = "disk-removed"
        case quorumChanged = "quorum-changed"
        case votesChanged = "votes-changed"
        case quorumForced = "quorum-forced"
        case witnessSet = "witness-set"
        case witnessLost = "witness-lost"
        case witnessReturned = "witness-returned"
        case witnessMaintenance = "witness-maintenance"
        case machineAdded = "machine-added"
        case machineChanged = "machine-changed"
        case machineRemoved = "machine-removed"
        case machineStarted = "machine-started"
        case machineStopped = "machine-stopped"
        case machineMoved = "machine-moved"
        case machineReconciled = "machine-reconciled"
        case certificateIssued = "certificate-issued"
        case operationBegan = "operation-began"
        case operationEnded = "operation-ended"
        /// Told by a node; nothing in the configuration changed.
        case noted
    }
    /// The first is 1; each one higher than the one before.
    public var id: UInt64
    /// As stated by the node that proposed the change: a help to people, not an order.
    public var time: WallTime
    /// The node it is about, or that tells it.
    public var node: NodeID?
    public var kind: Kind
    public var severity: Severity
    /// Why, as far as it is known: a reason given by an operator, an error.
    public var cause: String?
    public var sentence: String

    public init(
        id: UInt64, time: WallTime, node: NodeID?, kind: Kind, severity: Severity, cause: String?, sentence: String
    ) {
        self.id = id
        self.time = time
        self.node = node
        self.kind = kind
        self.severity = severity
        self.cause = cause
        self.sentence = sentence
    }
}
