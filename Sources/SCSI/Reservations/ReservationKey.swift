/// The eight bytes under which one nexus is registered with a logical unit (SPC-4 5.12).
public struct ReservationKey: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// In requests: "no key". A device never lists it.
    public static let none = ReservationKey(rawValue: 0)
    public var description: String { "0x" + hexadecimal([UInt8](bigEndian: rawValue)) }
}

/// What a persistent reservation allows (SPC-4 6.15.3.4). These are SCSI's numbers; the kernel's `pr_type` counts otherwise.
public enum ReservationType: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case writeExclusive = 1
    case exclusiveAccess = 3
    /// Every registered nexus writes, everybody reads. What a cluster disk uses: removing a node's key stops its writes.
    case writeExclusiveRegistrantsOnly = 5
    case exclusiveAccessRegistrantsOnly = 6
    case writeExclusiveAllRegistrants = 7
    case exclusiveAccessAllRegistrants = 8

    public var description: String {
        switch self {
        case .writeExclusive: "Write Exclusive"
        case .exclusiveAccess: "Exclusive Access"
        case .writeExclusiveRegistrantsOnly: "Write Exclusive, Registrants Only"
        case .exclusiveAccessRegistrantsOnly: "Exclusive Access, Registrants Only"
        case .writeExclusiveAllRegistrants: "Write Exclusive, All Registrants"
        case .exclusiveAccessAllRegistrants: "Exclusive Access, All Registrants"
        }
    }
}

/// PERSISTENT RESERVE OUT (SPC-4 6.16): what to do with registrations and the reservation.
public enum ReservationAction: Hashable, Sendable {
    /// Changes this nexus's key from `old` to `new`; ``ReservationKey/none`` as `new` unregisters. A wrong `old` is a conflict.
    case register(old: ReservationKey, new: ReservationKey, persistent: Bool)
    /// Sets this nexus's key whatever it was.
    case registerAndIgnore(new: ReservationKey, persistent: Bool)
    case reserve(key: ReservationKey, ReservationType)
    case release(key: ReservationKey, ReservationType)
    /// Removes every registration and the reservation.
    case clear(key: ReservationKey)
    /// Removes the victim's registrations and takes its reservation over.
    case preempt(key: ReservationKey, victim: ReservationKey, ReservationType)
    /// The same, and ends the victim's commands before it answers.
    case preemptAndAbort(key: ReservationKey, victim: ReservationKey, ReservationType)
    /// Gives the reservation to the nexus named by a transport identifier (SPC-4 7.6.4) and a relative target port.
    case registerAndMove(
        key: ReservationKey, new: ReservationKey, unregister: Bool, persistent: Bool, relativePort: UInt16, transportID: [UInt8])
}
