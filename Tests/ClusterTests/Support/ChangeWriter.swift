import ClusterAPI
import ClusterModel
import NodeClient
import Synchronization
import Testing

/// Makes small changes on whatever node accepts them, and proves afterwards that every acknowledged one is in the history.
///
/// Each change sets a number that no other sets, and leaves a line with it in the history, the same with the same id on every node. So two
/// nodes that disagree about a committed change are caught as well.
final class ChangeWriter: Sendable {
    private struct Book {
        var acknowledged: Set<Int> = []
        /// All lines that any node ever showed, by their id.
        var lines: [UInt64: ClusterEvent] = [:]
        var conflicts: [String] = []
    }
    private let stage: ClusterStage
    private let book = Mutex(Book())
    private let task: Mutex<Task<Void, Never>?>
    /// Numbers go on over all stories of a lab: its history still has those of the story before.
    private static let numbers = Mutex(1_000)

    init(_ stage: ClusterStage) {
        self.stage = stage
        task = Mutex(nil)
        let running = Task { await self.write() }
        task.withLock { $0 = running }
    }

    /// Waits for the first change that is acknowledged: a story that begins with a power cut would else be over before there was one.
    func begun() async throws {
        let end = ContinuousClock.now + .seconds(ClusterStage.patience)
        while book.withLock({ $0.acknowledged.isEmpty }) {
            try #require(ContinuousClock.now < end, "no change was accepted by a whole cluster")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func stop() async {
        let running = task.withLock { $0 }
        running?.cancel()
        await running?.value
    }

    private func write() async {
        var turn = 0
        while !Task.isCancelled {
            let node = stage.nodes[turn % stage.nodes.count]
            turn += 1
            let number = Self.numbers.withLock { number in
                number += 1
                return number
            }
            do {
                _ = try await stage.client(of: node).waiting(.seconds(2)).setQuorum(SetQuorumRequest(secondsUntilStop: number))
                _ = book.withLock { $0.acknowledged.insert(number) }
                await read(node)
            } catch {
                // Refused, or nobody knows: no promise was made.
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(150))
        }
    }

    /// Reads what a node's history holds and compares it with what was seen before.
    @discardableResult
    private func read(_ node: NodeName) async -> [ClusterEvent]? {
        guard let events = try? await stage.client(of: node).events(after: 0) else { return nil }
        book.withLock { book in
            for event in events {
                if let known = book.lines[event.id], known != event {
                    book.conflicts.append("\(node) has \(event.id): \(event.sentence) where \(known.sentence) was")
                }
                book.lines[event.id] = event
            }
        }
        return events
    }

    /// Every node has every acknowledged change, at the same place.
    func verify() async throws {
        for node in stage.nodes {
            let events = try #require(await read(node), "\(node) shows no history.")
            let oldest = events.first?.id ?? .max
            let own = Set(events.compactMap(Self.number))
            book.withLock { book in
                let seen = book.lines.values.filter { $0.id < oldest }.compactMap(Self.number)
                let lost = book.acknowledged.subtracting(own).subtracting(seen)
                #expect(lost.isEmpty, "\(node) lost acknowledged changes \(lost.sorted())")
            }
        }
        book.withLock { book in
            #expect(book.conflicts.isEmpty, "committed changes differ")
            #expect(!book.acknowledged.isEmpty, "no change was accepted at all")
            print("    \(Test.current?.name ?? "-"): \(book.acknowledged.count) changes acknowledged, all there")
        }
    }

    /// What ``write()`` set, out of "... machines stop after N s of pause."
    private static func number(_ event: ClusterEvent) -> Int? {
        guard event.kind == .quorumChanged, let match = event.sentence.firstMatch(of: /after ([0-9]+) s/) else { return nil }
        return Int(match.1)
    }
}
