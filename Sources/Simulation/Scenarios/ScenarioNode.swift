import ClusterModel
import ClusterRules

/// A copy of the configuration: on a node's disk or on the witness.
struct ScenarioReplica: Sendable {
    var promised: UInt64 = 0
    var adopted: UInt64 = 0
    var state = ClusterState()
    /// A hash over the payloads up to each entry; entry 1 is at 0.
    var chains: [UInt64] = []

    var index: UInt64 { state.appliedIndex }
    func isAhead(of other: ScenarioReplica) -> Bool { (adopted, index) > (other.adopted, other.index) }
}

/// One node of a ``ScenarioWorld``.
struct ScenarioNode: Sendable {
    let id: NodeID
    /// Survives a loss of power.
    var replica: ScenarioReplica
    /// What its Corosync configuration file says. Survives too.
    var votequorum: VotequorumTarget

    var isPowered = true
    /// Corosync and the node service run.
    var isServing = true
    var isCutFromSAN = false
    /// How far the clock on its wall is off.
    var clockError = Duration.zero
    /// It was asked to stop, and puts its house in order first.
    var isStopping = false

    var ring: Set<NodeID>
    var ringFormedAt: Duration
    var isRingDecided = false
    var isVotequorumQuorate = false
    /// The epoch of the log that is open here.
    var openEpoch: UInt64?
    var partition: PartitionGuard
    var machines: [VMName: LocalMachineFact] = [:]

    init(id: NodeID, replica: ScenarioReplica, now: Duration) {
        self.id = id
        self.replica = replica
        votequorum = VotequorumTarget(of: replica.state)
        ring = [id]
        ringFormedAt = now
        partition = PartitionGuard(now: now)
    }

    var isOpen: Bool {
        openEpoch != nil && isVotequorumQuorate && isRingDecided
    }
    var facts: PartitionFacts {
        PartitionFacts(isVotequorumQuorate: isVotequorumQuorate, isRingDecided: isRingDecided, isEpochOpen: openEpoch != nil)
    }

    /// Forgets what does not survive a loss of power.
    mutating func losePower() {
        loseService()
        isPowered = false
        machines = [:]
    }
    mutating func loseService() {
        isServing = false
        isStopping = false
        openEpoch = nil
        isRingDecided = false
        isVotequorumQuorate = false
    }
    mutating func start(now: Duration) {
        isPowered = true
        isServing = true
        ring = [id]
        ringFormedAt = now
        partition = PartitionGuard(now: now)
    }
}
