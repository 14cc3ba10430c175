extension SCSICommand {
    /// MODE SENSE(10) of the caching mode page, without block descriptors (SPC-4 6.14, SBC-3 6.4.5).
    public static let cachingModePage = SCSICommand(
        name: "MODE SENSE(10) page 08h", descriptorBlock: [0x5a, 0x08, 0x08, 0, 0, 0, 0, 0, 64, 0], transfer: .fromDevice(byteCount: 64))
}

/// What a disk says of its volatile cache.
public struct CachingModePage: Hashable, Sendable {
    /// WCE: a write may be answered when its data is in a volatile cache.
    public var hasWriteCache: Bool
    /// DPOFUA of the header (SBC-3 6.4.1): forced unit access is understood.
    public var takesForcedWrites: Bool

    /// - Throws: ``MalformedData`` when the page is not there or cut off.
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "MODE SENSE(10) data")
        takesForcedWrites = try reader.byte(at: 3) & 0x10 != 0
        let descriptors: UInt16 = try reader.integer(at: 6)
        let start = 8 + Int(descriptors)
        let code = try reader.byte(at: start) & 0x3f
        guard code == 0x08 else { throw reader.malformed("page \(hexadecimal([code]))h came in place of 08h") }
        hasWriteCache = try reader.byte(at: start + 2) & 0x04 != 0
    }
}

/// VPD page 86h (SPC-4 7.8.7), as far as it tells of caches.
public struct ExtendedInquiry: Hashable, Sendable {
    /// NV_SUP: there is a cache that survives a loss of power.
    public var hasProtectedCache: Bool
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let body = try VitalProductData(parsing: bytes, page: .extendedInquiry).body
        hasProtectedCache = try ByteReader(body, subject: "VPD page 86h").byte(at: 2) & 0x02 != 0
    }
}
