import ClusterModel
import Foundation
import Testing

@testable import QEMU

/// Definitions and settings that the tests of this target share.
enum Sample {
    static let id = UUID(uuidString: "2c1f7a90-0000-4000-8000-000000000001")!
    static let extent = Extent(disk: DiskID("LUN2"), byteOffset: 4 << 20, byteCount: 256 << 20)

    static func definition(
        name: String = "web1", machineType: String = "pc-q35-7.2", firmware: Firmware = .bios, disks: Int = 1, interfaces: Int = 0,
        memoryMiB: Int = 64, vnc: Bool = false
    ) -> VMDefinition {
        VMDefinition(
            name: VMName(unchecked: name), id: id, memoryMiB: memoryMiB, vcpus: 2, cpuModel: "Nehalem", machineType: machineType,
            firmware: firmware, disks: (0..<disks).map { VMDisk(name: "data\($0)", byteCount: 256 << 20) },
            interfaces: (0..<interfaces).map { VMInterface(name: "lan\($0)", mac: MACAddress("52:54:00:00:00:0\($0)")!, bridge: "br0") },
            vnc: vnc)
    }

    static func machine(_ definition: VMDefinition) -> VirtualMachine {
        VirtualMachine(
            definition: definition, extents: [:], firmwareVariables: nil, ownershipSlot: OwnershipSlot(disk: DiskID("LUN2"), index: 0))
    }

    static func settings(
        for definition: VMDefinition, folder: String = "/run/apus/machines/web1", isIncoming: Bool = false,
        attachment: (VMDisk) -> DiskAttachment = { .nbd(socket: "/run/apus/data.sock", export: "web1/" + $0.name) }
    ) -> MachineHostSettings {
        MachineHostSettings(
            acceleration: .tcg, folder: MachineFolder(path: folder),
            attachments: Dictionary(uniqueKeysWithValues: definition.disks.map { ($0.name, attachment($0)) }),
            taps: Dictionary(
                uniqueKeysWithValues: definition.interfaces.enumerated().map {
                    ($0.element.name, TapDevice(machine: definition.id, adapter: $0.offset).name)
                }), isIncoming: isIncoming)
    }

    static func commandLine(_ definition: VMDefinition, isIncoming: Bool = false) throws -> QEMUCommandLine {
        try QEMUCommandLine(machine(definition), on: settings(for: definition, isIncoming: isIncoming))
    }
}

extension QEMUCommandLine {
    /// One option and its argument a line, as a person would write it down.
    var listing: String {
        var text = ""
        for argument in arguments { text += (text.isEmpty ? "" : argument.hasPrefix("-") ? "\n" : " ") + argument }
        return text
    }
    func options(_ name: String) -> [String] {
        arguments.indices.dropLast().filter { arguments[$0] == name }.map { arguments[$0 + 1] }
    }
}

@Suite("Command lines")
struct CommandLineTests {
    @Test("A machine with an iSCSI disk, an adapter and direct kernel boot, word for word")
    func iscsi() throws {
        let definition = Sample.definition(
            firmware: .kernel(path: "/srv/vmlinuz", initrd: "/srv/initrd", commandLine: "console=ttyS0"), interfaces: 1)
        var settings = Sample.settings(for: definition) { _ in
            .iscsi(
                ISCSIAttachment(
                    portal: "10.77.0.1:3260", target: "iqn.2025-01.io.apus:san", lun: 2, initiator: "iqn.2025-01.io.apus:n1", user: "apus",
                    secret: "lab-secret-123456", extent: Sample.extent))
        }
        settings.isIncoming = true
        let commandLine = try QEMUCommandLine(Sample.machine(definition), on: settings)
        #expect(
            commandLine.listing == #"""
                -nodefaults
                -no-user-config
                -name web1,debug-threads=on
                -uuid 2c1f7a90-0000-4000-8000-000000000001
                -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
                -msg timestamp=on
                -no-shutdown
                -chardev socket,id=control,path=/run/apus/machines/web1/qmp.sock,server=on,wait=off
                -mon chardev=control,mode=control
                -chardev socket,id=events,path=/run/apus/machines/web1/qmp-events.sock,server=on,wait=off
                -mon chardev=events,mode=control
                -kernel /srv/vmlinuz
                -initrd /srv/initrd
                -append console=ttyS0
                -machine pc-q35-7.2,memory-backend=pc.ram,dump-guest-core=off,usb=off,vmport=off,smm=off
                -accel tcg,thread=multi,tb-size=256
                -cpu Nehalem,enforce
                -smp cpus=2,sockets=1,cores=2,threads=1
                -m size=65472K
                -object {"qom-type":"memory-backend-ram","id":"pc.ram","size":67043328}
                -rtc base=utc
                -boot strict=on,menu=off
                -object {"qom-type":"rng-builtin","id":"entropy"}
                -chardev socket,id=serial0,path=/run/apus/machines/web1/serial.sock,server=on,wait=off,logfile=/run/apus/machines/web1/serial.log,logappend=on
                -device {"driver":"isa-serial","id":"com1","chardev":"serial0","index":0}
                -display none
                -device {"driver":"pcie-root-port","id":"port-rng","bus":"pcie.0","addr":"0x5.0x0","multifunction":true,"chassis":32}
                -device {"driver":"virtio-rng-pci","id":"rng0","rng":"entropy","bus":"port-rng","addr":"0x0"}
                -netdev {"type":"tap","id":"tap0","ifname":"ap2d5f7a1000-0","script":"no","downscript":"no","vnet_hdr":true,"vhost":false}
                -device {"driver":"pcie-root-port","id":"port-net0","bus":"pcie.0","addr":"0x2.0x0","multifunction":true,"chassis":1}
                -device {"driver":"virtio-net-pci","id":"net0","netdev":"tap0","mac":"52:54:00:00:00:00","romfile":"","ctrl_vlan":false,"bus":"port-net0","addr":"0x0"}
                -object {"qom-type":"secret","id":"disk0-secret","file":"/run/apus/machines/web1/disk0-secret"}
                -blockdev {"driver":"iscsi","node-name":"disk0-lun","transport":"tcp","portal":"10.77.0.1:3260","target":"iqn.2025-01.io.apus:san","lun":2,"initiator-name":"iqn.2025-01.io.apus:n1","user":"apus","password-secret":"disk0-secret"}
                -blockdev {"driver":"raw","node-name":"disk0","file":"disk0-lun","offset":4194304,"size":268435456}
                -device {"driver":"pcie-root-port","id":"port-disk0","bus":"pcie.0","addr":"0x3.0x0","multifunction":true,"chassis":16}
                -device {"driver":"virtio-blk-pci","id":"disk0","drive":"disk0","serial":"data0","bootindex":1,"werror":"stop","rerror":"stop","bus":"port-disk0","addr":"0x0"}
                -S
                -incoming defer
                """#)
        #expect(commandLine.secrets == ["disk0-secret": "lab-secret-123456"])
        #expect(!commandLine.arguments.contains { $0.contains("lab-secret") })
    }

    @Test("A UEFI machine on i440FX with two NBD disks and a display: what differs")
    func uefi() throws {
        let definition = Sample.definition(machineType: "pc-i440fx-7.2", firmware: .uefi, disks: 2, vnc: true)
        var settings = Sample.settings(for: definition)
        settings.acceleration = .kvm
        settings.firmwareVariables = .hostDevice(
            path: "/dev/disk/by-id/wwn-1", extent: Extent(disk: DiskID("L"), byteOffset: 1 << 20, byteCount: 1 << 20))
        let commandLine = try QEMUCommandLine(Sample.machine(definition), on: settings)
        #expect(
            commandLine.options("-blockdev") == [
                #"{"driver":"file","node-name":"firmware-code-file","filename":"/usr/share/OVMF/OVMF_CODE_4M.fd","read-only":true}"#,
                #"{"driver":"raw","node-name":"firmware-code","file":"firmware-code-file","read-only":true}"#,
                #"{"driver":"host_device","node-name":"firmware-variables-lun","filename":"/dev/disk/by-id/wwn-1","locking":"off","aio":"native","cache":{"direct":true,"no-flush":false}}"#,
                #"{"driver":"raw","node-name":"firmware-variables","file":"firmware-variables-lun","offset":1048576,"size":540672}"#,
                #"{"driver":"nbd","node-name":"disk0-lun","server":{"type":"unix","path":"/run/apus/data.sock"},"export":"web1/data0","reconnect-delay":60}"#,
                #"{"driver":"raw","node-name":"disk0","file":"disk0-lun"}"#,
                #"{"driver":"nbd","node-name":"disk1-lun","server":{"type":"unix","path":"/run/apus/data.sock"},"export":"web1/data1","reconnect-delay":60}"#,
                #"{"driver":"raw","node-name":"disk1","file":"disk1-lun"}"#,
            ])
        #expect(
            commandLine.options("-device") == [
                #"{"driver":"isa-serial","id":"com1","chardev":"serial0","index":0}"#,
                #"{"driver":"VGA","id":"vga","bus":"pci.0","addr":"0x2"}"#,
                #"{"driver":"virtio-rng-pci","id":"rng0","rng":"entropy","bus":"pci.0","addr":"0x3"}"#,
                #"{"driver":"virtio-blk-pci","id":"disk0","drive":"disk0","serial":"data0","bootindex":1,"werror":"stop","rerror":"stop","bus":"pci.0","addr":"0xc"}"#,
                #"{"driver":"virtio-blk-pci","id":"disk1","drive":"disk1","serial":"data1","bootindex":2,"werror":"stop","rerror":"stop","bus":"pci.0","addr":"0xd"}"#,
            ])
        #expect(commandLine.options("-machine")[0].hasSuffix(",pflash0=firmware-code,pflash1=firmware-variables"))
        #expect(commandLine.options("-accel") == ["kvm"])
        #expect(commandLine.options("-vnc") == ["unix:/run/apus/machines/web1/vnc.sock"])
        #expect(commandLine.options("-incoming").isEmpty && !commandLine.arguments.contains("-display"))
        #expect(commandLine.arguments.contains("-S"))
    }

    @Test("Adding a disk or an adapter moves no other device", arguments: ["pc-q35-7.2", "pc-i440fx-7.2"])
    func stableAddresses(machineType: String) throws {
        var before: Set<String> = []
        var addresses: Set<String> = []
        for count in 0...16 {
            let definition = Sample.definition(machineType: machineType, disks: count, interfaces: min(count, 8), vnc: true)
            let devices = try Sample.commandLine(definition).options("-device")
            let now = Set(devices)
            #expect(now.count == devices.count)
            #expect(before.isSubset(of: now), "\(count) disks: \(before.subtracting(now))")
            before = now
            addresses = Set(
                devices.compactMap { device in
                    device.range(of: #""bus":.*"addr":"[^"]*""#, options: .regularExpression).map { String(device[$0]) }
                })
            // The console is the only device that is not on the PCI bus.
            #expect(addresses.count == devices.count - 1)
        }
        #expect(addresses.count == (machineType.contains("q35") ? 2 * (1 + 8 + 16) + 1 : 1 + 1 + 8 + 16))
    }

    @Test(
        "Memory under TCG never has a size that QEMU tracks in the quick way",
        arguments: [16, 64, 255, 256, 3_071, 8_192, 983_040])
    func memorySize(mebibytes: Int) throws {
        let whole = UInt64(mebibytes) << 20
        let memory = GuestMemory(mebibytes: mebibytes, acceleration: .tcg)
        #expect(memory.byteCount % GuestMemory.quickSyncByteCount != 0 && memory.byteCount < whole)
        // QEMU rounds `-m` up to 8 KiB (vl.c), and the backend must have the same size.
        #expect(memory.byteCount % 8_192 == 0 && memory.text == "\(memory.byteCount / 1_024)K")
        let kvm = GuestMemory(mebibytes: mebibytes, acceleration: .kvm)
        #expect(kvm.byteCount == whole && kvm.text == "\(mebibytes)M")
    }

    @Test("A memory size that no number holds is no trap", arguments: [Int.min, -1, 0, .max])
    func hostileMemorySize(mebibytes: Int) throws {
        for acceleration in [Acceleration.tcg, .kvm] { _ = GuestMemory(mebibytes: mebibytes, acceleration: acceleration).text }
    }

    @Test("Hostile text stays inside its option")
    func hostileText() throws {
        let nasty = "x,script=/bin/sh\",\"y\":\"\\\n"
        var definition = Sample.definition(interfaces: 1)
        definition.name = VMName(unchecked: nasty)
        definition.cpuModel = nasty
        definition.machineType = nasty
        definition.disks[0].name = nasty
        definition.interfaces[0].name = nasty
        definition.vnc = true
        var settings = Sample.settings(for: definition, folder: "/tmp/a,b") { _ in .nbd(socket: nasty, export: nasty) }
        settings.taps = [nasty: nasty]
        let commandLine = try QEMUCommandLine(Sample.machine(definition), on: settings)
        for option in commandLine.arguments where option.hasPrefix("{") {
            // Every JSON option reads back with exactly the text that went in.
            let object = try #require(try JSONSerialization.jsonObject(with: Data(option.utf8)) as? [String: Any], "\(option)")
            for key in ["ifname", "serial", "export"] { if let value = object[key] as? String { #expect(value == nasty) } }
            #expect(object["y"] == nil && object["script"] as? String != "/bin/sh")
        }
        for option in commandLine.arguments where !option.hasPrefix("{") {
            // In the other options a single comma ends a member; none of those in the text is single.
            let members = option.replacingOccurrences(of: ",,", with: "").split(separator: ",")
            #expect(!members.contains { $0.hasPrefix("script=") }, "\(option)")
        }
        #expect(commandLine.options("-vnc") == ["unix:/tmp/a,,b/vnc.sock"])
    }

    @Test("What is missing on the node is said before anything starts")
    func missing() throws {
        let definition = Sample.definition(interfaces: 1)
        let machine = Sample.machine(definition)
        var settings = Sample.settings(for: definition)
        settings.attachments = [:]
        #expect(throws: CommandLineError.noAttachment(definition.name, disk: "data0")) { try QEMUCommandLine(machine, on: settings) }
        settings = Sample.settings(for: definition)
        settings.taps = [:]
        #expect(throws: CommandLineError.noTap(definition.name, interface: "lan0")) { try QEMUCommandLine(machine, on: settings) }
        settings = Sample.settings(for: definition, folder: "/" + String(repeating: "d", count: 100))
        #expect(throws: CommandLineError.self) { try QEMUCommandLine(machine, on: settings) }
        let uefi = Sample.definition(firmware: .uefi)
        #expect(throws: CommandLineError.noFirmwareVariables(uefi.name)) {
            try QEMUCommandLine(Sample.machine(uefi), on: Sample.settings(for: uefi))
        }
    }
}
