import ClusterAPI
import ClusterModel
import ClusterRules
import Corosync
import Forming
import Foundation
import Membership

/// What a cluster begins with: the first entry of its log, applied; the corosync.conf that goes with it; and its witness.
public struct NewCluster: ClusterFounder {
    private let preparation: any WitnessPreparation

    /// - Parameter witness: Prepares the witness.
    public init(witness: any WitnessPreparation) { preparation = witness }

    public func initialImage(of seed: ClusterSeed) throws(APIError) -> Data {
        let model = QuorumModel.recommended(nodes: seed.members.count, witness: seed.witness)
        let quorum = QuorumSettings(model: model)
        let votes = VoteRules.foundingTable(
            nodes: seed.members.map(\.id), witness: seed.witness, witnessID: seed.witnessID, quorum: quorum)
        let time = WallTime(seed.createdAt)
        let founding = ClusterFounding(
            id: seed.id, name: seed.name,
            nodes: seed.members.map { NewNode(id: $0.id, name: $0.name, addresses: $0.addresses, certificate: $0.certificate) },
            disks: Self.disks(seed, time), witness: seed.witness, quorum: quorum, votes: votes, authority: seed.authority,
            certificates: seed.members.map {
                IssuedCertificate(facts: $0.certificate, subject: $0.name.rawValue, node: $0.id, issuedAt: time)
            })
        guard let founder = seed.members.first else { throw APIError(.invalid, "A cluster has at least one node.") }
        do {
            let proposal = CommandProposal(time: time, requestedBy: seed.requestedBy, command: .createCluster(founding: founding))
            let image = ReplicaImage.founding(by: founder.id, payload: try ClusterCoding.bytes(of: proposal), votes: votes)
            // The log's own rules must take it, or no node could begin with it.
            var state = ClusterState()
            for entry in image.entries {
                if case .rejected(let reason) = try apply(entry, to: &state) { throw APIError(.refused, "\(reason)") }
            }
            // Keys in order: the same image is the same bytes wherever it is made.
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return try encoder.encode(image)
        } catch {
            throw error as? APIError ?? APIError(.failed, "The first configuration of cluster \(seed.name) cannot be made: \(error)")
        }
    }

    private static func disks(_ seed: ClusterSeed, _ time: WallTime) -> [ClusterDisk] {
        guard case .disk(let id) = seed.witness else { return [] }
        return [ClusterDisk(id: id, use: .witness, addedAt: time)]
    }

    public func corosyncConfiguration(of seed: ClusterSeed, image: Data) throws(APIError) -> String {
        do {
            let image = try JSONDecoder().decode(ReplicaImage.self, from: image)
            var state = ClusterState()
            for entry in image.entries { _ = try apply(entry, to: &state) }
            // The same text that the members' engines write later on, timeouts included: the arbitration of the witness counts on them.
            guard let configuration = CorosyncConfiguration(of: state) else {
                throw APIError(.failed, "The first configuration of cluster \(seed.name) names no cluster.")
            }
            return try configuration.text()
        } catch { throw error as? APIError ?? APIError(.refused, "\(error)") }
    }

    public func newCorosyncKey() -> Data { Data(CorosyncFiles.newKey()) }

    public func initializeWitness(of seed: ClusterSeed, force: Bool) async throws(APIError) {
        guard seed.witness != .none else { return }
        try await preparation.initialize(seed.witness, cluster: seed.id, name: seed.name, number: seed.witnessID, force: force)
    }

    public func clearWitness(_ witness: ClusterModel.Witness, of cluster: UUID) async throws(APIError) {
        guard witness != .none else { return }
        try await preparation.clear(witness, cluster: cluster)
    }
}
