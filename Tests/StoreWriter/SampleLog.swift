import ClusterModel
import Foundation
import SeededRandom

/// What one replica is asked to make durable in a long and varied life, and what it must then hold. The seed says all of it, so
/// another process can work out what this one should have done.
struct SampleLog {
    static let cluster = UUID(uuid: (0xA9, 0x05, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1))
    static let node = NodeID(rawValue: 2)!

    /// What the replica holds after ``step`` batches.
    private(set) var image: ReplicaImage
    private(set) var step = 0
    private var random: SeededGenerator

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        image = ReplicaImage(
            position: ReplicaPosition(), committed: 0, snapshot: [], snapshotIndex: 0, snapshotChain: 0,
            snapshotVotes: VoteTable(version: 0, nodes: [:], witness: 0), entries: [])
    }

    /// The state after some steps.
    init(seed: UInt64, steps: Int) {
        self.init(seed: seed)
        for _ in 0..<steps { _ = next() }
    }

    /// The next batch; ``image`` is what it leads to.
    mutating func next() -> [DurableChange] {
        step += 1
        guard image.position.adopted > 0 else { return [adopt(.founding)] }
        var changes: [DurableChange] = []
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<11: changes = [append()]
        case 11..<14: changes = [append(), commit()]
        case 14..<16: changes = [commit()]
        case 16: changes = [promise(), adopt(.longer)]
        case 17: changes = [promise(), adopt(.shorter), append()]
        case 18: changes = [adopt(.snapshotOnly)]
        default: changes = snapshot().map { [$0, append()] } ?? [append()]
        }
        return changes
    }

    private mutating func append() -> DurableChange {
        let entries = (0..<Int.random(in: 1...8, using: &random)).map { _ in entry() }
        return .append(entries)
    }

    /// Adds one to ``image`` and returns it.
    private mutating func entry() -> LogEntry {
        let index = image.position.lastIndex + 1
        let size =
            Int.random(in: 0..<10, using: &random) == 0
            ? Int.random(in: 0..<9_000, using: &random) : Int.random(in: 0..<1_200, using: &random)
        let entry = LogEntry.chained(
            after: image.position.chain, index: index, epoch: image.position.adopted,
            request: RequestID(node: Self.node, incarnation: .random(in: 0 ... .max, using: &random), number: index), payload: bytes(size),
            votes: index % 13 == 0 ? VoteTable(version: index, nodes: [Self.node: Int(index % 3)], witness: 1) : nil)
        image.entries.append(entry)
        image.position.lastIndex = index
        image.position.chain = entry.chain
        return entry
    }

    private mutating func commit() -> DurableChange {
        image.committed = .random(in: image.committed...image.position.lastIndex, using: &random)
        return .commit(index: image.committed)
    }

    private mutating func promise() -> DurableChange {
        image.position.promised += .random(in: 1...3, using: &random)
        return .promise(epoch: image.position.promised)
    }

    private mutating func snapshot() -> DurableChange? {
        guard image.committed > image.snapshotIndex else { return nil }
        let index = UInt64.random(in: image.snapshotIndex + 1...image.committed, using: &random)
        let state = bytes(Int.random(in: 0..<60_000, using: &random))
        cut(upTo: index)
        image.snapshot = state
        return .snapshot(state: state, index: index)
    }

    private mutating func cut(upTo index: UInt64) {
        for entry in image.entries.prefix(Int(index - image.snapshotIndex)) {
            image.snapshotChain = entry.chain
            image.snapshotVotes = entry.votes ?? image.snapshotVotes
        }
        image.entries.removeFirst(Int(index - image.snapshotIndex))
        image.snapshotIndex = index
    }

    private enum Adoption { case founding, longer, shorter, snapshotOnly }

    private mutating func adopt(_ kind: Adoption) -> DurableChange {
        image.position.promised += kind == .founding || kind == .snapshotOnly ? 1 : 0
        image.position.adopted = image.position.promised
        switch kind {
        case .founding:
            image.snapshotVotes = VoteTable(nodes: [Self.node: 1], witness: 0)
            image.snapshot = bytes(500)
        case .longer: for _ in 0..<3 { _ = entry() }
        case .shorter:
            // What was never committed is dropped.
            let keep = UInt64.random(in: image.committed...image.position.lastIndex, using: &random)
            image.entries.removeLast(Int(image.position.lastIndex - keep))
            image.position.lastIndex = keep
            image.position.chain = image.entries.last?.chain ?? image.snapshotChain
        case .snapshotOnly:
            image.committed = image.position.lastIndex
            if image.committed > image.snapshotIndex {
                cut(upTo: image.committed)
                image.snapshot = bytes(2_000)
            }
        }
        return .adopt(image)
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }
}
