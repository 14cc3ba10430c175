import ClusterModel
import Foundation

/// Forming a cluster and changing who belongs to it.
///
/// What takes longer than a moment replies with a ``ClusterChange`` as soon as it was accepted; ``followChange(_:)`` tells the rest.
public protocol FormingOperations: Sendable {
    /// What this node is to a cluster.
    func membership() async throws(APIError) -> Membership
    /// Makes a one-time token with which another node may take this one into a cluster. Only for root on this node.
    func makeToken(_ request: TokenRequest) async throws(APIError) -> TokenReply
    /// Forms a cluster of this node, which belongs to none, and others.
    func createCluster(_ request: CreateClusterRequest) async throws(APIError) -> ClusterChange
    /// Takes a node into this node's cluster.
    func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange
    func evictNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange
    func stopNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange
    func startNode(_ node: NodeName) async throws(APIError) -> ClusterChange
    func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange
    /// The same change again and again while it goes on, ending with one that has an outcome.
    func followChange(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ClusterChange, any Error>
}

public struct TokenRequest: Hashable, Sendable, Codable {
    /// How long the token may be used, 60 to 86,400 seconds.
    public var lifetimeSeconds: Int
    public init(lifetimeSeconds: Int = 3_600) { self.lifetimeSeconds = lifetimeSeconds }
}

public struct TokenReply: Hashable, Sendable, Codable {
    public var token: String
    public var node: NodeName
    public var address: String
    public var port: Int
    public var expires: Date
    public init(token: String, node: NodeName, address: String, port: Int, expires: Date) {
        self.token = token
        self.node = node
        self.address = address
        self.port = port
        self.expires = expires
    }
}

public struct CreateClusterRequest: Hashable, Sendable, Codable {
    public var name: ClusterName
    /// Every node of the new cluster. Empty: the node that is asked, and those of the tokens.
    public var nodes: [NodeName]
    /// One of each node but the one that is asked.
    public var tokens: [String]
    public var witness: WitnessChoice
    /// Take the witness disk although it carries something else, which is destroyed.
    public var force: Bool
    /// What a validation of these nodes said before; it goes into the cluster's history. nil when whoever asks knows of none.
    public var validation: PriorValidation?
    public init(
        name: ClusterName, nodes: [NodeName], tokens: [String], witness: WitnessChoice = .auto, force: Bool = false,
        validation: PriorValidation? = nil
    ) {
        self.validation = validation
        self.name = name
        self.nodes = nodes
        self.tokens = tokens
        self.witness = witness
        self.force = force
    }
}

public struct AddNodeRequest: Hashable, Sendable, Codable {
    public var token: String
    /// What a validation of the members and this node said before; it goes into the cluster's history.
    public var validation: PriorValidation?
    public init(token: String, validation: PriorValidation? = nil) {
        self.token = token
        self.validation = validation
    }
}

/// Whether nodes were validated before they became members, for the history of their cluster.
public struct PriorValidation: Hashable, Sendable, Codable {
    /// The run, under whose name the node that carried it out keeps the report. nil: an administrator left the validation out.
    public var run: UUID?
    public init(run: UUID?) { self.run = run }
    public static let skipped = PriorValidation(run: nil)
}

/// The body of ``Endpoints/evictNode`` and ``Endpoints/stopNode``.
public struct ForceRequest: Hashable, Sendable, Codable {
    /// Also when the node does not answer, or runs machines.
    public var force: Bool
    public init(force: Bool) { self.force = force }
}

public struct DestroyClusterRequest: Hashable, Sendable, Codable {
    /// Must be the cluster's name, so that nobody destroys another one by a slip. nil only with ``localOnly``.
    public var name: ClusterName?
    /// Only make this node a free one; the others are not asked.
    public var localOnly: Bool
    public var force: Bool
    public init(name: ClusterName?, localOnly: Bool, force: Bool) {
        self.name = name
        self.localOnly = localOnly
        self.force = force
    }
}
