import ClusterModel
import ClusterRules
import SeededRandom

/// A node's database: a step happens whole or not at all, and what contradicts the log is refused, as the real one refuses it.
public struct SimulatedDisk: Sendable {
    /// What survives a crash. Nil when it never held anything, or lost it.
    public internal(set) var image: ReplicaImage?
    public var isFull = false
    var pending: (changes: [DurableChange], token: UInt64)?

    /// - Returns: What is wrong with the changes, if anything is.
    mutating func make(_ changes: [DurableChange]) -> String? {
        for change in changes {
            if let problem = make(change) { return problem }
        }
        return nil
    }

    private mutating func make(_ change: DurableChange) -> String? {
        switch change {
        case .adopt(let new), .replace(let new):
            guard let old = image else {
                image = new
                return nil
            }
            guard new.position.adopted >= old.position.promised else { return "adopts \(new.position) after \(old.position)" }
            if case .adopt = change, new.snapshotIndex <= old.committed {
                guard new.position.lastIndex >= old.committed,
                    new.chain(at: old.committed) == old.chain(at: old.committed)
                else { return "adopts \(new.position) without what was committed up to \(old.committed)" }
            }
            image = new
            if case .adopt = change, old.committed > new.committed { image?.committed = old.committed }
        case .promise(let epoch):
            guard let old = image?.position.promised, epoch > old else { return "promises \(epoch) after \(image?.position.promised ?? 0)" }
            image?.position.promised = epoch
        case .append(let entries):
            for entry in entries {
                guard let position = image?.position, entry.epoch == position.adopted, entry.epoch == position.promised,
                    entry.index == position.lastIndex + 1, entry.follows(chain: position.chain)
                else { return "appends entry \(entry.index) of epoch \(entry.epoch) to \(image?.position ?? ReplicaPosition())" }
                image?.entries.append(entry)
                image?.position.lastIndex = entry.index
                image?.position.chain = entry.chain
            }
        case .commit(let index):
            guard let old = image, index >= old.committed, index <= old.position.lastIndex else { return "commits \(index)" }
            image?.committed = index
        case .snapshot(let state, let index):
            guard let old = image, index > old.snapshotIndex, index <= old.committed, let chain = old.chain(at: index) else {
                return "takes a snapshot at \(index)"
            }
            let gone = Int(index - old.snapshotIndex)
            for entry in old.entries[..<gone] { if let votes = entry.votes { image?.snapshotVotes = votes } }
            image?.snapshot = state
            image?.snapshotIndex = index
            image?.snapshotChain = chain
            image?.entries.removeFirst(gone)
        }
        return nil
    }
}

/// A shared disk with two slots for an image, and one holder that may write them.
public struct SimulatedWitness: Sendable {
    public internal(set) var id: UInt64
    /// The image of each slot, and the number of its write; nil where there is nothing valid.
    var slots: [(number: UInt64, image: ReplicaImage)?] = [nil, nil]
    public internal(set) var holder: NodeID?
    public var isReachable = true
    /// Writes that are on their way, with the process that sent each. One at a time for each process.
    var writes: [(by: GroupMember, image: ReplicaImage, token: UInt64)] = []
    var reads: [(by: GroupMember, token: UInt64)] = []

    public var image: ReplicaImage? { slots.compactMap { $0 }.max { $0.number < $1.number }?.image }

    /// What is wrong with a write that lands, if anything is: the holder knows what is on the witness, and never takes it back.
    private(set) var violation: String?

    /// The slot that is not the newest.
    private var older: Int { (slots[0]?.number ?? 0) <= (slots[1]?.number ?? 0) ? 0 : 1 }

    /// As the real one does: the holder may have been another one meanwhile, and not know that yet.
    func refuses(_ new: ReplicaImage) -> Bool { wouldGoBack(to: new) }
    private func wouldGoBack(to new: ReplicaImage) -> Bool {
        guard let old = image?.position else { return false }
        return old.isAhead(of: new.position) || old.promised > new.position.promised
    }

    mutating func land(_ new: ReplicaImage) {
        if wouldGoBack(to: new) {
            violation = "the witness had \(image?.position ?? ReplicaPosition()) and is overwritten with \(new.position)"
        }
        slots[older] = ((slots.compactMap { $0?.number }.max() ?? 0) + 1, new)
    }
    /// The writer went, or lost its session, in the middle of a write: it happened, or not, or half.
    mutating func leaveInDoubt(_ new: ReplicaImage, _ random: inout SeededGenerator) {
        if refuses(new) { return }
        switch random.below(4) {
        case 0, 1: land(new)
        case 2: slots[older] = nil
        default: break
        }
    }
    /// A barrier: of the writes before it some landed, and none ever lands behind it.
    mutating func barrier(_ random: inout SeededGenerator) {
        for write in writes where write.by.node == holder { leaveInDoubt(write.image, &random) }
        writes = []
        reads = []
    }
    /// The same for one process.
    mutating func finish(_ member: GroupMember, _ random: inout SeededGenerator) {
        for write in writes where write.by == member && holder == member.node { leaveInDoubt(write.image, &random) }
        writes.removeAll { $0.by == member }
        reads.removeAll { $0.by == member }
    }
}
