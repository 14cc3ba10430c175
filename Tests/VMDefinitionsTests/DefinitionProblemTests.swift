import ClusterModel
import Foundation
import Testing
import VMDefinitions

/// The problems found in a text, as the operator reads them.
private func problems(_ text: String) -> [String] {
    do throws(DefinitionErrors) {
        _ = try VMDefinitionFile.parse(text, fileName: "m.yaml")
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite("What a wrong definition is told")
struct DefinitionProblemTests {
    @Test(
        "One wrong field, one precise sentence",
        arguments: [
            ("memory: 512 MB", "2: memory: \"512 MB\" is no size; write a whole number and MiB, GiB or TiB, as in 512 MiB."),
            ("memory: 512", "2: memory: \"512\" is no size; write a whole number and MiB, GiB or TiB, as in 512 MiB."),
            ("memory: -1 GiB", "2: memory: \"-1 GiB\" is no size; write a whole number and MiB, GiB or TiB, as in 512 MiB."),
            ("memory: 8 MiB", "2: memory: 8 MiB of memory; use 16 MiB to 960 GiB."),
            ("memory: 999999999 TiB", "2: memory: 1048575998951424 MiB of memory; use 16 MiB to 960 GiB."),
            (
                "memory: 99999999999999999999 GiB",
                "2: memory: \"99999999999999999999 GiB\" is no size; write a whole number and MiB, GiB or TiB, as in 512 MiB."
            ),
            ("memory:", "2: memory: is empty; give a value or leave the field out."),
            ("memory: [1]", "2: memory: is a list or a group of fields; give one value."),
            ("memory: 1 GiB\nvcpus: 65", "3: vcpus: 65 vCPUs; use 1 to 64."),
            ("memory: 1 GiB\nvcpus: 0", "3: vcpus: 0 vCPUs; use 1 to 64."),
            ("memory: 1 GiB\nvcpus: two", "3: vcpus: \"two\" is no number of vCPUs; use 1 to 64."),
            ("memory: 1 GiB\nvcpus: 99999999999999999999", "3: vcpus: \"99999999999999999999\" is no number of vCPUs; use 1 to 64."),
            (
                "memory: 1 GiB\nmachine: q35",
                "3: machine: \"q35\" is an alias whose meaning changes with QEMU, so two nodes could build different machines. "
                    + "Use a versioned type, for instance pc-q35-7.2 or pc-i440fx-7.2; `qemu-system-x86_64 -machine help` lists them."
            ),
            (
                "memory: 1 GiB\nmachine: pc-q35-7.2,accel=kvm",
                "3: machine: \"pc-q35-7.2,accel=kvm\" is no machine type. "
                    + "Use a versioned type, for instance pc-q35-7.2 or pc-i440fx-7.2; `qemu-system-x86_64 -machine help` lists them."
            ),
            (
                "memory: 1 GiB\ncpu: host",
                "3: cpu: \"host\" is whatever the host has, so the machine could not move to another one. "
                    + "Use a model that `qemu-system-x86_64 -cpu help` lists, for instance Nehalem, or the baseline x86-64-v2."
            ),
            (
                "memory: 1 GiB\ncpu: Nehalem,+vmx",
                "3: cpu: \"Nehalem,+vmx\" is no CPU model; features cannot be added to a model here. "
                    + "Use a model that `qemu-system-x86_64 -cpu help` lists, for instance Nehalem, or the baseline x86-64-v2."
            ),
            ("memory: 1 GiB\nvnc: yes", "3: vnc: \"yes\" is neither true nor false."),
            ("memory: 1 GiB\nonCrash: panic", "3: onCrash: \"panic\" is no policy; use restart or stop."),
            ("memory: 1 GiB\nuuid: 12", "3: uuid: \"12\" is no UUID; write it as 2c1f7a90-0000-4000-8000-000000000001."),
            (
                "memory: 1 GiB\ncolour: red",
                "3: \"colour\" is not known here; known are name, uuid, memory, vcpus, cpu, machine, firmware, disks, networks, vnc, "
                    + "onCrash."
            ),
            (
                "memory: 1 GiB\nfirmware: efi",
                "3: firmware: \"efi\" is no firmware; use bios, uefi, or { kernel: PATH, initrd: PATH, commandLine: TEXT }."
            ),
            (
                "memory: 1 GiB\nfirmware:\n  kernel: vmlinuz",
                "4: firmware.kernel: \"vmlinuz\" is no absolute path; it must start with / and exist on every node."
            ),
            (
                "memory: 1 GiB\nfirmware:\n  kernel: /k\n  commandLine: \"a\\nb\"",
                "5: firmware.commandLine: contains a control character; use one line of printable text."
            ),
            ("memory: 1 GiB\ndisks: {}", "3: disks: is no list; write [] for none, or one entry per line, each starting with a hyphen."),
            (
                "memory: 1 GiB\ndisks:\n  - name: Disk_1\n    size: 1 GiB",
                "4: disks[0].name: \"Disk_1\" is no disk name: use 1 to 20 lower-case letters, digits and hyphens, "
                    + "starting and ending with a letter or digit."
            ),
            (
                "memory: 1 GiB\ndisks:\n  - {name: a, size: 1 GiB}\n  - {name: a, size: 1 GiB}",
                "5: disks[1].name: \"a\" names two disks; give each a name of its own."
            ),
            (
                "memory: 1 GiB\ndisks:\n  - {name: a, size: 65 TiB}",
                "4: disks[0].size: 71468255805440 bytes; use whole MiB from 1 MiB to 64 TiB."
            ),
            (
                "memory: 1 GiB\ndisks:\n  - {name: a, size: 999999999 TiB}",
                "4: disks[0].size: 18446744073709551615 bytes; use whole MiB from 1 MiB to 64 TiB."
            ),
            (
                "memory: 1 GiB\nnetworks:\n  - {name: lan, bridge: \"br0,script=/bin/sh\"}",
                "4: networks[0].bridge: \"br0,script=/bin/sh\" is no bridge name; use 1 to 15 letters, digits, hyphens, dots and underscores, "
                    + "starting with a letter or digit."
            ),
            (
                "memory: 1 GiB\nnetworks:\n  - name: lan\n    mac: 01:00:5e:00:00:01\n    bridge: br0",
                "5: networks[0].mac: \"01:00:5e:00:00:01\" is no unicast MAC address; write it as 52:54:00:12:34:56 or leave it out."
            ),
            (
                "memory: 1 GiB\nnetworks:\n  - {name: lan}",
                "4: networks[0].bridge: is missing; it names the bridge of the node to plug into."
            ),
        ])
    func oneProblem(body: String, expected: String) {
        #expect(problems("name: web1\n" + body) == ["m.yaml:" + expected])
    }

    @Test("All problems come at once, in the order of the file")
    func allProblems() {
        let found = problems(
            """
            name: Web_1
            memory: lots
            vcpus: 100
            disks:
              - size: 3 GB
            networks:
              - {name: lan, mac: nonsense, bridge: br0}
              - {name: lan, bridge: /dev}
            """)
        #expect(
            found.map { $0.split(separator: ": ").prefix(2).joined(separator: ": ") } == [
                "m.yaml:1: name", "m.yaml:2: memory", "m.yaml:3: vcpus", "m.yaml:5: disks[0].name", "m.yaml:5: disks[0].size",
                "m.yaml:7: networks[0].mac", "m.yaml:8: networks[1].name", "m.yaml:8: networks[1].bridge",
            ])
    }

    @Test("Names that would not fit into a partition table are refused")
    func extentNames() {
        let name = String(repeating: "n", count: 31)
        #expect(problems("name: \(name)\nmemory: 1 GiB\ndisks: [{name: data, size: 1 GiB}]").isEmpty)
        #expect(problems("name: \(name)\nmemory: 1 GiB\ndisks: [{name: datas, size: 1 GiB}]").count == 1)
        #expect(problems("name: \(name)\nmemory: 1 GiB\nfirmware: uefi").count == 1)
        #expect(problems("name: n\nmemory: 1 GiB\nfirmware: uefi\ndisks: [{name: uefi-variables, size: 1 GiB}]").count == 1)
    }

    @Test("Too many disks or adapters are refused by number")
    func tooMany() {
        let disks = (0..<17).map { "{name: d\($0), size: 1 MiB}" }.joined(separator: ", ")
        #expect(problems("name: n\nmemory: 1 GiB\ndisks: [\(disks)]") == ["m.yaml:3: disks: 17 disks; a machine has at most 16."])
        let adapters = (0..<9).map { "{name: n\($0), bridge: br0}" }.joined(separator: ", ")
        #expect(
            problems("name: n\nmemory: 1 GiB\nnetworks: [\(adapters)]")
                == ["m.yaml:3: networks: 9 network adapters; a machine has at most 8."])
    }

    @Test("A definition that did not come from a file is held to the same rules")
    func withoutFile() throws {
        var definition = try VMDefinitionFile.parse("name: a\nmemory: 1 GiB\ndisks: [{name: d, size: 1 MiB}]", fileName: "a")
        definition.memoryMiB = .min
        definition.disks[0].byteCount = 1_000
        definition.cpuModel = "max"
        #expect(DefinitionRules.problems(in: definition).map(\.field) == ["memory", "cpu", "disks[0].size"])
        #expect(throws: DefinitionErrors.self) { try DefinitionRules.check(definition) }
    }
}
