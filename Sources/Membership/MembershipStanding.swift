import ClusterModel
import ClusterRules

/// Where a node stands in its cluster, all in one value: what `apus cluster status` shows and what machines are gated by.
public struct MembershipStanding: Hashable, Sendable {
    /// Nodes of Corosync's ring; empty while Corosync is gone.
    public var ring: [NodeID] = []
    /// Nodes whose service is in the group.
    public var members: [NodeID] = []
    /// Whether votequorum has decided about ``ring``. Between a new ring and the decision a node has to count as not quorate.
    public var isRingDecided = false
    /// What votequorum says about the last ring it decided.
    public var isQuorate = false
    public var log = LogStatus(phase: .apart)
    /// The node that holds the witness, as this node read it.
    public var witnessHolder: NodeID?
    /// Why the witness cannot be used from here.
    public var witnessProblem: String?
    /// Why Corosync cannot be used.
    public var corosyncProblem: String?
    /// Corosync has delivered nothing on this node for so long that the others may be a ring without it.
    public var isCorosyncSilent = false
    /// Links of Corosync that are down, to nodes that are in the ring all the same: by the other link.
    public var brokenLinks: [BrokenLink] = []
    /// Why the log cannot be followed any more, for good: an entry that this version cannot read.
    public var logProblem: String?

    public struct BrokenLink: Hashable, Sendable {
        /// The node at the other end.
        public var node: NodeID
        /// 0 for the first cluster network, 1 for the second.
        public var link: Int
    }

    public init() {}

    /// What keeps this node from taking part at all.
    public var problem: String? { logProblem ?? corosyncProblem }

    /// Whether votequorum's last word is about a ring that is known to exist still.
    public var isRingCertain: Bool { isRingDecided && !isCorosyncSilent }

    /// Whether this partition may run machines and change things: votequorum says so of this very ring, **and** the log is open.
    ///
    /// Either alone is not enough. Votequorum counts by a file that a node which was away may have in an old version; the log does not
    /// see a Corosync that is about to lose its quorum.
    public var mayAct: Bool { isRingCertain && isQuorate && log.isOpen }
}
