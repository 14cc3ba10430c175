/// The frame of every VPD page: device type, page code, length, body (SPC-4 7.8.2).
struct VitalProductData {
    var body: ArraySlice<UInt8>

    init(parsing bytes: [UInt8], page: VitalProductPage) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "VPD page \(hexadecimal([page.rawValue]))h")
        let code = try reader.byte(at: 1)
        guard code == page.rawValue else { throw reader.malformed("the device sent page \(hexadecimal([code]))h") }
        let length: UInt16 = try reader.integer(at: 2)
        // A page longer than was asked for is cut by the device; every page here is still usable up to the cut.
        body = try reader.slice(at: 4, count: min(Int(length), bytes.count - 4))
    }
}

/// VPD page 00h: which pages the device has.
public struct SupportedPages: Hashable, Sendable {
    public var codes: Set<UInt8>
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        codes = Set(try VitalProductData(parsing: bytes, page: .supportedPages).body)
    }
    public func contains(_ page: VitalProductPage) -> Bool { codes.contains(page.rawValue) }
}

/// VPD page 80h: the unit serial number without its padding.
public struct UnitSerialNumber: Hashable, Sendable {
    public var text: String
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        text = trimmedASCII(try VitalProductData(parsing: bytes, page: .unitSerialNumber).body)
    }
}

/// VPD page 83h: the names of the logical unit, its port and its target device.
public struct DeviceIdentification: Hashable, Sendable {
    public struct Designator: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            case vendorSpecific, t10Vendor, eui64, naa, relativePort, portGroup, unitGroup, md5, scsiName
            case other(UInt8)
        }
        public enum Association: UInt8, Hashable, Sendable { case logicalUnit, targetPort, targetDevice, reserved }
        public var kind: Kind
        public var association: Association
        public var bytes: [UInt8]
        public init(kind: Kind, association: Association = .logicalUnit, bytes: [UInt8]) {
            self.kind = kind
            self.association = association
            self.bytes = bytes
        }
    }
    public var designators: [Designator]

    /// A list that ends in the middle of a designator gives those before it.
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let body = try VitalProductData(parsing: bytes, page: .deviceIdentification).body
        let reader = ByteReader(body, subject: "VPD page 83h")
        designators = []
        var at = 0
        while at + 4 <= reader.count {
            let type = try reader.byte(at: at + 1)
            let length = Int(try reader.byte(at: at + 3))
            guard let value = try? reader.slice(at: at + 4, count: length) else { break }
            // Two bits: the four cases are all values.
            let association = Designator.Association(rawValue: type >> 4 & 3) ?? .reserved
            designators.append(Designator(kind: .init(code: type & 0x0f), association: association, bytes: [UInt8](value)))
            at += 4 + length
        }
    }
}

extension DeviceIdentification.Designator.Kind {
    init(code: UInt8) {
        switch code {
        case 0: self = .vendorSpecific
        case 1: self = .t10Vendor
        case 2: self = .eui64
        case 3: self = .naa
        case 4: self = .relativePort
        case 5: self = .portGroup
        case 6: self = .unitGroup
        case 7: self = .md5
        case 8: self = .scsiName
        default: self = .other(code)
        }
    }
}
