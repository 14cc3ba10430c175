/// Why a command ended with CHECK CONDITION: sense key and additional sense code (SPC-4 4.5).
public struct SCSISense: Hashable, Sendable, CustomStringConvertible {
    public enum Key: UInt8, Hashable, Sendable {
        case noSense, recoveredError, notReady, mediumError, hardwareError, illegalRequest, unitAttention, dataProtect
        case blankCheck, vendorSpecific, copyAborted, abortedCommand, reserved, volumeOverflow, miscompare, completed
    }

    public var key: Key
    /// Additional sense code and qualifier in one number: 29h/00h is 0x2900.
    public var code: UInt16
    /// It tells about an earlier command, not the one that it came with (SPC-4 4.5.5).
    public var isDeferred: Bool

    public init(key: Key, code: UInt16, isDeferred: Bool = false) {
        self.key = key
        self.code = code
        self.isDeferred = isDeferred
    }

    /// Reads fixed format (response codes 70h, 71h) and descriptor format (72h, 73h).
    ///
    /// - Throws: ``MalformedData`` for other response codes and when the sense key is cut off. A missing additional code counts as 0.
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "Sense data")
        let responseCode = try reader.byte(at: 0) & 0x7f
        let fixed: Bool
        switch responseCode {
        case 0x70, 0x71: fixed = true
        case 0x72, 0x73: fixed = false
        default: throw reader.malformed("response code \(hexadecimal([responseCode]))h is none of 70h to 73h")
        }
        let keyBits = try reader.byte(at: fixed ? 2 : 1) & 0x0f
        // Four bits, and every one of the sixteen values is a case.
        guard let key = Key(rawValue: keyBits) else { throw reader.malformed("sense key \(keyBits)") }
        let codeAt = fixed ? 12 : 2
        // Fixed format tells how many bytes follow byte 7; what lies beyond is not part of it.
        let end = fixed && bytes.count > 7 ? min(bytes.count, 8 + Int(bytes[7])) : bytes.count
        self.key = key
        self.isDeferred = responseCode & 1 == 1
        code = (codeAt < end ? UInt16(bytes[codeAt]) << 8 : 0) | (codeAt + 1 < end ? UInt16(bytes[codeAt + 1]) : 0)
    }

    /// Reservations or registrations of this nexus were preempted: another node has fenced this one.
    ///
    /// 2Ah/05h is what SPC-4 5.12.11.2.4 asks for; tgt 1.0 sends 2Ah/03h in its place.
    public var isReservationPreempted: Bool { key == .unitAttention && (code == 0x2a03 || code == 0x2a05) }

    /// The logical unit was reset or powered on, or commands were cleared by another initiator.
    public var isReset: Bool { key == .unitAttention && (code >> 8 == 0x29 || code >> 8 == 0x2f) }

    public var description: String {
        let number = "\(hexadecimal([UInt8(code >> 8)]))h/\(hexadecimal([UInt8(code & 0xff)]))h"
        return [keyText, Self.codeTexts[code], number].compactMap(\.self).joined(separator: ", ")
    }

    private var keyText: String {
        switch key {
        case .noSense: "no sense"
        case .recoveredError: "recovered error"
        case .notReady: "not ready"
        case .mediumError: "medium error"
        case .hardwareError: "hardware error"
        case .illegalRequest: "illegal request"
        case .unitAttention: "unit attention"
        case .dataProtect: "data protect"
        case .blankCheck: "blank check"
        case .vendorSpecific: "vendor specific"
        case .copyAborted: "copy aborted"
        case .abortedCommand: "aborted command"
        case .reserved: "reserved sense key"
        case .volumeOverflow: "volume overflow"
        case .miscompare: "miscompare"
        case .completed: "completed"
        }
    }

    /// Those that an operator of a cluster is likely to meet (SPC-4 annex D).
    private static let codeTexts: [UInt16: String] = [
        0x0401: "becoming ready", 0x0402: "start command required", 0x040b: "target port in standby state",
        0x0c00: "write error", 0x1100: "unrecovered read error", 0x2000: "command not supported",
        0x2100: "block address out of range", 0x2400: "invalid field in the command", 0x2500: "logical unit not supported",
        0x2600: "invalid field in the parameter list", 0x2700: "write protected", 0x2900: "power on or reset",
        0x2a01: "mode parameters changed", 0x2a03: "reservations preempted", 0x2a04: "reservations released",
        0x2a05: "registrations preempted", 0x2a09: "capacity changed", 0x2f00: "commands cleared by another initiator",
        0x3a00: "medium not present", 0x3f03: "inquiry data changed", 0x3f0e: "list of logical units changed",
        0x5500: "system resource failure", 0x5504: "insufficient registration resources",
    ]
}
