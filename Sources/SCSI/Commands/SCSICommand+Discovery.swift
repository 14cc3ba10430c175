extension SCSICommand {
    /// Asks whether the logical unit is ready; also takes up a pending unit attention (SPC-4 6.37).
    public static let testUnitReady = SCSICommand(name: "TEST UNIT READY", descriptorBlock: [UInt8](repeating: 0, count: 6))

    /// Standard INQUIRY (SPC-4 6.4): what kind of device, whose make.
    public static let inquiry = SCSICommand(
        name: "INQUIRY", descriptorBlock: [0x12, 0, 0, 0, 96, 0], transfer: .fromDevice(byteCount: 96))

    /// A page of vital product data (SPC-4 6.4.4).
    public static func inquiry(page: VitalProductPage, byteCount: UInt16 = 1_024) -> SCSICommand {
        var block: [UInt8] = [0x12, 1, page.rawValue]
        block.append(bigEndian: byteCount)
        block.append(0)
        return SCSICommand(
            name: "INQUIRY page \(hexadecimal([page.rawValue]))h", descriptorBlock: block, transfer: .fromDevice(byteCount: Int(byteCount)))
    }

    /// REPORT LUNS (SPC-4 6.33), all but well-known logical units. 16 KiB hold 2,047 of them.
    public static func reportLUNs(byteCount: UInt32 = 16_384) -> SCSICommand {
        var block: [UInt8] = [0xa0, 0, 0, 0, 0, 0]
        block.append(bigEndian: byteCount)
        block += [0, 0]
        return SCSICommand(name: "REPORT LUNS", descriptorBlock: block, transfer: .fromDevice(byteCount: Int(byteCount)))
    }

    /// READ CAPACITY(16) (SBC-3 5.16).
    public static let readCapacity16 = SCSICommand(
        name: "READ CAPACITY(16)", descriptorBlock: [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0],
        transfer: .fromDevice(byteCount: 32))
}

/// Pages of vital product data that are understood here (SPC-4 7.8).
public enum VitalProductPage: UInt8, Hashable, Sendable {
    case supportedPages = 0x00
    case unitSerialNumber = 0x80
    case deviceIdentification = 0x83
    case extendedInquiry = 0x86
    case blockLimits = 0xb0
}
