import ClusterModel
import Foundation

/// What a member of a running cluster knows of it, and of its own part in it. It only reads.
public struct MemberQuestion: ProbeQuestion {
    public typealias Evidence = MemberEvidence
    public static let name = "member"
    /// Also what lies on the volumes, which has to be read from the disks.
    public var withVolumes: Bool
    public init(withVolumes: Bool = false) { self.withVolumes = withVolumes }
}

/// A cluster as one of its members sees it. Keys and other secrets of the configuration are no part of it.
public struct MemberEvidence: Hashable, Sendable, Codable {
    /// The last change of the configuration that it applied.
    public var index: UInt64 = 0
    /// A hash over its whole copy of the configuration, hexadecimal: equal for equal copies, and different for any others.
    public var digest = ""
    /// Whether its partition may run machines and change things.
    public var isOpen = false
    /// Why it is so or not: a sentence.
    public var standing = ""
    public var quorum = Quorum()
    public var witness: WitnessLine?
    public var nodes: [NodeLine] = []
    /// Every machine of the configuration.
    public var machines: [MachineLine] = []
    /// Machines whose QEMU, or whose record, is on this node.
    public var local: [LocalMachineLine] = []
    public var volumes: [VolumeLine] = []
    public var operations: [OperationLine] = []
    /// A hash of the certificate of the cluster's authority, hexadecimal: as the configuration has it, and as the node's own folder has it.
    public var authority: String?
    public var ownAuthority: String?
    /// The certificate that the node shows to others.
    public var ownCertificate: CertificateFacts?
    /// Why its certificates cannot be used: a sentence.
    public var certificateProblem: String?
    public init() {}

    public struct Quorum: Hashable, Sendable, Codable {
        public var model = QuorumModel.nodeMajority
        public var isModelAutomatic = true
        /// What the number of nodes and the witness ask for.
        public var recommended = QuorumModel.nodeMajority
        public var votesPresent = 0
        public var votesNeeded = 0
        public var votesTotal = 0
        /// How many voters may fail at the same instant, whichever they are.
        public var mayFailAtOnce = 0
        /// Who alone would stop the cluster.
        public var fatal = 0
        public var voters = 0
        /// In plain words.
        public var tolerance = ""
        public var warnings: [String] = []
        public init() {}
    }

    public struct WitnessLine: Hashable, Sendable, Codable {
        public var witness: Witness
        public var condition: WitnessStatus.Condition
        public var votes: Int
        public var holder: NodeName?
        /// Why it cannot be used from here.
        public var problem: String?
        public init(witness: Witness, condition: WitnessStatus.Condition, votes: Int, holder: NodeName?, problem: String?) {
            self.witness = witness
            self.condition = condition
            self.votes = votes
            self.holder = holder
            self.problem = problem
        }
    }

    public struct NodeLine: Hashable, Sendable, Codable {
        public var name: NodeName
        public var presence: NodePresence
        public var service: NodeAvailability
        public var votes: Int
        /// In the ring of the node that tells.
        public var isPresent: Bool
        public var certificate: CertificateFacts
        /// That certificate was revoked.
        public var isRevoked: Bool
        public init(
            name: NodeName, presence: NodePresence, service: NodeAvailability, votes: Int, isPresent: Bool, certificate: CertificateFacts,
            isRevoked: Bool
        ) {
            self.name = name
            self.presence = presence
            self.service = service
            self.votes = votes
            self.isPresent = isPresent
            self.certificate = certificate
            self.isRevoked = isRevoked
        }
    }

    public struct MachineLine: Hashable, Sendable, Codable {
        public var machine: VirtualMachine
        public var owner: NodeName
        public var epoch: UInt64
        public var desired: DesiredState
        public var problem: String?
        public init(machine: VirtualMachine, owner: NodeName, epoch: UInt64, desired: DesiredState, problem: String?) {
            self.machine = machine
            self.owner = owner
            self.epoch = epoch
            self.desired = desired
            self.problem = problem
        }
        public var name: VMName { machine.name }
    }

    public struct LocalMachineLine: Hashable, Sendable, Codable {
        public var name: VMName
        public var state: VMRunState
        public var note: String?
        /// Files that its definition names and that are not on the node.
        public var missingFiles: [String]
        public init(name: VMName, state: VMRunState, note: String?, missingFiles: [String]) {
            self.name = name
            self.state = state
            self.note = note
            self.missingFiles = missingFiles
        }
    }

    /// A volume that the configuration names, as the node finds it on the disk.
    public struct VolumeLine: Hashable, Sendable, Codable {
        public var disk: DiskID
        public var id: UUID
        public var label: String
        /// nil when the node does not see the disk.
        public var content: DiskContent?
        public var extents: [NamedExtent] = []
        /// What the ownership record of each machine on it says; absent when it cannot be read, and why in ``problems``.
        public var records: [OwnershipRecord] = []
        public var problems: [String] = []
        public init(disk: DiskID, id: UUID, label: String) {
            self.disk = disk
            self.id = id
            self.label = label
        }
    }

    public struct OperationLine: Hashable, Sendable, Codable {
        public var kind: PendingOperation.Kind
        public var subject: String?
        public var driver: String
        public var beganAt: WallTime
        public var step: String
        public init(kind: PendingOperation.Kind, subject: String?, driver: String, beganAt: WallTime, step: String) {
            self.kind = kind
            self.subject = subject
            self.driver = driver
            self.beganAt = beganAt
            self.step = step
        }
    }
}

/// Reads the witness, as the node would if it had to take it over. It writes nothing and asks for no reservation.
public struct WitnessReadQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// For opening it and reading both copies of the configuration.
        public var milliseconds: Double
        /// The last change that it holds.
        public var lastIndex: UInt64
        public var committed: UInt64
        /// What is wrong with one of its copies: sentences.
        public var defects: [String]
        /// Why it cannot be read; then nothing else holds.
        public var problem: String?
        public init(milliseconds: Double, lastIndex: UInt64, committed: UInt64, defects: [String], problem: String? = nil) {
            self.milliseconds = milliseconds
            self.lastIndex = lastIndex
            self.committed = committed
            self.defects = defects
            self.problem = problem
        }
    }
    public static let name = "witness-read"
    public init() {}
}

/// What all members said, as judges get it.
public struct ClusterEvidence: Hashable, Sendable {
    /// In the order of the operator's list.
    public var nodes: [NodeName]
    public var members: [NodeName: MemberEvidence]
    public init(nodes: [NodeName], members: [NodeName: MemberEvidence]) {
        self.nodes = nodes
        self.members = members
    }

    public var answers: [(node: NodeName, member: MemberEvidence)] {
        nodes.compactMap { node in members[node].map { (node, $0) } }
    }
    /// The one whose word counts about the cluster as a whole: in an open partition, with the newest configuration.
    public var best: MemberEvidence? {
        answers.map(\.member).reduce(nil as MemberEvidence?) { best, next in
            guard let best else { return next }
            return (next.isOpen ? 1 : 0, next.index) > (best.isOpen ? 1 : 0, best.index) ? next : best
        }
    }
}
