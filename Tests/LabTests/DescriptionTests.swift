import ClusterModel
import Lab
import Testing

struct DescriptionTests {
    @Test(
        "Rates are read with their units",
        arguments: [
            ("1Gbit", 1_000_000_000), ("2.5Gbit/s", 2_500_000_000), ("100mbit", 100_000_000), ("64 kbit", nil), ("64kbps", 64_000),
            ("1000", 1_000), ("999", nil), ("0", nil), ("", nil), ("bit", nil), ("Gbit", nil), ("-1Gbit", nil), ("1e9", nil),
            ("200Gbit", nil), ("99999999999999999999Gbit", nil), ("1furlong", nil), ("1.2.3Gbit", nil), ("١Gbit", nil),
        ] as [(String, UInt64?)])
    func rate(text: String, bitsPerSecond: UInt64?) {
        #expect(BitRate(text)?.bitsPerSecond == bitsPerSecond)
    }

    @Test(
        "Rates are shown in the unit that fits",
        arguments: [("1Gbit", "1 Gbit/s"), ("2.5Gbit", "2.5 Gbit/s"), ("1500kbit", "1.5 Mbit/s"), ("1234", "1234 bit/s")])
    func rateDescription(text: String, shown: String) {
        #expect(BitRate(text)?.description == shown)
    }

    @Test(
        "A prefix is 1 to 6 lower-case letters",
        arguments: [
            ("lab", true), ("abcdef", true), ("", false), ("abcdefg", false), ("a1", false), ("A", false), ("a/b", false), ("..", false),
            ("é", false),
        ])
    func prefix(text: String, isAllowed: Bool) {
        #expect(((try? LabDescription(prefix: text)) != nil) == isAllowed)
    }

    @Test("A lab has 1 to 16 nodes", arguments: [(0, false), (1, true), (16, true), (17, false), (-1, false)])
    func nodes(count: Int, isAllowed: Bool) {
        #expect(((try? LabDescription(nodeCount: count)) != nil) == isAllowed)
    }

    @Test("One or two links, and as many networks for them", arguments: [(0, nil), (1, 4), (2, 5), (3, nil)] as [(Int, Int?)])
    func links(count: Int, networks: Int?) throws {
        let description = try? LabDescription(clusterLinks: count)
        #expect(description?.networks.count == networks)
        guard let description else { return }
        // Names of interfaces have at most 15 characters (IFNAMSIZ).
        let interfaces = Set(description.networks.map(\.interface))
        #expect(interfaces.count == networks && interfaces.allSatisfy { $0.utf8.count < 16 })
        #expect(Set(description.networks.map { $0.address(ofNode: 7) }).count == networks)
    }

    @Test(
        "Disks have a sensible size and a plain name",
        arguments: [
            ("CSV", 1 << 20, true), ("CSV", 0, false), ("CSV", 1_000_000, false), ("CSV", 1 << 45, false), ("A,scsi_sn=x", 1 << 20, false),
            ("A;reboot", 1 << 20, false), ("", 1 << 20, false),
        ] as [(String, UInt64, Bool)])
    func disks(product: String, byteCount: UInt64, isAllowed: Bool) {
        let disks = [LabDisk(product: product, byteCount: byteCount)]
        #expect(((try? LabDescription(disks: disks)) != nil) == isAllowed)
    }

    @Test(
        "A guest's addresses follow from its MAC address",
        arguments: [
            ("52:54:00:77:01:0a", "10.77.1.10", "fd77::10a"), ("52:54:00:00:00:01", "10.77.0.1", "fd77::1"),
            ("52:54:00:77:ff:fe", nil, nil),
            ("52:54:00:77:00:00", nil, nil), ("02:54:00:77:01:0a", nil, nil), ("52:54:00:77:01", nil, nil), ("52:54:00:77:01:+a", nil, nil),
        ] as [(String, String?, String?)])
    func addresses(mac: String, v4: String?, v6: String?) {
        let found = LabGuest.addresses(mac: mac)
        #expect(found?.v4 == v4)
        #expect(found?.v6 == v6)
    }
}
