import ClusterModel
import SCSI

/// Why a shared disk did not do what it was asked.
public enum SharedDiskError: Error, Hashable, CustomStringConvertible {
    /// No answer. ``SCSITransportError/outcome`` tells whether the command may have been carried out.
    case transport(SCSITransportError)
    /// The disk answered with a status or sense that no repetition will change.
    case refused(disk: String, command: String, SCSIStatus, SCSISense?)
    /// Somebody else holds a reservation that excludes this node.
    case reservationConflict(disk: String, command: String)
    /// This node's registration was removed: it has been fenced. It must not register again by itself.
    case reservationPreempted(disk: String)
    /// It was busy, or asked for repetition, until the time was over.
    case notReady(disk: String, command: String, last: String)
    case malformed(disk: String, MalformedData)
    /// A request that no disk of this geometry can carry out; a defect of the caller or damage in metadata.
    case outOfRange(disk: String, byteOffset: UInt64, byteCount: UInt64)
    case notADisk(String, deviceType: UInt8)
    case noIdentity(String)

    public var description: String {
        switch self {
        case .transport(let error): error.description
        case .refused(let disk, let command, let status, let sense):
            "\(command) on \(disk) failed: \(status)\(sense.map { " (\($0))" } ?? ""). Check the storage array's log."
        case .reservationConflict(let disk, let command):
            "\(command) on \(disk) was refused: another node holds a reservation that excludes this one."
        case .reservationPreempted(let disk):
            "This node was fenced on \(disk): another node removed its registration. It gets access again when it rejoins the cluster."
        case .notReady(let disk, let command, let last):
            "\(disk) was not ready for \(command) in time; its last answer was \(last). Check the storage array."
        case .malformed(let disk, let error): "\(disk): \(error)"
        case .outOfRange(let disk, let offset, let count):
            "\(count) bytes at \(offset) of \(disk) lie outside of it or do not fall on its blocks."
        case .notADisk(let name, let type): "\(name) is no disk (SCSI device type \(type))."
        case .noIdentity(let name):
            "\(name) has neither a unique designator nor a serial number (VPD pages 83h, 80h). Give it one on the storage array."
        }
    }

    /// Whether a write that failed this way may yet be, or come to be, on the medium.
    public var outcome: SCSITransportError.Outcome {
        switch self {
        case .transport(let error): error.outcome
        case .refused(_, _, let status, let sense): Self.certainlyRefused(status, sense) ? .notSent : .unknown
        case .reservationConflict, .reservationPreempted, .notReady, .outOfRange, .notADisk, .noIdentity: .notSent
        case .malformed: .unknown
        }
    }

    /// Statuses that a device gives before it begins (SAM-5 5.3.1, SPC-4 4.5.6).
    private static func certainlyRefused(_ status: SCSIStatus, _ sense: SCSISense?) -> Bool {
        switch status {
        case .checkCondition:
            guard let sense, !sense.isDeferred else { return false }
            return [.notReady, .illegalRequest, .unitAttention, .dataProtect].contains(sense.key)
        case .reservationConflict, .busy, .taskSetFull, .acaActive: return true
        default: return false
        }
    }
}
