import ClusterModel
import ClusterRules

/// Watches every step of a simulated cluster for what must never happen. The first violation is kept.
public struct LogChecker: Sendable {
    public private(set) var violation: String?

    /// Since a forced quorum may lose what was committed elsewhere, each force begins a lineage of its own: the upper half of an epoch.
    private struct Lineage: Sendable {
        /// ``LogEntry/chain`` of each committed entry.
        var chains: [UInt64: UInt64] = [:]
        var last: UInt64 = 0
        var requests: [RequestID: UInt64] = [:]
        /// For each epoch that committed something: how far the log is committed by then.
        var committedIn: [(epoch: UInt64, index: UInt64)] = []
        /// The highest epoch that was open anywhere.
        var opened: UInt64 = 0
    }
    private var lineages: [UInt64: Lineage] = [:]
    /// The log of each epoch, as durable replicas show it: chain at each last index seen.
    private var epochLogs: [UInt64: [UInt64: UInt64]] = [:]
    /// Committed entries so far, in the longest lineage.
    public var committedCount: Int { lineages.values.map(\.chains.count).max() ?? 0 }

    mutating func fail(_ text: String) {
        if violation == nil { violation = text }
    }

    /// A node was told that entries are committed, while it followed an epoch.
    mutating func committed(_ entries: [LogEntry], on node: NodeID, epoch: UInt64, isRestart: Bool) {
        let key = epoch >> 32
        for entry in entries {
            var known = lineages[key]?.chains[entry.index]
            if known == nil {
                // A forced lineage begins wherever each of its nodes stands.
                let next = (lineages[key]?.last ?? 0) + 1
                if key == 0, entry.index > next { fail("node \(node) commits entry \(entry.index), and \(next) was never committed") }
                lineages[key, default: Lineage()].chains[entry.index] = entry.chain
                lineages[key]?.last = max(next - 1, entry.index)
                known = entry.chain
                if let old = lineages[key]?.requests.updateValue(entry.index, forKey: entry.request), old != entry.index {
                    fail("request \(entry.request) is committed as entry \(old) and as entry \(entry.index)")
                }
                if !isRestart {
                    if let opened = lineages[key]?.opened, opened > epoch {
                        fail("entry \(entry.index) is committed in epoch \(epoch), after epoch \(opened) was open")
                    }
                    if lineages[key]?.committedIn.last?.epoch == epoch { lineages[key]?.committedIn.removeLast() }
                    if let last = lineages[key]?.committedIn.last, last.epoch > epoch {
                        fail("entry \(entry.index) is committed in epoch \(epoch), after epoch \(last.epoch) committed entries")
                    }
                    lineages[key]?.committedIn.append((epoch, entry.index))
                }
            }
            if known != entry.chain {
                fail("node \(node) commits another entry \(entry.index) in epoch \(epoch) than was committed before")
            }
        }
    }

    /// An epoch is open, and this is the log of a node that follows it.
    mutating func opened(_ epoch: UInt64, on node: NodeID, log: ConfigurationLog) {
        lineages[epoch >> 32, default: Lineage()].opened = max(lineages[epoch >> 32]?.opened ?? 0, epoch)
        guard let line = lineages[epoch >> 32], let last = line.committedIn.last(where: { $0.epoch < epoch }) else { return }
        let lastIndex = log.position.lastIndex
        guard lastIndex >= last.index else {
            fail("epoch \(epoch) opened on node \(node) up to entry \(lastIndex); entry \(last.index) was committed in epoch \(last.epoch)")
            return
        }
        if let here = log.chain(at: last.index), let known = line.chains[last.index], here != known {
            fail("epoch \(epoch) opened on node \(node) with another entry \(last.index) than was committed in epoch \(last.epoch)")
        }
    }

    /// A replica is durable with this log.
    mutating func stored(_ position: ReplicaPosition, on replica: String) {
        if let known = epochLogs[position.adopted, default: [:]].updateValue(position.chain, forKey: position.lastIndex),
            known != position.chain
        {
            fail("\(replica) stores another entry \(position.lastIndex) in epoch \(position.adopted) than another replica")
        }
    }

    mutating func answered(_ request: RequestID, index: UInt64) {
        guard lineages.values.contains(where: { $0.requests[request] == index }) else {
            fail("request \(request) was told to be entry \(index), which it is not")
            return
        }
    }
    /// - Parameter log: The log of the node that says so, where quorum is forced: two partitions may be forced at once, and what one of
    ///   them refuses the other one may have. An answer holds for the partition that gave it.
    mutating func refused(_ request: RequestID, log: ConfigurationLog?) {
        for lineage in lineages.values {
            guard let index = lineage.requests[request] else { continue }
            if let log, log.chain(at: index) != lineage.chains[index] { continue }
            fail("request \(request) was refused and is committed")
        }
    }
}
