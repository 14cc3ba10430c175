import ClusterModel
import Foundation

/// Which member of which cluster this node is.
public struct MemberSettings: Hashable, Sendable {
    public var cluster: UUID
    public var node: NodeID
    public var name: NodeName
    /// The folder of the replica's database, of its own.
    public var storeFolder: String
    /// Where Corosync's configuration lies.
    public var corosyncFolder: String
    public init(cluster: UUID, node: NodeID, name: NodeName, storeFolder: String, corosyncFolder: String = "/etc/corosync") {
        self.cluster = cluster
        self.node = node
        self.name = name
        self.storeFolder = storeFolder
        self.corosyncFolder = corosyncFolder
    }
}

/// What the engine leaves to the node service.
public protocol MemberDelegate: Sendable {
    /// Something changed. Called from within the engine: must return at once.
    func standingChanged(_ standing: MembershipStanding, _ state: ClusterState)
    /// Carries out an effect that concerns this node and is not the engine's own. Safe to repeat.
    func carryOut(_ effect: ClusterEffect, _ state: ClusterState) async
    /// The witness of the configuration, as seen from this node. Nil when there is none, or nothing can be said yet.
    ///
    /// - Throws: Why it cannot be used from here, as a sentence.
    func openWitness(_ witness: Witness, cluster: UUID) async throws -> (any WitnessPort)?
}
