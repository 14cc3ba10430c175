import ClusterModel
import Foundation
import SeededRandom
import Testing

@testable import ClusterStore
@testable import StoreWriter

@Suite("A process that is killed, traced or out of room")
struct KillTests {
    /// Goal: kill -9 at any instant loses nothing that was acknowledged and leaves nothing half done.
    /// Method: a process goes on with a log that its seed determines, and says which steps were acknowledged.
    @Test("What was acknowledged before kill -9 is there, and nothing is torn", .timeLimit(.minutes(3)), arguments: UInt64(0)..<12)
    func killed(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        try await withFolder { scratch in
            let folder = scratch + "/state"
            var log = SampleLog(seed: seed)
            for round in 0..<6 {
                let life = Duration.milliseconds(Int.random(in: 20...250, using: &random))
                let writer = try await Writer.run(
                    [Writer.program, folder, "\(seed)", "\(log.step)", "100000"], killAfter: life, scratch: scratch)
                let place = "seed \(seed), round \(round), killed after \(life): \(writer.errors)"
                try #require(writer.errors.isEmpty, "\(place)")
                while log.step < writer.acknowledged ?? 0 { _ = log.next() }
                let store = try await openStore(folder)
                let found = try await store.load()
                if found != log.image {
                    _ = log.next()
                    try #require(found == log.image, "\(place)")
                }
                try await store.close()
            }
            #expect(log.step > 0, "It was always killed before it began.")
        }
    }

    @Test(
        "One sync of the log before each answer, and none for commits alone", .timeLimit(.minutes(1)),
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/strace"), "strace is not installed."))
    func syncs() async throws {
        try await withFolder { scratch in
            let (folder, trace) = (scratch + "/state", scratch + "/trace")
            let command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write,pwrite64", "-o", trace]
            let writer = try await Writer.run(command + [Writer.program, folder, "7", "0", "60"], scratch: scratch)
            try #require(writer.status == 0 && writer.acknowledged == 60, "\(writer)")
            var log = SampleLog(seed: 7)
            var (syncs, answers, unsynced) = (0, 0, 0)
            let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: trace)), as: UTF8.self)
            for line in text.split(separator: "\n") {
                if line.contains("sync("), line.contains("-wal>") { syncs += 1 }
                // A write to the log that is not synced before the answer would be an answer too early.
                if line.contains("pwrite64("), line.contains("-wal>") { unsynced += 1 }
                if line.contains("sync("), line.contains("-wal>") { unsynced = 0 }
                guard line.contains(" write(1<") else { continue }
                if line.contains("\"open ") {
                    syncs = 0
                } else if line.contains("\"\(log.step + 1)\\n\"") {
                    let isSynced = log.next().isSynced
                    #expect(syncs == (isSynced ? 1 : 0), "step \(log.step)")
                    #expect(!isSynced || unsynced == 0, "step \(log.step)")
                    (syncs, answers) = (0, answers + 1)
                }
            }
            #expect(answers == 60)
        }
    }

    @Test("A full disk: refused, told how much is free, nothing lost, and it goes on", .timeLimit(.minutes(1)), arguments: [1, 2, 3])
    func full(seed: Int) async throws {
        try await withFolder { scratch in
            // A file system of its own, in a mount namespace that goes with the process.
            let script = """
                mkdir -p "$1" && mount -t tmpfs -o size=3m tmpfs "$1" && dd if=/dev/zero of="$1/filler" bs=1M count=1 status=none \
                && exec "$2" "$1" "$3" fill
                """
            let writer = try await Writer.run(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", scratch + "/state", Writer.program, "\(seed)"],
                scratch: scratch)
            #expect(
                writer.status == 0 && writer.lines.last == "went on" && writer.lines.first?.hasPrefix("full after ") == true, "\(writer)")
        }
    }
}
