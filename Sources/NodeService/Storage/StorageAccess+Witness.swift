import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Reservations
import SCSI
import SharedDisks

/// Witness disks are made and cleared by the node that forms or ends the cluster, before and after anybody arbitrates on them.
extension StorageAccess: WitnessPreparation {
    package func initialize(
        _ witness: ClusterModel.Witness, cluster: UUID, name: ClusterName, number: UInt64, force: Bool
    ) async throws(APIError) {
        switch witness {
        case .none: return
        case .disk(let id): try await initialize(id, cluster: cluster, name: name, number: number, force: force)
        case .fileShare(let path):
            do {
                _ = try await FileShareWitness.initialize(path, cluster: cluster, clusterName: name.rawValue, number: number, force: force)
            } catch { throw APIError(.refused, "\(error)") }
        }
    }

    package func clear(_ witness: ClusterModel.Witness, cluster: UUID) async throws(APIError) {
        switch witness {
        case .none: return
        case .disk(let id): try await clear(id, cluster: cluster)
        case .fileShare(let path):
            do { try await FileShareWitness.clear(path, cluster: cluster) } catch { throw APIError(.failed, "\(error)") }
        }
    }

    private func initialize(_ id: DiskID, cluster: UUID, name: ClusterName, number: UInt64, force: Bool) async throws(APIError) {
        do {
            let disk = try await disk(id)
            // A cluster that is gone may have left its reservation, which outlives its nodes.
            if force { try await endReservations(on: disk, cluster: cluster) }
            // It begins without a copy of the configuration; who holds it first writes one.
            _ = try await WitnessVolume.initialize(disk, cluster: cluster, clusterName: name.rawValue, number: number, force: force)
        } catch { throw error as? APIError ?? APIError(.failed, "The witness \(id) cannot be initialised: \(error)") }
    }

    private func clear(_ id: DiskID, cluster: UUID) async throws(APIError) {
        do {
            let disk = try await disk(id)
            // Before anything is removed: that it is this cluster's.
            _ = try await WitnessVolume.open(disk, cluster: cluster)
            try await endReservations(on: disk, cluster: cluster)
            try await WitnessVolume.clear(disk, cluster: cluster)
        } catch { throw error as? APIError ?? APIError(.failed, "The witness \(id) cannot be cleared: \(error)") }
    }

    /// Removes the reservation and every registration. Only where no node arbitrates any more, or an operator says so: the one that held it
    /// would find itself excluded.
    private func endReservations(on disk: SharedDisk, cluster: UUID) async throws {
        guard let node = NodeID(rawValue: .max) else { return }
        let reservations = PersistentReservations(disk.lun, of: try await transport(), disk: disk.id.description)
        let end = ContinuousClock.now + .seconds(5)
        guard try await !reservations.keys(until: end).keys.isEmpty else { return }
        // Only a registered nexus may clear (SPC-4 5.12.11.2.7); the key goes with all others.
        let key = ReservationKey(rawValue: NodeReservationKey(cluster: cluster, node: node, epoch: .max).rawValue)
        try await reservations.registerIgnoringExisting(key, until: end)
        try await reservations.clear(key, until: end)
    }
}
