import ClusterModel
import Foundation

/// What a node that belongs to no cluster lets others do with it. The caller has no certificate yet; a secret stands in every request.
///
/// ``prepareJoin(_:)`` spends the token's secret and gives a session's secret back, which the later calls bear. A session that nobody
/// goes on with is dropped after some minutes, and with it whatever was delivered but not activated.
public protocol JoinOperations: Sendable {
    /// Tells who this node is and what it has. Nothing changes on it.
    func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer
    /// Keeps what makes this node a member, durable but without effect.
    func deliverMembership(_ request: MembershipDelivery) async throws(APIError)
    /// Makes the node a member: from here on a restart of the service starts it as one.
    func activateMembership(_ request: JoinOrder) async throws(APIError)
    /// How far the member is.
    func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState
    /// Makes the node what it was before ``prepareJoin(_:)``, also when it was activated. Its token may be used again while it lasts.
    func abortJoin(_ request: JoinOrder) async throws(APIError)
}

public struct JoinPreparation: Hashable, Sendable, Codable {
    /// The 16 bytes that only the token tells.
    public var secret: Data
    /// Who asks, for the log.
    public var founder: NodeName
    public var cluster: ClusterName
    public init(secret: Data, founder: NodeName, cluster: ClusterName) {
        self.secret = secret
        self.founder = founder
        self.cluster = cluster
    }
}

/// A node as it offers itself to a cluster.
public struct JoinOffer: Hashable, Sendable, Codable {
    /// Authorises the calls that follow; 32 bytes.
    public var session: Data
    public var node: NodeName
    public var addresses: NodeAddresses
    public var apiPort: Int
    /// Of its corosync; nil when it is not installed.
    public var corosyncVersion: String?
    /// Its clock, when it answered.
    public var now: Date
    public var facts: NodeFacts
    public var disks: [SharedDiskStatus]
    /// Why it sees no disks, if asking for them failed.
    public var diskProblem: String?
    public init(
        session: Data, node: NodeName, addresses: NodeAddresses, apiPort: Int, corosyncVersion: String?, now: Date, facts: NodeFacts,
        disks: [SharedDiskStatus], diskProblem: String?
    ) {
        self.session = session
        self.node = node
        self.addresses = addresses
        self.apiPort = apiPort
        self.corosyncVersion = corosyncVersion
        self.now = now
        self.facts = facts
        self.disks = disks
        self.diskProblem = diskProblem
    }
}

public struct JoinOrder: Hashable, Sendable, Codable {
    public var session: Data
    public init(session: Data) { self.session = session }
}

public struct MembershipDelivery: Hashable, Sendable, Codable {
    public var session: Data
    public var bundle: MembershipBundle
    public init(session: Data, bundle: MembershipBundle) {
        self.session = session
        self.bundle = bundle
    }
}

/// Everything that makes a node a member: who it is, its keys, and the replicated configuration to begin with.
public struct MembershipBundle: Hashable, Sendable, Codable {
    public var clusterID: UUID
    public var cluster: ClusterName
    public var node: NodeName
    public var nodeID: NodeID
    /// Every member as of ``image``, this one included.
    public var nodes: [NodeAddress]
    public var api: CertificateFiles
    public var stream: CertificateFiles
    /// The key of Corosync's links.
    public var corosyncKey: Data
    /// What corosync.conf is to say at first; the engine follows the configuration from then on.
    public var corosyncConfiguration: String
    /// The JSON form of a ``ReplicaImage``: the replica that the node begins with.
    public var image: Data

    public init(
        clusterID: UUID, cluster: ClusterName, node: NodeName, nodeID: NodeID, nodes: [NodeAddress], api: CertificateFiles,
        stream: CertificateFiles, corosyncKey: Data, corosyncConfiguration: String, image: Data
    ) {
        self.clusterID = clusterID
        self.cluster = cluster
        self.node = node
        self.nodeID = nodeID
        self.nodes = nodes
        self.api = api
        self.stream = stream
        self.corosyncKey = corosyncKey
        self.corosyncConfiguration = corosyncConfiguration
        self.image = image
    }

    /// A certificate with its key and its authority, PEM.
    public struct CertificateFiles: Hashable, Sendable, Codable {
        public var authority: String
        public var certificate: String
        public var key: String
        public init(authority: String, certificate: String, key: String) {
            self.authority = authority
            self.certificate = certificate
            self.key = key
        }
    }
}

public struct JoinState: Hashable, Sendable, Codable {
    public enum Phase: String, Hashable, Sendable, Codable, CaseIterable {
        /// Told about, nothing delivered.
        case prepared
        /// Delivered and durable, without effect.
        case pending
        /// A member whose engine has not yet found a majority.
        case starting
        /// A member in an open epoch that holds everything committed.
        case open
        case failed
    }
    public var phase: Phase
    public var note: String?
    public init(phase: Phase, note: String? = nil) {
        self.phase = phase
        self.note = note
    }
}

/// What members order each other to do about their membership.
public protocol MemberOperations: Sendable {
    /// Stops, starts, or leaves the cluster. Replies once it is done.
    func obey(_ order: MemberOrder) async throws(APIError)
    /// The files of Corosync as this member has them, for one that was away while they changed.
    func corosyncFiles() async throws(APIError) -> CorosyncFilesReply
}

/// What a member needs so that its Corosync is heard by the others'.
public struct CorosyncFilesReply: Hashable, Sendable, Codable {
    /// corosync.conf; its version tells which is the newest.
    public var configuration: String
    /// The key that goes with it.
    public var key: Data
    public init(configuration: String, key: Data) {
        self.configuration = configuration
        self.key = key
    }
}

public struct MemberOrder: Hashable, Sendable, Codable {
    public enum Action: String, Hashable, Sendable, Codable, CaseIterable {
        /// Stop Corosync and the engine, also after a reboot, until started.
        case stop
        case start
        /// Stop, and become a free node.
        case leave
    }
    public var action: Action
    /// Must be the cluster that the node is a member of.
    public var clusterID: UUID
    /// Stop the machines that run there.
    public var force: Bool
    public init(action: Action, clusterID: UUID, force: Bool) {
        self.action = action
        self.clusterID = clusterID
        self.force = force
    }
}
