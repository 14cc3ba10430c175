import ClusterModel
import ClusterRules
import Foundation
import SharedDisks

/// A witness on a file share: its lock file names the holder, and each holder writes under a term of its own, which takes the place of
/// the barrier (``FileShareWitness``).
public struct ShareMedium: WitnessMedium {
    private let share: FileShareWitness

    /// Opens the folder, whose calls then end within a second.
    public static func open(_ path: String, cluster: UUID) async throws -> ShareMedium {
        ShareMedium(share: try await FileShareWitness.open(path, cluster: cluster, within: .seconds(1)))
    }

    public var store: any WitnessStore { share }
    public var number: UInt64 { share.number }

    public func holder() async throws -> NodeReservationKey? {
        try await share.holder().key.map { NodeReservationKey(rawValue: $0) }
    }
    /// A share knows its users by other means.
    public func register(_ key: NodeReservationKey) async throws {}
    public func reserve(_ key: NodeReservationKey) async throws { try await exchange(nil, key) }
    public func preempt(_ victim: NodeReservationKey, by key: NodeReservationKey) async throws { try await exchange(victim, key) }
    public func adopt(_ orphan: NodeReservationKey, by key: NodeReservationKey) async throws { try await exchange(orphan, key) }
    public func release(_ key: NodeReservationKey) async throws { try await exchange(key, nil) }
    public func close() async {}

    private func exchange(_ expected: NodeReservationKey?, _ new: NodeReservationKey?) async throws {
        guard try await share.exchange(expected?.rawValue, for: new?.rawValue) else { throw MediumError.conflict(name: share.path) }
    }
}
