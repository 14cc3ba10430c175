import Foundation

/// A change of the configuration. What it means is decided by `apply` in `ClusterRules`, alike on every node.
///
/// In JSON each is an object with one key, the name of the case. Cases and labels are part of the format on disk: add, never rename.
public enum ClusterCommand: Hashable, Sendable, Codable {
    case createCluster(founding: ClusterFounding)
    case destroyCluster(reason: String)

    /// It joins without a vote, and gets one by ``changeVotes(table:reason:)`` once it holds the configuration.
    case addNode(node: NewNode)
    /// Only after it stopped or was fenced, its vote was taken and its machines have other owners.
    case evictNode(node: NodeID, reason: String)
    case nodeUp(node: NodeID)
    /// `presence` is anything but up.
    case nodeDown(node: NodeID, presence: NodePresence, reason: String)
    case pauseNode(node: NodeID, drain: Bool, reason: String)
    /// The last machine has left a draining node.
    case nodeDrained(node: NodeID)
    case resumeNode(node: NodeID)
    case setNetworks(networks: [ClusterNetwork])

    case setQuorumModel(model: QuorumModel, isAutomatic: Bool)
    case setQuorumOptions(isDynamic: Bool, secondsUntilStop: Int)
    case changeVotes(table: VoteTable, reason: String)
    case recordForcedQuorum(table: VoteTable, nodes: [NodeID], reason: String)
    /// Only while the witness has no vote: two different copies must never count under one table.
    /// `number` is the ``VoteTable/witnessID`` it was initialised with; zero for no witness.
    case setWitness(witness: Witness, number: UInt64)
    case setWitnessMaintenance(isOn: Bool, reason: String)
    case witnessLost(reason: String)
    case witnessReturned

    case addDisk(disk: ClusterDisk)
    case removeDisk(disk: DiskID)

    /// `epoch` is that of the ownership record that was written when its slot was claimed: both count on from there.
    case addMachine(machine: VirtualMachine, owner: NodeID, epoch: UInt64)
    /// The definition or the extents change; the machine keeps name, identifier, owner and epoch.
    case changeMachine(machine: VirtualMachine)
    /// Refused unless `epoch` is the machine's: whoever deletes it owned it when it said so.
    case removeMachine(machine: VMName, epoch: UInt64)
    case startMachine(machine: VMName)
    case stopMachine(machine: VMName)
    case changeOwner(change: OwnerChange)
    /// What a node found when it compared its QEMUs with the log.
    case recordReconciliation(node: NodeID, findings: [ReconciliationFinding])

    case renewAuthority(authority: ClusterAuthority)
    /// Another key for Corosync's links, base64: whoever was evicted has the old one.
    case setCorosyncKey(key: Secret)
    case recordCertificate(certificate: IssuedCertificate)
    case addJoinToken(token: JoinToken)
    case useJoinToken(hash: String, node: NodeName)
    case beginOperation(operation: PendingOperation)
    case advanceOperation(id: UUID, step: String)
    case endOperation(id: UUID, problem: String?)
    case noteEvent(note: EventNote)

    /// The vote table from this entry on, for ``LogEntry/votes``; nil for commands that leave votes alone.
    public var votes: VoteTable? {
        switch self {
        case .createCluster(let founding): founding.votes
        case .changeVotes(let table, _), .recordForcedQuorum(let table, _, _): table
        default: nil
        }
    }
}

/// What a cluster begins with.
public struct ClusterFounding: Hashable, Sendable, Codable {
    public var id: UUID
    public var name: ClusterName
    /// All of them are up.
    public var nodes: [NewNode]
    public var networks: [ClusterNetwork]
    public var disks: [ClusterDisk]
    public var witness: Witness
    public var quorum: QuorumSettings
    /// The log's first table.
    public var votes: VoteTable
    public var authority: ClusterAuthority?
    public var certificates: [IssuedCertificate]

    public init(
        id: UUID, name: ClusterName, nodes: [NewNode], networks: [ClusterNetwork] = [], disks: [ClusterDisk] = [],
        witness: Witness = .none, quorum: QuorumSettings, votes: VoteTable, authority: ClusterAuthority? = nil,
        certificates: [IssuedCertificate] = []
    ) {
        self.id = id
        self.name = name
        self.nodes = nodes
        self.networks = networks
        self.disks = disks
        self.witness = witness
        self.quorum = quorum
        self.votes = votes
        self.authority = authority
        self.certificates = certificates
    }
}

/// A node that joins.
public struct NewNode: Hashable, Sendable, Codable {
    /// Higher than any number the cluster has ever given.
    public var id: NodeID
    public var name: NodeName
    public var addresses: NodeAddresses
    public var certificate: CertificateFacts
    public init(id: NodeID, name: NodeName, addresses: NodeAddresses, certificate: CertificateFacts) {
        self.id = id
        self.name = name
        self.addresses = addresses
        self.certificate = certificate
    }
}

/// A machine gets another owner. Refused unless `from` owns it and `epoch` is the next one: of two changes that cross, one happens.
public struct OwnerChange: Hashable, Sendable, Codable {
    public var machine: VMName
    public var from: NodeID
    public var to: NodeID
    /// The machine's epoch + 1. An owner that names itself renews its claim: no change that was ordered for this epoch can happen after it.
    public var epoch: UInt64
    public var cause: OwnerChangeCause
    public init(machine: VMName, from: NodeID, to: NodeID, epoch: UInt64, cause: OwnerChangeCause) {
        self.machine = machine
        self.from = from
        self.to = to
        self.epoch = epoch
        self.cause = cause
    }
}

/// What was found of one machine on one node.
public struct ReconciliationFinding: Hashable, Sendable, Codable {
    public var machine: VMName
    /// What keeps the machine from being as desired; nil when all is well.
    public var problem: String?
    /// A sentence for the history; nil when there is nothing to tell.
    public var sentence: String?
    /// How grave that is; nil lets it follow from whether there is a problem.
    public var severity: ClusterEvent.Severity?
    public init(machine: VMName, problem: String?, sentence: String?, severity: ClusterEvent.Severity? = nil) {
        self.machine = machine
        self.problem = problem
        self.sentence = sentence
        self.severity = severity
    }
}

/// Something a node wants in the history.
public struct EventNote: Hashable, Sendable, Codable {
    public var node: NodeID?
    public var severity: ClusterEvent.Severity
    public var cause: String?
    public var sentence: String
    public init(node: NodeID?, severity: ClusterEvent.Severity, cause: String?, sentence: String) {
        self.node = node
        self.severity = severity
        self.cause = cause
        self.sentence = sentence
    }
}
