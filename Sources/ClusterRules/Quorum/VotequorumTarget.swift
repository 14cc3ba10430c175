import ClusterModel

/// What Corosync's votequorum should count with, so that it follows the log's votes.
///
/// The log's count decides; votequorum is a second gate that keeps Corosync's own users and a daemon that lags in step. Order of a
/// change: committed in the log, then the file of every node is written, then Corosync reads it. A node that comes back alone with an
/// old file may be quorate by that file; it still runs nothing, because no epoch of the log opens for it.
public struct VotequorumTarget: Hashable, Sendable {
    /// `nodelist.node.quorum_votes` of each member.
    public var nodeVotes: [NodeID: Int]
    /// `quorum.expected_votes`: node votes, and the device's if it is to be counted.
    public var expectedVotes: Int
    /// `quorum.device.votes`; with 0 the section is left out. It may change, and the section come and go, at a reload (measured with
    /// 3.1.7; votequorum(5) says otherwise).
    public var deviceVotes: Int
    /// Whether the node service may poll "yes" at all: a vote without a section in the file counts nothing, and one that follows the file
    /// late must not count by accident.
    public var isDeviceCounted: Bool { deviceVotes > 0 }

    public init(of state: ClusterState) {
        var nodeVotes = Dictionary(state.nodes.keys.map { ($0, state.votes.nodes[$0, default: 0]) }, uniquingKeysWith: max)
        if state.votes.witness > 0, state.votes.total == state.votes.witness {
            // Disk Only. The nodes' votes together are half of all, so they are no quorum, and any of them is one with the device.
            // `master_wins` would do the same with one vote, but lets any number of other nodes win as well.
            let each = nodeVotes.count == 1 ? 2 : 1
            nodeVotes = nodeVotes.mapValues { _ in each }
            self.nodeVotes = nodeVotes
            deviceVotes = nodeVotes.values.reduce(0, +)
            expectedVotes = deviceVotes * 2
            return
        }
        // No section for a witness without a vote. Corosync counts a device that only withholds its vote among those that it expects, so
        // that two nodes of three had no quorum (measured with 3.1.7).
        let deviceVotes = state.witness.witness != .none && state.votes.witness > 0 ? 1 : 0
        // Corosync refuses a device unless `expected_votes` is at least two more than its votes (measured: it does not start, or after a
        // reload ignores the device). So where the log leaves one vote beside the witness, the lowest voter has two in the file. That can
        // make Corosync call it quorate where the log has no majority; the node then runs nothing, because both must agree.
        let sum = nodeVotes.values.reduce(0, +)
        let needed = deviceVotes == 0 ? 0 : 2
        if sum < needed, let only = nodeVotes.filter({ $0.value > 0 }).keys.min() { nodeVotes[only, default: 0] += needed - sum }
        self.nodeVotes = nodeVotes
        self.deviceVotes = deviceVotes
        expectedVotes = nodeVotes.values.reduce(0, +) + deviceVotes
    }
}
