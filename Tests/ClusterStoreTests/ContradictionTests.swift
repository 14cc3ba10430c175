import ClusterModel
import Testing

@testable import ClusterStore
@testable import StoreWriter

/// Goal: no defect above the store brings something onto the disk that breaks a promise of this replica.
@Suite("Changes that contradict the log are refused whole")
struct ContradictionTests {
    static let node = SampleLog.node
    /// Promised and adopted epoch 4, entries 1 to 6, 4 committed, a snapshot at 2.
    static let base: ReplicaImage = {
        var chain: UInt64 = 0
        let entries = (UInt64(1)...6).map { index in
            let entry = LogEntry.chained(
                after: chain, index: index, epoch: 4, request: RequestID(node: node, incarnation: 1, number: index), payload: [UInt8(index)]
            )
            chain = entry.chain
            return entry
        }
        return ReplicaImage(
            position: ReplicaPosition(promised: 4, adopted: 4, lastIndex: 6, chain: chain), committed: 4, snapshot: [1, 2],
            snapshotIndex: 2, snapshotChain: entries[1].chain, snapshotVotes: VoteTable(nodes: [node: 1], witness: 0),
            entries: Array(entries[2...]))
    }()

    static func entry(_ index: UInt64, epoch: UInt64 = 4, after chain: UInt64? = nil) -> LogEntry {
        .chained(
            after: chain ?? base.position.chain, index: index, epoch: epoch, request: RequestID(node: node, incarnation: 2, number: index),
            payload: [9])
    }

    /// The base as another replica would hand it on, in epoch 5.
    static func image(_ change: (inout ReplicaImage) -> Void = { _ in }) -> ReplicaImage {
        var image = base
        image.position.promised = 5
        image.position.adopted = 5
        change(&image)
        return image
    }

    /// Its last entries cut off.
    static func shortened(to last: UInt64) -> ReplicaImage {
        image { image in
            image.entries.removeAll { $0.index > last }
            image.position.lastIndex = last
            image.position.chain = image.entries.last?.chain ?? image.snapshotChain
            image.committed = min(image.committed, last)
        }
    }

    static let refused: [(String, [DurableChange])] = [
        ("a promise that does not rise", [.promise(epoch: 4)]),
        ("a promise that falls", [.promise(epoch: 3)]),
        ("a gap", [.append([entry(8)])]),
        ("an index twice", [.append([entry(6)])]),
        ("an entry after another log", [.append([entry(7, after: 1)])]),
        ("an entry of an older epoch", [.append([entry(7, epoch: 3)])]),
        ("an entry of an epoch that was not adopted", [.append([entry(7, epoch: 5)])]),
        ("an entry between a promise and its log", [.promise(epoch: 5), .append([entry(7)])]),
        ("the second of two entries", [.append([entry(7), entry(8)])]),
        ("a commit that falls", [.commit(index: 3)]),
        ("a commit of what is not there", [.commit(index: 7)]),
        ("a commit of what is not there, out of range", [.commit(index: .max)]),
        ("a snapshot of what is not committed", [.snapshot(state: [], index: 5)]),
        ("a snapshot that goes back", [.snapshot(state: [], index: 2)]),
        ("a log of an older epoch than promised", [.promise(epoch: 6), .adopt(image())]),
        ("a log without what was committed", [.adopt(shortened(to: 3))]),
        (
            "a log with something else where we committed",
            [
                .adopt(
                    image { image in
                        image.entries = [entry(3, after: image.snapshotChain)]
                        image.entries.append(entry(4, after: image.entries[0].chain))
                        image.position.lastIndex = 4
                        image.position.chain = image.entries[1].chain
                    })
            ]
        ),
        ("a log whose entry was changed", [.adopt(image { $0.entries[1].payload = [0] })]),
        ("a log with a gap", [.adopt(image { $0.entries.remove(at: 1) })]),
        ("a log with another end than it says", [.adopt(image { $0.position.chain ^= 1 })]),
        ("a log committed beyond its end", [.adopt(image { $0.committed = 7 })]),
        ("a log adopted beyond its promise", [.adopt(image { $0.position.adopted = 6 })]),
        ("a log out of range", [.adopt(image { $0.position.lastIndex = .max })]),
        (
            "a log whose entries are newer than it",
            [
                .adopt(
                    image {
                        $0.position.adopted = 3
                        $0.position.promised = 9
                    })
            ]
        ),
        ("a good change before a bad one", [.append([entry(7)]), .commit(index: 7), .promise(epoch: 1)]),
    ]

    @Test("Refused, and nothing of it stays", arguments: refused)
    func contradiction(what: String, changes: [DurableChange]) async throws {
        try await withFolder { folder in
            var store = try await openStore(folder)
            try await store.make([.adopt(Self.base)])
            let error = await #expect(throws: StoreError.self) { try await store.make(changes) }
            guard case .contradiction? = error else { throw WriterError("\(what): \(String(describing: error))") }
            #expect(try await store.load() == Self.base)
            try await store.close()
            store = try await openStore(folder)
            #expect(try await store.load() == Self.base)
            // And it goes on.
            try await store.make([.append([Self.entry(7)])])
            #expect(try await store.position.lastIndex == 7)
            try await store.close()
        }
    }

    @Test("An empty replica takes no entries before it adopted a log")
    func nothingAdopted() async throws {
        try await withFolder { folder in
            let store = try await openStore(folder)
            await #expect(throws: StoreError.self) { try await store.make([.append([Self.entry(1, epoch: 0, after: 0)])]) }
            try await store.make([.promise(epoch: 4)])
            await #expect(throws: StoreError.self) { try await store.make([.append([Self.entry(1, epoch: 4, after: 0)])]) }
            try await store.close()
        }
    }

    @Test("Of a log that is adopted, a tail that was never committed goes, and a snapshot may come")
    func adopting() async throws {
        try await withFolder { folder in
            let store = try await openStore(folder)
            try await store.make([.adopt(Self.base)])
            let shorter = Self.shortened(to: 4)
            try await store.make([.adopt(shorter)])
            #expect(try await store.load() == shorter)
            var ahead = Self.image()
            ahead.position.promised = 6
            ahead.position.adopted = 6
            ahead.snapshot = [7, 7, 7]
            ahead.snapshotIndex = 5
            ahead.committed = 5
            ahead.snapshotChain = ahead.entries[2].chain
            ahead.entries.removeFirst(3)
            try await store.make([.promise(epoch: 6), .adopt(ahead)])
            #expect(try await store.load() == ahead)
            // A log that reaches back further brings no older snapshot.
            var back = Self.image()
            back.position.promised = 7
            back.position.adopted = 7
            try await store.make([.adopt(back)])
            ahead.position = back.position
            #expect(try await store.load() == ahead)
            try await store.close()
        }
    }
}
