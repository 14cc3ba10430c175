import ClusterAPI
import ClusterModel
import Foundation
import SharedDisks

/// Witness disks are made and cleared by the node that forms or ends the cluster, before and after anybody arbitrates on them.
extension StorageAccess: WitnessPreparation {
    func initialize(_ id: DiskID, cluster: UUID, name: ClusterName, force: Bool) async throws(APIError) {
        do {
            // It begins without a copy of the configuration; who holds it first writes one.
            _ = try await WitnessVolume.initialize(try await disk(id), cluster: cluster, clusterName: name.rawValue, force: force)
        } catch { throw error as? APIError ?? APIError(.failed, "The witness \(id) cannot be initialised: \(error)") }
    }

    func clear(_ id: DiskID, cluster: UUID) async throws(APIError) {
        do { try await WitnessVolume.clear(try await disk(id), cluster: cluster) } catch {
            throw error as? APIError ?? APIError(.failed, "The witness \(id) cannot be cleared: \(error)")
        }
    }
}
