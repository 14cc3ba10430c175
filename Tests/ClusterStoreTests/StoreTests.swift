import ClusterModel
import Foundation
import GRDB
import Testing

@testable import ClusterStore
@testable import StoreWriter

@Suite("The store of the configuration")
struct StoreTests {
    @Test("Whatever was made durable is there after a restart, closed in order or not", arguments: UInt64(0)..<6)
    func reopening(seed: UInt64) async throws {
        try await withFolder { folder in
            var log = SampleLog(seed: seed)
            for round in 0..<12 {
                let store = try await openStore(folder)
                #expect(try await store.load() == log.image, "seed \(seed), round \(round)")
                #expect(try await store.position == log.image.position)
                for _ in 0..<12 { try await store.make(log.next()) }
                #expect(try await store.load() == log.image, "seed \(seed), round \(round), before the restart")
                if round % 2 == 0 { try await store.close() }
            }
        }
    }

    @Test("Only root can read it")
    func modes() async throws {
        try await withFolder { folder in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
            var log = SampleLog(seed: 1)
            let store = try await openStore(folder)
            try await store.make(log.next())
            func mode(_ path: String) throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            #expect(try mode(folder) == 0o700)
            for name in FileSet.names { #expect(try mode(folder + "/" + name) == 0o600, "\(name)") }
            try await store.close()
        }
    }

    @Test("One store at a time, and nothing is put aside under its feet")
    func twoOpens() async throws {
        try await withFolder { folder in
            let store = try await openStore(folder)
            await #expect(throws: StoreError.inUse(path: folder + "/cluster.sqlite")) { try await openStore(folder) }
            #expect(throws: StoreError.inUse(path: folder + "/cluster.sqlite")) { try ConfigurationStore.quarantine(folder: folder) }
            let other = try await Writer.run([Writer.program, folder, "1", "0", "1"], scratch: folder)
            #expect(other.status == 1 && other.errors.contains("Another process has"), "\(other)")
            try await store.close()
            try await openStore(folder).close()
        }
    }

    @Test("After closing it says so")
    func closed() async throws {
        try await withFolder { folder in
            var log = SampleLog(seed: 1)
            let store = try await openStore(folder)
            try await store.make(log.next())
            try await store.close()
            try await store.close()
            await #expect(throws: StoreError.closed(path: folder + "/cluster.sqlite")) { try await store.make(log.next()) }
            await #expect(throws: StoreError.closed(path: folder + "/cluster.sqlite")) { try await store.load() }
        }
    }

    @Test("A file of somebody else is refused and left as it is", arguments: ["database", "text", "folder", "version", "cluster", "node"])
    func notOurs(kind: String) async throws {
        try await withFolder { folder in
            let path = folder + "/cluster.sqlite"
            var cluster = SampleLog.cluster
            var node = SampleLog.node
            if kind == "text" { try Data("Something that was written by hand.".utf8).write(to: URL(fileURLWithPath: path)) }
            if kind == "folder" { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) }
            if kind == "database" {
                let queue = try DatabaseQueue(path: path)
                try await queue.write { try $0.execute(sql: "CREATE TABLE songs (title TEXT)") }
                try queue.close()
            }
            if ["version", "cluster", "node"].contains(kind) { try await openStore(folder).close() }
            if kind == "version" {
                let queue = try DatabaseQueue(path: path)
                try await queue.write { try $0.execute(sql: "PRAGMA user_version = 2") }
                try queue.close()
            }
            if kind == "cluster" { cluster = UUID() }
            if kind == "node" { node = try #require(NodeID(rawValue: 9)) }
            let before = FileManager.default.contents(atPath: path)
            let error = await #expect(throws: StoreError.self) {
                try await ConfigurationStore.open(folder: folder, cluster: cluster, node: node)
            }
            switch (kind, error) {
            case ("database", .foreign), ("folder", .foreign), ("text", .damaged), ("version", .newer(_, version: 2, known: 1)): break
            case ("cluster", .otherOwner(_, SampleLog.cluster, SampleLog.node)), ("node", .otherOwner): break
            default: Issue.record("\(kind): \(String(describing: error))")
            }
            #expect(FileManager.default.contents(atPath: path) == before)
        }
    }

    @Test("A creation that was cut short is begun again")
    func halfMade() async throws {
        try await withFolder { folder in
            let queue = try DatabaseQueue(path: folder + "/cluster.sqlite")
            try await queue.writeWithoutTransaction { database in
                _ = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            }
            try queue.close()
            let store = try await openStore(folder)
            #expect(try await store.isFresh)
            try await store.close()
        }
    }
}
