import ClusterModel
import SCSI

extension DiskID {
    /// The identity of a logical unit from what it says about itself, or nil when it says nothing that could be unique.
    ///
    /// 1. An NAA designator of the logical unit with an IEEE company identifier (SPC-4 7.8.6.6): types 6, 5 and 2 in this order.
    /// 2. An EUI-64 designator with a company identifier.
    /// 3. The T10 vendor designator with the unit serial number, or vendor and product in place of the designator.
    ///
    /// NAA type 3 is locally assigned, so it is never used. A company identifier of zero says the same of the other types: no maker of
    /// arrays has it, and tgt builds `6000 0000 0…` from its target and unit numbers, so that two tgt daemons offer the same one.
    /// Both halves of rule 3 are in the name because some arrays repeat the serial number and others the designator.
    public init?(inquiry: StandardInquiry, serial: String, designators: [DeviceIdentification.Designator]) {
        let own = designators.filter { $0.association == .logicalUnit }
        for type: UInt8 in [6, 5, 2] {
            if let naa = own.first(where: { $0.kind == .naa && Self.isAssigned(naa: $0.bytes, type: type) }) {
                self.init("naa." + hexadecimal(naa.bytes))
                return
            }
        }
        if let eui = own.first(where: { $0.kind == .eui64 && Self.isAssigned(eui: $0.bytes) }) {
            self.init("eui." + hexadecimal(eui.bytes))
            return
        }
        let t10 = own.lazy.filter { $0.kind == .t10Vendor }.map { trimmedASCII($0.bytes) }.first { !$0.isEmpty }
        guard t10 != nil || !serial.isEmpty else { return nil }
        let parts = t10.map { [$0] } ?? [inquiry.vendor, inquiry.product]
        self.init("t10." + (parts + [serial]).map(Self.printable).filter { !$0.isEmpty }.joined(separator: "-"))
    }

    private static func isAssigned(naa bytes: [UInt8], type: UInt8) -> Bool {
        guard bytes.count == (type == 6 ? 16 : 8), bytes[0] >> 4 == type else { return false }
        // Type 2 has the company after twelve vendor bits, 5 and 6 right after the type.
        let company: [UInt8] = type == 2 ? Array(bytes[2...4]) : [bytes[0] & 0x0f, bytes[1], bytes[2], bytes[3] & 0xf0]
        return company.contains { $0 != 0 }
    }

    /// EUI-64 comes in 8, 12 or 16 bytes; the company is in the first three, or after eight of extension in the longest.
    private static func isAssigned(eui bytes: [UInt8]) -> Bool {
        switch bytes.count {
        case 8, 12: bytes[0..<3].contains { $0 != 0 }
        case 16: bytes[8..<11].contains { $0 != 0 }
        default: false
        }
    }

    /// Identities appear on command lines and in file names: anything but letters, digits, dot and underscore becomes one hyphen.
    private static func printable(_ text: String) -> String {
        text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "_")) }.joined(separator: "-")
    }
}
