import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// What a node keeps its copy of the configuration in is damaged, or is full.
extension TwoNodeTests {
    @Test("bytes of a node's database are flipped while it is off: it says so, and fetches the configuration anew")
    func damagedDatabase() async throws {
        try await story { stage in
            let struck = try await stage.others(stage.holder())[0]
            let node = try stage.node(struck)
            let before = try await stage.lastEvent(at: struck)
            try await stage.powerOff([struck])
            // The log too: its pages would stand for those of the database.
            let database = node.stateFolder + "/cluster/store/cluster.sqlite"
            for file in [database, database + "-wal"] where FileManager.default.fileExists(atPath: file) { try Self.damage(file) }
            try await stage.powerOn([struck])
            try await stage.settle()
            #expect(try String(contentsOfFile: node.serviceLog, encoding: .utf8).contains("the configuration is damaged"))
            _ = try await stage.event(at: stage.others(struck)[0], after: before, "the damage") {
                $0.severity == .warning && $0.sentence.contains("on \(struck) was damaged")
            }
            let store = node.stateFolder + "/cluster/store"
            let kept = try FileManager.default.contentsOfDirectory(atPath: store).filter { $0.hasPrefix("cluster.sqlite.damaged-") }
            #expect(!kept.isEmpty, "the damaged database was not put aside")
        }
    }

    @Test("a node's whole store is gone: it fetches the configuration anew, and counts only then")
    func lostDatabase() async throws {
        try await story { stage in
            let struck = try await stage.others(stage.holder())[0]
            let survivor = stage.others(struck)[0]
            try await stage.powerOff([struck])
            try await stage.wait(open: [survivor], "alone")
            try FileManager.default.removeItem(atPath: stage.node(struck).stateFolder + "/cluster/store")
            // Alone it knows nothing, and must not take the founding configuration for the newest.
            try await stage.powerOff([survivor])
            try await stage.lab.cutSAN()
            try await stage.powerOn([struck])
            try await Task.sleep(for: .seconds(5))
            #expect(await stage.status(struck)?.isOpen != true)
            try await stage.lab.restoreSAN()
            try await stage.powerOn([survivor])
            try await stage.settle()
        }
    }

    @Test("a node's disk is full: it does not count, the others go on, and it catches up when there is room")
    func fullDisk() async throws {
        try await story { stage in
            let struck = try await stage.others(stage.holder())[0]
            let survivor = stage.others(struck)[0]
            // The same files on a small file system of their own.
            let move = """
                set -e
                mkdir /run/apus/kept
                cp -a /var/lib/apus/. /run/apus/kept/
                mount -t tmpfs -o size=8m full /var/lib/apus
                cp -a /run/apus/kept/. /var/lib/apus/
                rm -r /run/apus/kept
                """
            // Mounted on a node that begins anew: its service must have no file open below.
            let node = try stage.node(struck)
            try stage.signal(struck, SIGSTOP, "apusd")
            let moved = try await node.exec(["sh", "-c", move])
            try #require(moved.isSuccess, "\(moved)")
            try stage.signal(struck, SIGKILL, "apusd")
            try await Task.sleep(for: .milliseconds(300))
            try await stage.settle()

            _ = try await node.exec(["sh", "-c", "dd if=/dev/zero of=/var/lib/apus/filler bs=4k 2>/dev/null"])
            try await stage.wait(until: "it says that its copy cannot be written", of: [struck]) {
                $0[struck]?.configuration.contains("cannot be written") ?? false
            }
            try await stage.wait(until: "the other goes on", of: [survivor]) { $0[survivor]?.isOpen ?? false }
            _ = try await node.exec(["rm", "/var/lib/apus/filler"])
            try await stage.settle()
            // Back to the disk: the tmpfs goes with the node's power, and with it what was written to it. Such a node has an old copy
            // without knowing it, which is what an operator must never make (decision 0004); so this one begins without any.
            try await stage.powerOff([struck])
            try FileManager.default.removeItem(atPath: node.stateFolder + "/cluster/store")
            try await stage.powerOn([struck])
            try await stage.settle()
        }
    }

    /// Flips a byte in every 512 of a file, its header apart, as a disk that rots would.
    private static func damage(_ path: String) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        for index in stride(from: 600, to: bytes.count, by: 512) { bytes[index] ^= 0xA5 }
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }
}
