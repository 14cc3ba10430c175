/// What a logical unit says it is (SPC-4 6.4.2).
public struct StandardInquiry: Hashable, Sendable {
    /// Peripheral device type: 0 is a disk, 0Ch a storage array controller.
    public var deviceType: UInt8
    /// 0: a device is connected. 1: could be, is not. 3: there can be none under this number.
    public var qualifier: UInt8
    public var vendor: String
    public var product: String
    public var revision: String

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "INQUIRY data")
        let first = try reader.byte(at: 0)
        deviceType = first & 0x1f
        qualifier = first >> 5
        vendor = trimmedASCII(try reader.slice(at: 8, count: 8))
        product = trimmedASCII(try reader.slice(at: 16, count: 16))
        revision = trimmedASCII(try reader.slice(at: 32, count: 4))
    }

    /// A connected direct-access block device.
    public var isDisk: Bool { deviceType == 0 && qualifier == 0 }
}

/// REPORT LUNS (SPC-4 6.33.2).
public struct ReportedLUNs: Hashable, Sendable {
    /// In ascending order.
    public var luns: [LogicalUnitNumber]
    /// Those that use an addressing method other than peripheral and flat: nothing here can reach them.
    public var unreachableCount: Int
    /// The list was longer than the room given to it.
    public var isTruncated: Bool

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "REPORT LUNS data")
        let listed: UInt32 = try reader.integer(at: 0)
        let present = UInt32(clamping: max(0, bytes.count - 8))
        isTruncated = listed > present
        var found: Set<LogicalUnitNumber> = []
        var unreachable = 0
        for index in 0..<Int(min(listed, present) / 8) {
            let entry: UInt64 = try reader.integer(at: 8 + index * 8)
            let top = UInt16(truncatingIfNeeded: entry >> 48)
            let method = top >> 14
            // SAM-5 4.7.7: method 0 with bus 0 is the number itself (8 bits), method 1 is flat (14 bits). Deeper levels must be zero.
            let usable = entry & 0x0000_ffff_ffff_ffff == 0 && (method == 1 || top & 0xff00 == 0)
            if usable, let lun = LogicalUnitNumber(top & 0x3fff) { found.insert(lun) } else { unreachable += 1 }
        }
        luns = found.sorted()
        unreachableCount = unreachable
    }
}
