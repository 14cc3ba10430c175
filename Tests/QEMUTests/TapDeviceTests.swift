import ClusterModel
import Foundation
import Glibc
import Testing

@testable import QEMU

@Suite("Tap devices", .serialized, .timeLimit(.minutes(1)))
struct TapDeviceTests {
    private static let mac = MACAddress("52:54:00:12:34:56")!

    @Test("A tap is made, plugged in and removed, in a namespace of the test's own")
    func lifecycle() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let tap = TapDevice(machine: Sample.id, adapter: 0)
        try await inOwnNamespaces(bed) {
            _ = try runHere("/sbin/ip", "link", "add", "br0", "type", "bridge")
            _ = try runHere("/sbin/ip", "link", "set", "br0", "mtu", "9000", "up")
            try tap.createBlocking(bridge: "br0", mac: Self.mac, user: bed.user)
            let shown = try runHere("/sbin/ip", "-d", "link", "show", tap.name)
            for fact in [
                "mtu 9000", "master br0", ",UP", "fe:54:00:12:34:56", "type tap", "vnet_hdr on", "persist on", "user apus-qemu",
                "addrgenmode none",
            ] {
                #expect(shown.contains(fact), "\(fact): \(shown)")
            }
            // Left over from a node service that crashed: taken over, also when it hangs on another bridge.
            _ = try runHere("/sbin/ip", "link", "add", "br1", "type", "bridge")
            try tap.createBlocking(bridge: "br1", mac: Self.mac, user: bed.user)
            #expect(try runHere("/sbin/ip", "link", "show", tap.name).contains("master br1"))
            try tap.deleteBlocking()
            try tap.deleteBlocking()
            #expect(!(try runHere("/sbin/ip", "link").contains(tap.name)))
            #expect(throws: TapDeviceError.noBridge("br9")) { try tap.createBlocking(bridge: "br9", mac: Self.mac, user: bed.user) }
            // What is begun and cannot be finished is taken back: lo is no bridge.
            #expect(throws: TapDeviceError.self) { try tap.createBlocking(bridge: "lo", mac: Self.mac, user: bed.user) }
            #expect(!(try runHere("/sbin/ip", "link").contains(tap.name)))
        }
    }

    @Test("A tap that a QEMU has open is not taken from it; permissions are explained")
    func refusals() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let tap = TapDevice(machine: Sample.id, adapter: 1)
        try await inOwnNamespaces(bed) {
            _ = try runHere("/sbin/ip", "link", "add", "br0", "type", "bridge")
            try tap.createBlocking(bridge: "br0", mac: Self.mac, user: bed.user)
            let definition = Sample.definition(disks: 0, interfaces: 1)
            let folder = bed.machineFolder("web1")
            var settings = Sample.settings(for: definition, folder: folder.path)
            settings.taps = ["lan0": tap.name]
            let process = try MachineProcess.startBlocking(
                try QEMUCommandLine(Sample.machine(definition), on: settings), folder: folder, user: bed.user,
                program: "/usr/bin/qemu-system-x86_64", deadline: .seconds(20))
            defer { kill(process.processID, SIGKILL) }
            #expect(throws: TapDeviceError.busy(tap.name)) { try tap.createBlocking(bridge: "br0", mac: Self.mac, user: bed.user) }
            try #require(chmod("/dev/net/tun", 0o600) == 0)
            #expect(throws: TapDeviceError.tunNotAccessible(user: "apus-qemu")) {
                try tap.createBlocking(bridge: "br0", mac: Self.mac, user: bed.user)
            }
        }
        if let process = MachineProcess.adopt(folder: bed.machineFolder("web1"), machine: Sample.id) { try await process.kill() }
    }

    @Test("Names fit into the kernel's 15 characters and differ between machines and adapters")
    func names() {
        var names: Set<String> = []
        for last in 0..<200 {
            var bytes = [UInt8](repeating: 0, count: 16)
            bytes[15] = UInt8(last)
            let id = bytes.withUnsafeBytes { UUID(uuid: $0.load(as: uuid_t.self)) }
            for index in 0..<8 { names.insert(TapDevice(machine: id, adapter: index).name) }
        }
        #expect(names.count == 1_600)
        #expect(names.allSatisfy { $0.utf8.count <= 15 })
        #expect(TapDevice(machine: Sample.id, adapter: 0) == TapDevice(machine: Sample.id, adapter: 0))
    }
}
