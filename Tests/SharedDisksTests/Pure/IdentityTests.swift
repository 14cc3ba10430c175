import ClusterModel
import SCSI
import Testing

@testable import SharedDisks

@Suite("Disk identity")
struct IdentityTests {
    typealias Designator = DeviceIdentification.Designator

    static func bytes(_ digits: String) -> [UInt8] {
        let digits = Array(digits.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }
    static func naa(_ digits: String) -> Designator { Designator(kind: .naa, bytes: bytes(digits)) }
    static let t10 = Designator(kind: .t10Vendor, bytes: Array("APUSLUN00000001\0\0\0".utf8))

    @Test(
        "The first rule that fits",
        arguments: [
            ([naa("6001405aabbccddeeff0011223344556")], "naa.6001405aabbccddeeff0011223344556"),
            ([naa("5000c50012345678"), naa("6001405aabbccddeeff0011223344556")], "naa.6001405aabbccddeeff0011223344556"),
            ([naa("5000c50012345678")], "naa.5000c50012345678"),
            ([naa("2001405000000001")], "naa.2001405000000001"),
            // tgt: NAA 3 is local, NAA 6 has no company. Both come from its numbering.
            ([t10, naa("3000000100000002"), naa("60000000000000000e00000000010002")], "t10.APUSLUN00000001-SN-1"),
            ([Designator(kind: .eui64, bytes: bytes("0014050000000001"))], "eui.0014050000000001"),
            ([Designator(kind: .eui64, bytes: bytes("0000000000000001")), t10], "t10.APUSLUN00000001-SN-1"),
            // A designator of the port or the array names something else.
            ([Designator(kind: .naa, association: .targetPort, bytes: bytes("5000c50012345678"))], "t10.VEND-PROD-SN-1"),
            ([naa("6001405aabbc")], "t10.VEND-PROD-SN-1"), ([naa("")], "t10.VEND-PROD-SN-1"), ([], "t10.VEND-PROD-SN-1"),
        ] as [([Designator], String)])
    func identity(designators: [Designator], expected: String) throws {
        let raw = [0, 0, 5, 2, 31, 0, 0, 2] + Array("VEND    PROD            1.0 ".utf8)
        let id = DiskID(inquiry: try StandardInquiry(parsing: raw), serial: "SN 1", designators: designators)
        #expect(id?.rawValue == expected)
    }

    @Test("Nothing unique, no identity")
    func none() throws {
        let raw = [0, 0, 5, 2, 31, 0, 0, 2] + Array("VEND    PROD            1.0 ".utf8)
        let inquiry = try StandardInquiry(parsing: raw)
        #expect(DiskID(inquiry: inquiry, serial: "", designators: [Self.naa("3000000100000002")]) == nil)
        #expect(DiskID(inquiry: inquiry, serial: "", designators: [Designator(kind: .t10Vendor, bytes: [0, 0])]) == nil)
    }
}
