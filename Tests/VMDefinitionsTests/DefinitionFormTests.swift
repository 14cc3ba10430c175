import ClusterModel
import Foundation
import Testing
import VMDefinitions

private let someID = UUID(uuidString: "2c1f7a90-0000-4000-8000-000000000001")!

@Suite("The documented form of a machine definition")
struct DefinitionFormTests {
    @Test("A full definition is read field by field")
    func full() throws {
        let text = """
            # the shop's web server
            name: web1
            uuid: 2C1F7A90-0000-4000-8000-000000000001
            memory: 2 GiB
            vcpus: 2
            cpu: Westmere
            machine: pc-i440fx-7.2
            firmware: { kernel: /srv/vmlinuz, initrd: "/srv/init,rd", commandLine: "console=ttyS0 quiet" }
            disks:
              - { name: system, size: 256 MiB }
              - { name: data, size: 1 TiB }
            networks:
              - { name: lan, mac: "52:54:00:AA:bb:01", bridge: br0 }
            vnc: true
            onCrash: stop
            """
        let definition = try VMDefinitionFile.parse(text, fileName: "web1.yaml")
        #expect(
            definition
                == VMDefinition(
                    name: try VMName("web1"), id: someID, memoryMiB: 2_048, vcpus: 2, cpuModel: "Westmere", machineType: "pc-i440fx-7.2",
                    firmware: .kernel(path: "/srv/vmlinuz", initrd: "/srv/init,rd", commandLine: "console=ttyS0 quiet"),
                    disks: [VMDisk(name: "system", byteCount: 256 << 20), VMDisk(name: "data", byteCount: 1 << 40)],
                    interfaces: [VMInterface(name: "lan", mac: try #require(MACAddress("52:54:00:aa:bb:01")), bridge: "br0")],
                    vnc: true, onCrash: .stop))
    }

    @Test("What is left out has a default; JSON is read alike")
    func defaults() throws {
        let yaml = try VMDefinitionFile.parse("name: a\nmemory: 64 MiB\n", fileName: "a.yaml", newID: someID)
        let json = try VMDefinitionFile.parse(#"{"name": "a", "memory": "64 MiB", "vcpus": 1}"#, fileName: "a.json", newID: someID)
        #expect(yaml == json)
        #expect(
            yaml
                == VMDefinition(
                    name: try VMName("a"), id: someID, memoryMiB: 64, vcpus: 1, cpuModel: "Nehalem", machineType: "pc-q35-7.2",
                    firmware: .bios, disks: [], interfaces: []))
    }

    @Test("A derived MAC address depends on the UUID and the adapter's name alone")
    func derivedAddress() throws {
        func addresses(_ id: String, _ networks: String) throws -> [String] {
            try VMDefinitionFile.parse("name: a\nuuid: \(id)\nmemory: 64 MiB\nnetworks: [\(networks)]", fileName: "a")
                .interfaces.map(\.mac.description)
        }
        let first = someID.uuidString
        let both = try addresses(first, "{name: lan, bridge: br0}, {name: san, bridge: br1}")
        #expect(both == ["52:54:96:3a:cc:4a", "52:54:a4:c8:f2:bf"])
        #expect(try addresses(first, "{name: san, bridge: other}") == [both[1]])
        #expect(try addresses("2c1f7a90-0000-4000-8000-000000000002", "{name: lan, bridge: br0}") != [both[0]])
    }

    @Test("Writing a definition and reading it again gives the same one", arguments: samples())
    func roundTrip(_ definition: VMDefinition) throws {
        try DefinitionRules.check(definition)
        let text = VMDefinitionFile.yaml(of: definition)
        #expect(try VMDefinitionFile.parse(text, fileName: "again.yaml") == definition)
    }

    static func samples() -> [VMDefinition] {
        let mac = MACAddress("52:54:00:00:00:01")!
        var plain = VMDefinition(
            name: VMName(unchecked: "null"), id: someID, memoryMiB: 983_040, vcpus: 64, cpuModel: "486", machineType: "pc-q35-7.2",
            firmware: .bios, disks: [VMDisk(name: "true", byteCount: 64 << 40), VMDisk(name: "1", byteCount: 1 << 20)],
            interfaces: [VMInterface(name: "no", mac: mac, bridge: "1e3")])
        var samples = [plain]
        plain.firmware = .uefi
        plain.vnc = true
        plain.onCrash = .stop
        samples.append(plain)
        for text in ["", "a: b # c", "quote \" back \\ slash", "'*&![]{}|>%@`", "ünïcödé \u{2028}\u{feff} 🐦", " leading and trailing "] {
            plain.firmware = .kernel(path: "/boot/" + text, initrd: text.isEmpty ? nil : "/" + text, commandLine: text)
            samples.append(plain)
        }
        return samples
    }

    @Test("Every disk and adapter the form allows fits into one definition")
    func largest() throws {
        let disks = (0..<16).map { "  - {name: disk-\($0), size: 1 GiB}" }.joined(separator: "\n")
        let networks = (0..<8).map { "  - {name: net-\($0), bridge: br\($0)}" }.joined(separator: "\n")
        let definition = try VMDefinitionFile.parse(
            "name: big\nmemory: 960 GiB\nvcpus: 64\ndisks:\n\(disks)\nnetworks:\n\(networks)\n", fileName: "big.yaml")
        #expect(definition.disks.count == 16)
        #expect(Set(definition.interfaces.map(\.mac)).count == 8)
    }
}
