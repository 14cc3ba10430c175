import ClusterModel
import Foundation
import GRDB
import SeededRandom
import Testing

@testable import ClusterStore
@testable import StoreWriter

/// Goal: a replica never shows an older or another configuration than the one that it acknowledged, and knows when it forgot something.
@Suite("Damage and loss are noticed")
struct LossTests {
    @Test("A new replica is fresh and does not count until it adopted a log")
    func fresh() async throws {
        try await withFolder { folder in
            var store = try await openStore(folder)
            #expect(try await store.isFresh)
            try await store.make([.promise(epoch: 3)])
            try await store.close()
            store = try await openStore(folder)
            #expect(try await store.memory == .fresh)
            #expect(try await store.memory.counts == false)
            #expect(try await store.position.promised == 3)
            try await store.make([.adopt(ContradictionTests.base)])
            #expect(try await store.memory == .whole)
            try await store.close()
        }
    }

    @Test("One that was put aside, or vanished, is lost until it adopted a log", arguments: [true, false])
    func lost(isQuarantined: Bool) async throws {
        try await withFolder { folder in
            var log = SampleLog(seed: 3)
            var store = try await openStore(folder)
            for _ in 0..<9 { try await store.make(log.next()) }
            try await store.close()
            if isQuarantined {
                let aside = try #require(try ConfigurationStore.quarantine(folder: folder))
                #expect(aside.hasPrefix(folder + "/cluster.sqlite.damaged-") && FileManager.default.fileExists(atPath: aside))
                #expect(!FileManager.default.fileExists(atPath: folder + "/cluster.sqlite"))
                #expect(try ConfigurationStore.quarantine(folder: folder) == nil)
            } else {
                try FileManager.default.removeItem(atPath: folder + "/cluster.sqlite")
            }
            for _ in 0..<2 {
                store = try await openStore(folder)
                #expect(try await store.wasLost)
                #expect(try await store.position == ReplicaPosition())
                try await store.close()
            }
            store = try await openStore(folder)
            var image = log.image
            image.position.promised += 1
            image.position.adopted = image.position.promised
            try await store.make([.adopt(image)])
            try await store.close()
            store = try await openStore(folder)
            #expect(try await store.memory == .whole)
            #expect(try await store.load() == image)
            try await store.close()
        }
    }

    @Test("Two that are put aside in one second are both kept")
    func twice() async throws {
        try await withFolder { folder in
            var names: Set<String> = []
            for _ in 0..<3 {
                try await openStore(folder).close()
                names.insert(try #require(try ConfigurationStore.quarantine(folder: folder)))
            }
            #expect(names.count == 3)
        }
    }

    @Test("An older copy of the database is no replica any more")
    func olderCopy() async throws {
        try await withFolder { folder in
            var log = SampleLog(seed: 5)
            var store = try await openStore(folder)
            for _ in 0..<9 { try await store.make(log.next()) }
            try await store.close()
            let copy = FileSet(of: folder).database
            store = try await openStore(folder)
            try await store.make([.promise(epoch: log.image.position.promised + 1)])
            try await store.close()
            try Data(copy).write(to: URL(fileURLWithPath: folder + "/cluster.sqlite"))
            let error = await #expect(throws: StoreError.self) { try await openStore(folder) }
            guard case .damaged(_, let reason)? = error else { throw WriterError("\(String(describing: error))") }
            #expect(reason.contains("had been synced"))
        }
    }

    @Test("All that was synced lies in a log that is damaged or gone: not an empty replica, but a damaged one", arguments: [true, false])
    func onlyTheLog(isRemoved: Bool) async throws {
        try await withFolder { folder in
            let store = try await openStore(folder)
            try await store.make([.adopt(ContradictionTests.base)])
            var files = FileSet(of: folder)
            try await store.close()
            // Before the first checkpoint the database is a single page, without a table.
            try #require(files.database.count == 4_096 && files.log.count > 1_000)
            if isRemoved {
                files.contents["cluster.sqlite-wal"] = nil
            } else {
                for index in stride(from: 600, to: files.log.count, by: 512) { files.log[index] ^= 0xA5 }
            }
            try files.write(to: folder)
            let error = await #expect(throws: StoreError.self) { try await openStore(folder) }
            guard case .damaged(_, let reason)? = error else { throw WriterError("\(String(describing: error))") }
            #expect(reason.contains("nothing is left"))
            // Nothing was built on top of it.
            #expect(FileSet(of: folder).database == files.database)
            #expect(try ConfigurationStore.quarantine(folder: folder) != nil)
            let anew = try await openStore(folder)
            #expect(try await anew.wasLost)
            try await anew.close()
        }
    }

    @Test(
        "Content that SQLite finds nothing wrong with is verified by its hashes",
        arguments: [
            "DELETE FROM log WHERE entry = (SELECT max(entry) FROM log)", "DELETE FROM log WHERE entry = (SELECT min(entry) FROM log)",
            "DELETE FROM log", "UPDATE log SET payload = x'00' WHERE entry = (SELECT max(entry) FROM log)",
            "UPDATE log SET request_node = 0", "UPDATE log SET votes = x'7b7d' WHERE votes IS NOT NULL OR entry > 0",
            "UPDATE snapshot SET state = x'00'", "UPDATE snapshot SET last_index = last_index + 1", "DELETE FROM snapshot",
            "UPDATE position SET promised = promised - 1", "UPDATE position SET memory = 'fresh'", "UPDATE position SET node = 70000",
            "DELETE FROM position", "DROP TABLE log", "DROP TABLE position", "DELETE FROM grdb_migrations",
            "DROP TABLE log; DROP TABLE position; DROP TABLE snapshot; DROP TABLE grdb_migrations",
        ])
    func edited(sql: String) async throws {
        try await withFolder { folder in
            let store = try await openStore(folder)
            try await store.make([.adopt(ContradictionTests.base)])
            try await store.close()
            let queue = try DatabaseQueue(path: folder + "/cluster.sqlite")
            try await queue.write { try $0.execute(sql: sql) }
            try queue.close()
            let error = await #expect(throws: StoreError.self) { try await openStore(folder) }
            guard case .damaged? = error else { throw WriterError("\(sql): \(String(describing: error))") }
        }
    }

    /// Method: a store whose last batch was synced, caught with part of it in the database and part in the log. One file is damaged: bytes,
    /// bits, a sector, its end, its whole. Without the mark, damage in the log would silently bring back an older configuration.
    @Test("Random damage of one file: the right content or an error", arguments: UInt64(0)..<10)
    func randomDamage(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let (files, image) = try await withFolder(inMemory: true) { folder in
            var log = SampleLog(seed: seed)
            let store = try await openStore(folder)
            for _ in 0..<40 { try await store.make(log.next()) }
            await store.writeBack()
            var isSynced = false
            while log.step < 60 || !isSynced {
                let batch = log.next()
                isSynced = batch.isSynced
                try await store.make(batch)
            }
            return (FileSet(of: folder), log.image)
        }
        try #require(files.log.count > 32 && files.database.count > 4_096)
        var refused = 0
        for round in 0..<60 {
            var damaged = files
            let name = FileSet.names[[0, 0, 0, 1, 1, 1, 2][Int.random(in: 0..<7, using: &random)]]
            damaged.contents[name] = Self.damage(try #require(files.contents[name]), &random)
            try await withFolder(inMemory: true) { folder in
                try damaged.write(to: folder)
                do throws(StoreError) {
                    let store = try await openStore(folder)
                    #expect(try await store.load() == image, "seed \(seed), round \(round), \(name)")
                    #expect(try await store.memory == .whole, "seed \(seed), round \(round), \(name)")
                } catch {
                    refused += 1
                    switch error {
                    case .damaged, .foreign, .newer: break
                    default: Issue.record("seed \(seed), round \(round), \(name): \(error)")
                    }
                    #expect(name != "cluster.sqlite.mark", "seed \(seed), round \(round): a damaged mark only says less")
                }
            }
        }
        #expect(refused > 2, "The damage was hardly ever noticed; it did not hit what is in use.")
    }

    private static func damage(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: for _ in 0..<5 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
        // The headers of file, pages and frames are where it hurts.
        case 2:
            let page = Int.random(in: 0...(bytes.count - 1) / 4_096, using: &random) * 4_096
            for _ in 0..<2 {
                bytes[min(page + .random(in: 0..<120, using: &random), bytes.count - 1)] = .random(in: 0...255, using: &random)
            }
        case 3:
            let start = Int.random(in: 0..<bytes.count, using: &random)
            for index in start..<min(start + 512, bytes.count) { bytes[index] = 0 }
        case 4: bytes.removeLast(.random(in: 1...bytes.count, using: &random))
        default: for index in bytes.indices.suffix(600) { bytes[index] = .random(in: 0...255, using: &random) }
        }
        return bytes
    }
}
