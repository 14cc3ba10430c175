/// One SCSI command: its descriptor block and the data that goes with it. Knows nothing of how it is carried.
public struct SCSICommand: Hashable, Sendable {
    /// What travels besides the command itself.
    public enum Transfer: Hashable, Sendable {
        case none
        /// At most this many bytes come back.
        case fromDevice(byteCount: Int)
        case toDevice([UInt8])
    }

    /// As the standard writes it, for messages: "READ CAPACITY(16)".
    public var name: String
    /// The command descriptor block, 6 to 16 bytes.
    public var descriptorBlock: [UInt8]
    public var transfer: Transfer

    public init(name: String, descriptorBlock: [UInt8], transfer: Transfer = .none) {
        precondition([6, 10, 12, 16].contains(descriptorBlock.count), "a descriptor block of \(descriptorBlock.count) bytes")
        self.name = name
        self.descriptorBlock = descriptorBlock
        self.transfer = transfer
    }
}

/// A logical unit's number. Peripheral and flat addressing reach 0 to 16383 (SAM-5 4.7.7).
public struct LogicalUnitNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let largest: UInt16 = 16_383
    public let rawValue: UInt16

    /// Nil above ``largest``.
    public init?(_ rawValue: some BinaryInteger) {
        guard let value = UInt16(exactly: rawValue), value <= Self.largest else { return nil }
        self.rawValue = value
    }
    private init(unchecked rawValue: UInt16) { self.rawValue = rawValue }

    /// Every target has it (SAM-5 4.7.4); REPORT LUNS is sent there.
    public static let zero = LogicalUnitNumber(unchecked: 0)

    public var description: String { "LUN \(rawValue)" }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
