/// How a command ended, as the device says (SAM-5 5.3.1).
public enum SCSIStatus: Hashable, Sendable, CustomStringConvertible {
    case good
    case checkCondition
    case conditionMet
    case busy
    case reservationConflict
    case taskSetFull
    case acaActive
    /// Another initiator, or a reset, ended it. What it had begun may be done in part.
    case taskAborted
    case other(UInt8)

    public init(code: UInt8) {
        switch code {
        case 0x00: self = .good
        case 0x02: self = .checkCondition
        case 0x04: self = .conditionMet
        case 0x08: self = .busy
        case 0x18: self = .reservationConflict
        case 0x28: self = .taskSetFull
        case 0x30: self = .acaActive
        case 0x40: self = .taskAborted
        default: self = .other(code)
        }
    }

    public var description: String {
        switch self {
        case .good: "GOOD"
        case .checkCondition: "CHECK CONDITION"
        case .conditionMet: "CONDITION MET"
        case .busy: "BUSY"
        case .reservationConflict: "RESERVATION CONFLICT"
        case .taskSetFull: "TASK SET FULL"
        case .acaActive: "ACA ACTIVE"
        case .taskAborted: "TASK ABORTED"
        case .other(let code): "status \(hexadecimal([code]))h"
        }
    }
}

/// The device's answer to one command.
public struct SCSIReply: Hashable, Sendable {
    public var status: SCSIStatus
    /// What the device sent; may be shorter than was asked for.
    public var data: [UInt8]
    /// Why, with ``SCSIStatus/checkCondition``; nil when the device gave none that can be read.
    public var sense: SCSISense?

    public init(status: SCSIStatus, data: [UInt8] = [], sense: SCSISense? = nil) {
        self.status = status
        self.data = data
        self.sense = sense
    }
}
