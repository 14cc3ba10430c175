import Testing

@testable import Validation

@Suite("Text from outside")
struct ParsingTests {
    @Test("Processors are counted by sockets and cores")
    func processors() {
        let text = """
            processor\t: 0
            vendor_id\t: GenuineIntel
            cpu family\t: 6
            model\t\t: 85
            model name\t: Intel(R)  Xeon(R) Gold
            physical id\t: 0
            core id\t\t: 0
            flags\t\t: vmx fpu avx2

            processor\t: 1
            physical id\t: 0
            core id\t\t: 0

            processor\t: 2
            physical id\t: 1
            core id\t\t: 0
            """
        let facts = ProcessorText.facts(text)
        #expect(facts.vendor == "GenuineIntel")
        #expect(facts.model == "Intel(R) Xeon(R) Gold")
        #expect(facts.family == 6 && facts.modelNumber == 85)
        #expect(facts.features == ["avx2", "fpu", "vmx"])
        #expect(facts.threads == 3 && facts.sockets == 2 && facts.cores == 2)
    }

    static let hostile = [
        "", "\n\n\n", ":", ": :", "a:", "=", "=x", "\0\0", "[", "]", "][", "[]", String(repeating: "a:b\n", count: 10_000),
        "processor:", "MemTotal: 18446744073709551615 kB", "MemTotal: -1 kB", "\u{FFFD}: 1", "{}", "[{}]", "null", "[1]",
        "[{\"ifname\":1}]",
        "  sl\n 0: XX:YY 0 0A", " 0: 00000000000000000000000000000000:FFFFF 0 0A\n 1: 0:0 0 0A", "1 2 3 4 5 6 - nfs", "- - - -",
        "1 2 3 4 \\999\\04 rw - nfs4 s rw", "a,b,99999999999999999999,c,nan", ",,,,", ",,1,,inf",
        "Limit                     Soft Limit\nMax open files            99999999999999999999 x",
    ]

    @Test("Nothing that is no such text makes facts or traps", arguments: hostile)
    func hostileInput(text: String) {
        let processors = ProcessorText.facts(text)
        #expect(processors.threads == nil || text.contains("processor"))
        #expect(SettingText.memory(text).values.allSatisfy { $0 % 1_024 == 0 })
        _ = SettingText.assignments(text)
        #expect(SettingText.chosen(text)?.isEmpty != true)
        #expect(SettingText.limits(text)["Max open files"] == nil)
        #expect(SettingText.units(text).isEmpty)
        #expect(SettingText.packages(text, names: ["a"]).map(\.version) == [nil])
        #expect(SettingText.chrony(text) == nil)
        #expect((try? NetworkText.adapters(text))?.isEmpty ?? true)
        #expect((try? NetworkText.vlans(text))?.isEmpty ?? true)
        #expect(NetworkText.listeners(text, transport: "tcp").isEmpty)
        _ = NetworkText.shares(text)
        #expect(IPNetwork(text) == nil)
    }

    @Test("Limits, units, packages, chrony")
    func settings() {
        let limits = SettingText.limits(
            """
            Limit                     Soft Limit           Hard Limit           Units
            Max locked memory         8388608              8388608              bytes
            Max open files            unlimited            unlimited            files
            """)
        #expect(limits["Max locked memory"] == 8_388_608)
        #expect(limits["Max open files"] == .some(nil))
        let units = SettingText.units(
            "Id=a.service\nLoadState=loaded\nActiveState=failed\nUnitFileState=\n\nId=b.service\nLoadState=not-found\nActiveState=inactive\n"
        )
        #expect(
            units == [
                ServiceFacts(name: "a.service", activeState: "failed", enabledState: nil),
                ServiceFacts(name: "b.service", activeState: nil, enabledState: nil),
            ])
        #expect(
            SettingText.packages("qemu\t1:7.2\tinstalled\nold\t1\tconfig-files\n", names: ["qemu", "old"]).map(\.version) == ["1:7.2", nil])
        let tracking = SettingText.chrony("C0A80101,gate,3,1700000000.1,-0.002000000,0,0,0,0,0,0,0,64.0,Normal")
        #expect(tracking?.source == "gate" && tracking?.stratum == 3 && tracking?.offsetMilliseconds == -2)
        #expect(SettingText.chosen("always [madvise] never") == "madvise")
        #expect(SettingText.assignments("# x\nID=debian\nNAME=\"Debian GNU\"\n")["NAME"] == "Debian GNU")
    }

    @Test("Adapters as ip tells them")
    func adapters() throws {
        let json = """
            [{"ifname":"lo"},{"ifname":"bond0","flags":["UP","LOWER_UP"],"mtu":9000,"master":"br0","link_type":"ether","address":"aa:bb:cc:00:11:22",
            "linkinfo":{"info_kind":"bond"},"addr_info":[{"local":"10.0.0.1","prefixlen":24},{"local":"x","prefixlen":999}],
            "stats64":{"rx":{"errors":3,"dropped":9223372036854775807},"tx":{"errors":0,"dropped":9223372036854775807}}}]
            """
        let adapter = try #require(try NetworkText.adapters(json).first)
        #expect(adapter.name == "bond0" && adapter.kind == "bond" && adapter.mtu == 9_000 && adapter.upper == "br0")
        #expect(adapter.addresses == ["10.0.0.1/24"] && adapter.isUp == true && adapter.hasCarrier == true && adapter.receiveErrors == 3)
        #expect(
            try NetworkText.vlans(
                "[{\"ifname\":\"e\",\"vlans\":[{\"vlan\":10,\"vlanEnd\":12},{\"vlan\":1},{\"vlan\":5000},{\"vlan\":9,\"vlanEnd\":2}]}]")
                == ["e": [1, 10, 11, 12]])
    }

    @Test("Sockets that listen, and shares")
    func kernelTables() {
        let tcp = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
               0: 0100007F:1B94 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
               1: 0100007F:1B95 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0
            """
        #expect(
            NetworkText.listeners(tcp, transport: "tcp") == [
                ListenerFacts(transport: "tcp", address: "127.0.0.1", port: 7_060, program: nil)
            ])
        let shares = NetworkText.shares(
            "36 35 98:0 / /mnt/a\\040b rw,noatime master:1 - nfs4 srv:/export rw,hard\n22 27 0:21 / /proc rw - proc proc rw\n")
        #expect(
            shares == [
                ShareFacts(path: "/mnt/a b", kind: "nfs4", source: "srv:/export", options: ["hard", "noatime", "rw"], freeBytes: nil)
            ])
    }

    @Test(
        "Networks of addresses",
        arguments: [
            ("10.0.1.11/24", "10.0.1.0/24"), ("10.0.1.11/25", "10.0.1.0/25"), ("10.0.1.200/25", "10.0.1.128/25"),
            ("1.2.3.4/0", "0.0.0.0/0"), ("fd00::5/64", "fd00::/64"), ("10.0.0.1", "10.0.0.1/32"),
        ])
    func networks(text: String, network: String) { #expect(IPNetwork(text)?.networkText == network) }

    @Test("Addresses that are none", arguments: ["10.0.0.1/33", "10.0.0.1/-1", "10.0.0.256/8", "fd00::1/129", "/", "1.2.3.4/", "\0"])
    func badNetworks(text: String) { #expect(IPNetwork(text) == nil) }
}
