import ClusterModel
import ClusterRules
import Foundation
import Reservations
import SCSI
import SharedDisks

/// A witness disk: SCSI-3 persistent reservations, and the barrier that goes with them.
struct DiskMedium: WitnessMedium {
    private let session: WitnessSession
    private let volume: WitnessVolume
    private let reservations: PersistentReservations

    /// Every command at the witness ends within this, so a round is over before the lease is.
    private static let commandLimit = Duration.seconds(1)

    /// - Parameter session: Closed when this fails.
    static func open(_ session: WitnessSession, lun: LogicalUnitNumber, cluster: UUID) async throws -> DiskMedium {
        do {
            var disk = try await SharedDisk.attach(lun, of: session.transport, within: .seconds(2))
            disk.commandLimit = commandLimit
            return DiskMedium(
                session: session, volume: try await WitnessVolume.open(disk, cluster: cluster),
                reservations: PersistentReservations(lun, of: session.transport, disk: disk.id.description))
        } catch {
            await session.close()
            throw error
        }
    }

    var store: any WitnessStore { volume }
    var number: UInt64 { volume.number }
    private var deadline: ContinuousClock.Instant { .now.advanced(by: Self.commandLimit) }

    func holder() async throws -> NodeReservationKey? {
        try await reservations.reservation(until: deadline).holder.map { NodeReservationKey(rawValue: $0.key.rawValue) }
    }
    func register(_ key: NodeReservationKey) async throws {
        try await reservations.registerIgnoringExisting(ReservationKey(key), until: deadline)
    }
    func reserve(_ key: NodeReservationKey) async throws {
        let deadline = deadline
        try await reservations.reserve(ReservationKey(key), until: deadline)
        try await reservations.barrier(until: deadline)
    }
    func preempt(_ victim: NodeReservationKey, by key: NodeReservationKey) async throws {
        try await reservations.fence(ReservationKey(victim), key: ReservationKey(key), until: deadline)
    }
    func adopt(_ orphan: NodeReservationKey, by key: NodeReservationKey) async throws {
        try await reservations.adopt(orphan: ReservationKey(orphan), key: ReservationKey(key), until: deadline)
    }
    func release(_ key: NodeReservationKey) async throws { try await reservations.release(ReservationKey(key), until: deadline) }
    func close() async { await session.close() }
}

extension ReservationKey {
    fileprivate init(_ key: NodeReservationKey) { self.init(rawValue: key.rawValue) }
}
