import ClusterModel
import ClusterRules
import Foundation
import SharedDisks

/// An opened witness, as arbitration uses it: a disk with reservations, or a folder on a share with a lock.
///
/// Every call ends within a second or so, and says so if it failed. ``WitnessError/isExclusion`` and ``MediumError`` tell what a failure
/// means to the arbitration.
public protocol WitnessMedium: Sendable {
    /// The configuration and the heartbeats.
    var store: any WitnessStore { get }
    /// ``VoteTable/witnessID``.
    var number: UInt64 { get }

    /// Who holds it, as written there now; nil when nobody does.
    func holder() async throws -> NodeReservationKey?
    func register(_ key: NodeReservationKey) async throws
    /// Takes what nobody holds. No write of an earlier holder counts once it has returned.
    func reserve(_ key: NodeReservationKey) async throws
    /// Takes it from a holder, with the same certainty.
    func preempt(_ victim: NodeReservationKey, by key: NodeReservationKey) async throws
    /// Takes over what an earlier session of this node held, with the same certainty.
    func adopt(_ orphan: NodeReservationKey, by key: NodeReservationKey) async throws
    func release(_ key: NodeReservationKey) async throws
    func close() async
}

/// Why somebody could not take or keep a witness.
public enum MediumError: Error, Hashable, CustomStringConvertible {
    /// Somebody else was quicker, or it is not as it was seen last.
    case conflict(name: String)
    public var description: String {
        switch self {
        case .conflict(let name): "\(name) has changed hands meanwhile."
        }
    }
}
