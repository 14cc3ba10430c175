import SCSI

/// Why a reservation command did not do what it was asked.
public enum ReservationError: Error, Hashable, CustomStringConvertible {
    /// No answer. ``SCSITransportError/outcome`` tells whether the command may have been carried out.
    case transport(SCSITransportError)
    /// RESERVATION CONFLICT: this nexus is not registered, another one holds the reservation, or the victim was gone.
    case conflict(disk: String, command: String)
    /// This nexus was registered, and another one removed it (unit attention 2Ah/03h or 2Ah/05h): this node has been fenced here.
    case preempted(disk: String, command: String)
    /// The device ended the command after it may have begun: another node's reset came between.
    case interrupted(disk: String, command: String, last: String)
    /// It was busy, or asked for repetition, until the time was over.
    case notReady(disk: String, command: String, last: String)
    case refused(disk: String, command: String, SCSIStatus, SCSISense?)
    case malformed(disk: String, MalformedData)
    /// The device does not know the reservations that a cluster needs.
    case unsupported(disk: String, what: String)

    public var description: String {
        switch self {
        case .transport(let error): error.description
        case .conflict(let disk, let command):
            "\(command) on \(disk) was refused: this node is not registered, or another node holds the reservation."
        case .preempted(let disk, let command):
            "This node was fenced on \(disk): another node removed its registration (seen at \(command)). "
                + "It may register again when it is a member of a quorate cluster."
        case .interrupted(let disk, let command, let last):
            "\(command) on \(disk) was interrupted (\(last)); whether it was done has to be read from the disk."
        case .notReady(let disk, let command, let last):
            "\(disk) was not ready for \(command) in time; its last answer was \(last). Check the storage array."
        case .refused(let disk, let command, let status, let sense):
            "\(command) on \(disk) failed: \(status)\(sense.map { " (\($0))" } ?? ""). Check the storage array's log."
        case .malformed(let disk, let error): "\(disk): \(error)"
        case .unsupported(let disk, let what):
            "\(disk) cannot be a cluster disk: its storage array does not offer \(what). Turn on SCSI-3 persistent reservations there."
        }
    }
}
