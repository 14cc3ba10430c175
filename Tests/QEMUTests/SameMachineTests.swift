import ClusterModel
import Foundation
import Glibc
import Testing

@testable import QEMU

/// Goal: one definition becomes one machine, on whatever node it is built; live migration depends on it.
/// Method: two "nodes" that differ in all that may differ (folder, data path, namespaces, incoming or not) build it with real QEMU, and
/// every device, property and PCI address that QEMU reports is compared.
@Suite("The same machine everywhere", .serialized, .timeLimit(.minutes(2)))
struct SameMachineTests {
    struct View: Equatable, Sendable {
        var qtree: String
        var pci: String
    }

    @Test("Two nodes report the same device tree", arguments: ["pc-q35-7.2", "pc-i440fx-7.2"], [Firmware.bios, .uefi])
    func twoNodes(machineType: String, firmware: Firmware) async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let definition = Sample.definition(machineType: machineType, firmware: firmware, disks: 3, interfaces: 2, vnc: true)
        let first = try await view(of: definition, node: "n1", isIncoming: false, bed: bed)
        let second = try await view(of: definition, node: "other-node", isIncoming: true, bed: bed)
        #expect(first == second)
        #expect(first.qtree.components(separatedBy: "dev: virtio-blk-pci").count == 4, "\(first.qtree)")
        #expect(first.qtree.components(separatedBy: "dev: virtio-net-pci").count == 3, "\(first.qtree)")
        #expect(first.pci.contains("Host bridge"))
        #expect(first.qtree.contains("52:54:00:00:00:01") && first.qtree.contains(#"serial = "data2""#))
    }

    private func view(of definition: VMDefinition, node: String, isIncoming: Bool, bed: TestBed) async throws -> View {
        try await inOwnNamespaces(bed) {
            let folder = bed.machineFolder(node)
            let storage = try StorageDaemon(folder: bed.folder, name: node, user: bed.user, exports: definition.disks.map(\.name))
            defer { storage.stop() }
            _ = try runHere("/sbin/ip", "link", "add", "br0", "type", "bridge")
            let taps = (0..<definition.interfaces.count).map { TapDevice(machine: UUID(), adapter: $0) }
            for (tap, interface) in zip(taps, definition.interfaces) {
                try tap.createBlocking(bridge: "br0", mac: interface.mac, user: bed.user)
            }
            var settings = Sample.settings(for: definition, folder: folder.path, isIncoming: isIncoming) {
                .nbd(socket: storage.socket, export: $0.name)
            }
            settings.taps = Dictionary(uniqueKeysWithValues: zip(definition.interfaces.map(\.name), taps.map(\.name)))
            settings.firmwareVariables = .nbd(socket: storage.socket, export: "variables")
            let process = try MachineProcess.startBlocking(
                try QEMUCommandLine(Sample.machine(definition), on: settings), folder: folder, user: bed.user,
                program: "/usr/bin/qemu-system-x86_64", deadline: .seconds(30))
            defer { kill(process.processID, SIGKILL) }
            let monitor = try TestMonitor(folder.controlSocket)
            let view = View(qtree: try monitor.human("info qtree"), pci: try monitor.human("info pci"))
            _ = try? monitor.execute("quit")
            return view
        }
    }
}

/// QEMU's own NBD server, in place of the data-path process.
struct StorageDaemon {
    let socket: String
    private let process: SpawnedProgram

    init(folder: String, name: String, user: MachineUser, exports: [String]) throws {
        socket = "\(folder)/\(name)-data.sock"
        var arguments = ["--nbd-server", "addr.type=unix,addr.path=\(socket)"]
        for (export, size) in exports.map({ ($0, 256 << 20) }) + [("variables", 1 << 20)] {
            arguments += ["--blockdev", "driver=null-co,node-name=\(export),size=\(size),read-zeroes=on"]
            arguments += ["--export", "type=nbd,id=\(export),node-name=\(export),name=\(export),writable=on"]
        }
        process = try SpawnedProgram("/usr/bin/qemu-storage-daemon", arguments, output: "\(folder)/\(name)-data.log")
        for _ in 0..<500 where !FileManager.default.fileExists(atPath: socket) { usleep(10_000) }
        // Connecting takes write permission on the socket.
        try #require(chown(socket, user.userID, user.groupID) == 0, "\(socket): \(systemMessage(errno))")
    }

    func stop() {
        kill(process.processID, SIGKILL)
        process.wait()
    }
}
