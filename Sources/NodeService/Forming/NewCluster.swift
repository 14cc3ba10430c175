import ClusterAPI
import ClusterModel
import Corosync
import Forming
import Foundation

/// What a cluster begins with: the first entry of its log, the corosync.conf that goes with it, and its witness.
public struct NewCluster: ClusterFounder {
    public init() {}

    public func initialImage(of seed: ClusterSeed) throws(APIError) -> Data {
        throw APIError(.refused, "This version cannot form clusters yet.")
    }

    public func corosyncConfiguration(of seed: ClusterSeed) throws(APIError) -> String {
        let configuration = CorosyncConfiguration(
            clusterID: seed.id, clusterName: seed.name.rawValue, version: 1,
            nodes: seed.members.map {
                .init(id: CorosyncNodeID(rawValue: UInt32($0.id.rawValue)), name: $0.name, addresses: $0.addresses.rings, votes: 1)
            }, witness: seed.witness == .none ? nil : .init())
        do { return try configuration.text() } catch { throw APIError(.refused, "\(error)") }
    }

    public func initializeWitness(of seed: ClusterSeed, image: Data, force: Bool) async throws(APIError) {
        throw APIError(.refused, "This version cannot form clusters with a witness yet.")
    }

    public func clearWitness(of seed: ClusterSeed) async throws(APIError) {}
}
