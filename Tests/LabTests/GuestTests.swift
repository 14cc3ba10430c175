import ClusterModel
import Foundation
import Lab
import LabTesting
import Testing

/// The guest, booted from its image on a bare node, seen from the client and from its disk.
@Suite(.serialized, .enabled(if: geteuid() == 0, "The lab needs root."))
struct GuestTests {
    private static let mac = "52:54:00:77:01:0a"

    @Test("It boots from its image, answers the client, and its journal proves one writer", .timeLimit(.minutes(3)))
    func boots() async throws {
        try await withLab(try LabDescription(prefix: "gtb", nodeCount: 1)) { lab in
            let node = try lab.node("n1")
            let image = try lab.scratchFolder() + "/guest.img"
            try await lab.guest().makeImage(at: image, options: ["apus.journal=5", "apus.dirty=16:20"])
            let address = try #require(LabGuest.addresses(mac: Self.mac))

            var machine = try await Self.start(image, on: node, lab)
            try await Self.probe(lab, address)
            // The plug is pulled; the next boot goes on after what is on the disk.
            let told = try #require(Self.lastTold(machine))
            #expect(node.signal(SIGKILL, processesNamed: "qemu-system-x86_64") == 1)
            _ = try await machine.process.result()
            var report = try await lab.journalReport(image)
            #expect(report.good && report.boots == 1, "\(report)")
            #expect(report.last >= told, "The guest saw \(told) on the disk: \(report)")

            let last = report.last
            machine = try await Self.start(image, on: node, lab)
            let goesOn = try await eventually(within: 30) { (Self.lastTold(machine) ?? 0) > last + 100 }
            #expect(goesOn)
            // ACPI power button.
            try await Self.powerButton(machine)
            let ended = try await machine.process.result()
            #expect(ended.isSuccess, "\(ended)")
            report = try await lab.journalReport(image)
            #expect(report.good && report.boots == 2, "\(report)")

            try await Self.corrupt(image, sequence: report.last - 10)
            let broken = try await lab.journalReport(image)
            #expect(!broken.good && broken.badChecksums == 1 && broken.missing == 1, "\(broken)")
        }
    }

    @Test("It boots from UEFI too", .timeLimit(.minutes(3)))
    func bootsFromUEFI() async throws {
        try await withLab(try LabDescription(prefix: "gtu", nodeCount: 1)) { lab in
            let node = try lab.node("n1")
            let folder = try lab.scratchFolder()
            try await lab.guest().makeImage(at: folder + "/guest.img")
            try FileManager.default.copyItem(atPath: "/usr/share/OVMF/OVMF_VARS_4M.fd", toPath: folder + "/vars.fd")
            let firmware = [
                "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive",
                "if=pflash,format=raw,file=\(folder)/vars.fd",
            ]
            let machine = try await Self.start(folder + "/guest.img", on: node, lab, firmware)
            machine.process.terminate()
            _ = try await machine.process.result()
        }
    }

    @Test("An image with nonsense among its options is refused", arguments: [["apus.journal=5 quiet"], ["a\nb"], [""]])
    func nonsense(options: [String]) async throws {
        let guest = try await LabGuest.build(try LabTools.find())
        let path = FileManager.default.temporaryDirectory.path + "/apus-image-\(UUID().uuidString)"
        await #expect(throws: LabError.self) { try await guest.makeImage(at: path, options: options) }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    private struct Machine {
        var process: RunningCommand
        var serial: String
        var monitor: String
    }

    private static func start(_ image: String, on node: LabNode, _ lab: Lab, _ more: [String] = []) async throws -> Machine {
        // Inside, the lab's folder is out of sight; /run/apus is the way between the two.
        let outside = try FileManager.default.contentsOfDirectory(atPath: node.runtimeFolder)
        for file in outside where file != "apusd.log" { try FileManager.default.removeItem(atPath: node.runtimeFolder + "/" + file) }
        try FileManager.default.linkItem(atPath: image, toPath: node.runtimeFolder + "/disk.img")
        for file in ["vars.fd"] {
            let path = (image as NSString).deletingLastPathComponent + "/" + file
            if FileManager.default.fileExists(atPath: path) {
                try FileManager.default.linkItem(atPath: path, toPath: node.runtimeFolder + "/" + file)
            }
        }
        let script = "ip link show tap0 >/dev/null 2>&1 || ip tuntap add dev tap0 mode tap; ip link set tap0 master br0 up"
        let tap = try await node.exec(["sh", "-c", script])
        try #require(tap.isSuccess, "\(tap)")
        let words =
            [
                "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-m", "256", "-nodefaults",
                "-display", "none", "-serial", "file:/run/apus/serial", "-monitor", "unix:/run/apus/monitor,server=on,wait=off", "-drive",
                "if=virtio,format=raw,file=/run/apus/disk.img", "-netdev",
                "tap,id=n,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n,romfile=,mac=\(mac)",
            ] + more.map { $0.replacingOccurrences(of: (image as NSString).deletingLastPathComponent, with: "/run/apus") }
        let machine = Machine(
            process: try node.start(words, seconds: 170), serial: node.runtimeFolder + "/serial", monitor: node.runtimeFolder + "/monitor")
        let hasBooted = try await eventually(within: 100) { text(machine).contains("BOOTED") }
        try #require(hasBooted, "The guest does not boot: \(text(machine).suffix(500))")
        return machine
    }

    private static func text(_ machine: Machine) -> String {
        FileManager.default.contents(atPath: machine.serial).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The highest sequence that the guest has said to be on the disk.
    private static func lastTold(_ machine: Machine) -> UInt64? {
        text(machine).split(whereSeparator: \.isNewline).compactMap { line in
            line.hasPrefix("JOURNAL ") ? UInt64(line.dropFirst("JOURNAL ".count)) : nil
        }.last
    }

    private static func probe(_ lab: Lab, _ address: (v4: String, v6: String)) async throws {
        struct Answer: Decodable {
            var answers: Int?
            var answered: Int?
            var lost: Int?
            var duplicated: Int?
            var errors: Int?
        }
        struct Frames: Decodable { var unicast, broadcast, tagged, taggedBroadcast: Answer }
        func ask<Value: Decodable>(_ words: [String], as type: Value.Type) async throws -> Value {
            let result = try await lab.client.exec([lab.tools.client] + words + ["--seconds", "1.5"])
            #expect(result.isSuccess, "\(words) \(result.errors)")
            return try JSONDecoder().decode(type, from: Data(result.output.utf8))
        }
        for host in [address.v4, address.v6] {
            let echo = try await ask(["echo", host], as: Answer.self)
            #expect((echo.answers ?? 0) > 20 && echo.errors == 0, "\(host) \(echo)")
            let udp = try await ask(["udp", host], as: Answer.self)
            #expect((udp.answered ?? 0) > 50 && udp.lost == 0 && udp.duplicated == 0, "\(host) \(udp)")
        }
        let frames = try await ask(["frames", "--interface", "machine0", "--mac", mac], as: Frames.self)
        for kind in [frames.unicast, frames.broadcast, frames.tagged, frames.taggedBroadcast] {
            #expect((kind.answered ?? 0) > 50 && kind.lost == 0 && kind.duplicated == 0, "\(frames)")
        }
    }

    private static func powerButton(_ machine: Machine) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
        process.arguments = [
            "-MIO::Socket::UNIX", "-e",
            #"my $s = IO::Socket::UNIX->new($ARGV[0]) or die; print $s "system_powerdown\n"; $s->flush; sleep 1"#,
            machine.monitor,
        ]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// Flips a bit in the record with this sequence.
    private static func corrupt(_ image: String, sequence: UInt64) async throws {
        let file = try #require(FileHandle(forUpdatingAtPath: image))
        defer { try? file.close() }
        let at = LabGuest.journalOffset + sequence % (LabGuest.journalByteCount / 512) * 512 + 200
        try file.seek(toOffset: at)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: at)
        try file.write(contentsOf: Data([byte ^ 0x10]))
    }
}
