import ClusterModel
import Foundation
import Testing

@Suite("Names and addresses")
struct NameTests {
    @Test("A name is a DNS label", arguments: ["a", "7", "web-1", String(repeating: "x", count: 63)])
    func goodNames(text: String) throws {
        #expect(try VMName(text).rawValue == text)
        #expect(try JSONDecoder().decode(NodeName.self, from: JSONEncoder().encode(NodeName(text))).description == text)
    }

    @Test(
        "Anything else is refused, also when it is decoded",
        arguments: ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "..", "a b", "ä", "a\n", "a\0", "٣", String(repeating: "x", count: 64)])
    func badNames(text: String) throws {
        #expect(throws: InvalidName(noun: "virtual machine name", text: text)) { try VMName(text) }
        #expect(throws: InvalidName(noun: "node name", text: text)) { try NodeName(text) }
        let encoded = try JSONEncoder().encode([text])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([VMName].self, from: encoded) }
    }

    @Test("Names sort by their text")
    func order() throws {
        #expect(try [VMName("b"), VMName("a10"), VMName("a")].sorted().map(\.rawValue) == ["a", "a10", "b"])
    }

    @Test("A MAC address is read in either case and written in lower case")
    func goodAddress() throws {
        let address = try #require(MACAddress("52:54:00:Ab:cD:0f"))
        #expect(address.bytes == [0x52, 0x54, 0, 0xab, 0xcd, 0x0f])
        #expect(address.description == "52:54:00:ab:cd:0f")
        #expect(try JSONDecoder().decode([MACAddress].self, from: JSONEncoder().encode([address])) == [address])
    }

    @Test(
        "No address: wrong length, group bit, signs, foreign digits",
        arguments: [
            "", ":::::", "52:54:00:12:34", "52:54:00:12:34:56:78", "52-54-00-12-34-56", "5:54:00:12:34:56", "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff", "+2:54:00:12:34:56", "-1:54:00:12:34:56", "52:54:00:12:34:5g", "52:54:00:12:34:56 ", "٣:54:00:12:34:56",
        ])
    func badAddress(text: String) throws {
        #expect(MACAddress(text) == nil)
        let encoded = try JSONEncoder().encode([text])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([MACAddress].self, from: encoded) }
    }
}
