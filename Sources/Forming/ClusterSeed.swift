import ClusterModel
import Foundation

/// What a new cluster begins with, before it has a replicated configuration.
public struct ClusterSeed: Hashable, Sendable {
    public var id: UUID
    public var name: ClusterName
    public var createdAt: Date
    /// Who asked for it, in words for the history.
    public var requestedBy: String?
    public var members: [Member]
    public var witness: Witness
    /// Drawn for the witness that is initialised; zero without one. See ``VoteTable/witnessID``.
    public var witnessID: UInt64
    public var authority: ClusterAuthority
    /// 256 random bytes, as corosync-keygen(8) makes.
    public var corosyncKey: Data

    public struct Member: Hashable, Sendable {
        public var id: NodeID
        public var name: NodeName
        public var addresses: NodeAddresses
        public var apiPort: Int
        /// Of its first certificate.
        public var certificate: CertificateFacts

        public var address: NodeAddress { addresses.address(of: name) }
    }
}
