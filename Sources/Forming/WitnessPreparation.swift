import ClusterAPI
import ClusterModel
import Foundation

/// Makes a disk or a folder the witness of a cluster, and takes that back.
public protocol WitnessPreparation: Sendable {
    /// - Parameters:
    ///   - number: ``VoteTable/witnessID`` of the new witness.
    ///   - force: Destroy what it carries.
    func initialize(_ witness: Witness, cluster: UUID, name: ClusterName, number: UInt64, force: Bool) async throws(APIError)
    /// Makes it empty again, if it is the witness of this cluster.
    func clear(_ witness: Witness, cluster: UUID) async throws(APIError)
}
