import ClusterModel
import Foundation
import SeededRandom
import Testing

@testable import ClusterStore
@testable import StoreWriter

/// Goal: after a power cut the replica holds what it last acknowledged, or that and the whole batch under way.
///
/// Method: the files are copied before and after each batch and each checkpoint. What differs was written in between, so a power cut
/// in between leaves any selection of its sectors: some old, some new, in no order. Such sets are opened. What SQLite and this store sync on
/// the way narrows the selection: the header of a log that begins anew before its entries, the log before the database.
///
/// What this proves: that no order of the unsynced writes does harm. That a sync reaches the disk is up to kernel and disk; that it is
/// called before the answer is what `SyncTests` shows.
@Suite("Power cuts")
struct PowerCutTests {
    @Test("Any selection of the sectors not yet synced leads to an acknowledged state", arguments: UInt64(0)..<5)
    func tornWrites(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed &+ 1_000)
        try await withFolder(inMemory: true) { folder in
            var log = SampleLog(seed: seed)
            let store = try await openStore(folder)
            try await store.make(log.next())
            // Since the last sync: where the files were, and every state since.
            var synced = FileSet(of: folder)
            var states = [log.image]
            var outcomes: Set<Int> = []
            for step in 0..<40 {
                let batch = log.next()
                try await store.make(batch)
                states.append(log.image)
                let now = FileSet(of: folder)
                for _ in 0..<4 {
                    var cut = synced
                    cut.log = Self.mix(Self.withHeader(of: now.log, in: synced.log), now.log, &random)
                    if !cut.log.starts(with: now.log.prefix(32)) { cut.log = synced.log }
                    outcomes.insert(try await Self.outcome(of: cut, states, "seed \(seed), step \(step)") == states.count - 1 ? 1 : 0)
                }
                if batch.isSynced { (synced, states) = (now, [log.image]) }
                guard step % 7 == 6 else { continue }
                await store.writeBack()
                let written = FileSet(of: folder)
                states = [log.image]
                for _ in 0..<4 {
                    var cut = now
                    cut.database = Self.mix(now.database, written.database, &random)
                    _ = try await Self.outcome(of: cut, states, "seed \(seed), checkpoint at step \(step)")
                }
                synced = written
            }
            #expect(outcomes == [0, 1], "No cut was ever early, or none late: the selection selects nothing.")
            try await store.close()
        }
    }

    /// - Returns: Which of the states it is.
    private static func outcome(of files: FileSet, _ states: [ReplicaImage], _ place: String) async throws -> Int {
        try await withFolder(inMemory: true) { folder in
            try files.write(to: folder)
            let store = try await openStore(folder)
            let image = try await store.load()
            // It also goes on from there.
            try await store.make([.promise(epoch: image.position.promised + 1)])
            return try #require(states.lastIndex(of: image), "\(place): neither the state before nor the one after")
        }
    }

    /// Sectors of the one or of the other, also where only one has them.
    private static func mix(_ old: [UInt8], _ new: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var mixed = Bool.random(using: &random) ? new : old
        let share = Int.random(in: 0...10, using: &random)
        for start in stride(from: 0, to: mixed.count, by: 512) {
            let source = Int.random(in: 0..<10, using: &random) < share ? new : old
            let end = min(start + 512, mixed.count)
            for index in start..<end { mixed[index] = index < source.count ? source[index] : 0 }
        }
        return mixed
    }

    /// SQLite syncs the header of a log that begins anew before it writes anything after it.
    private static func withHeader(of new: [UInt8], in old: [UInt8]) -> [UInt8] {
        Array(new.prefix(32)) + old.dropFirst(32)
    }
}
