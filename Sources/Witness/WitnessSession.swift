import SCSI
import SharedDisks

/// A login to the target of the witness disk.
///
/// Each login must be under the same identity (initiator name and ISID), so that it ends whatever the target still has of the one before.
public struct WitnessSession: Sendable {
    public var transport: any SCSITransport
    public var close: @Sendable () async -> Void
    public init(transport: any SCSITransport, close: @escaping @Sendable () async -> Void) {
        self.transport = transport
        self.close = close
    }
}

/// The vote as this node casts it now.
public struct CastVote: Hashable, Sendable {
    public var isYes: Bool
    /// Corosync's ring that it is for. It must not be polled for another one.
    public var ringRepresentative: UInt32
    public var ringSequence: UInt64
    /// Not to be polled as yes after this instant: whoever polls looks at the clock right before.
    public var validUntil: ContinuousClock.Instant
}

/// Why the configuration on the witness was not read or written.
public enum WitnessDiskError: Error, Hashable, CustomStringConvertible {
    case notHolder(disk: String, holder: String)
    /// Written, but the reservation was gone afterwards: the new holder may have read before.
    case lostWhileWriting(disk: String)
    case witness(WitnessError)

    public var description: String {
        switch self {
        case .notHolder(let disk, let holder): "This node does not hold the witness \(disk); \(holder) does. Ask there."
        case .lostWhileWriting(let disk):
            "This node lost the witness \(disk) while it wrote the configuration there; whether the new holder goes on with it is open."
        case .witness(let error): error.description
        }
    }
}
