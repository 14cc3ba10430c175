import ClusterModel

/// How long things may take in the arbitration for the witness. `Docs/decisions/witness-arbitration.md` derives them from each other.
public struct ArbitrationTimings: Hashable, Sendable {
    /// Between two rounds of writing one's heartbeat and reading the witness.
    public var interval: Duration
    /// How long after a sign of the holder's life the witness's vote may be cast.
    public var lease: Duration
    /// How long Corosync counts a vote that is not renewed (`quorum.device.timeout`).
    public var pollTimeout: Duration
    /// How long the holder must have been silent before it is preempted, and its vote be cast by somebody else.
    public var silence: Duration
    /// How old a ring of a cluster of two must be before a node outside of it is presumed to have noticed: Corosync's token timeout, by
    /// which the last node leaves a ring that is no more after the first one formed another, and something more.
    public var ringAge: Duration
    /// What each further node adds to ``ringAge``, as it does to the token timeout (`token_coefficient`).
    public var ringAgePerNode: Duration
    /// How long the vote for a new ring may be held back while a challenge runs: less than `quorum.device.sync_timeout`.
    public var holdLimit: Duration
    /// How long it may be held back while the witness cannot be read.
    public var unreadableLimit: Duration

    public init(
        interval: Duration = .milliseconds(500), lease: Duration = .seconds(2), pollTimeout: Duration = .milliseconds(1_500),
        silence: Duration = .seconds(4), ringAge: Duration = .milliseconds(1_800), ringAgePerNode: Duration = .milliseconds(100),
        holdLimit: Duration = .milliseconds(4_300), unreadableLimit: Duration = .milliseconds(1_500)
    ) {
        self.interval = interval
        self.lease = lease
        self.pollTimeout = pollTimeout
        self.silence = silence
        self.ringAge = ringAge
        self.ringAgePerNode = ringAgePerNode
        self.holdLimit = holdLimit
        self.unreadableLimit = unreadableLimit
    }

    /// ``ringAge`` for a cluster of so many nodes.
    public func ringAge(nodes: Int) -> Duration { ringAge + ringAgePerNode * max(0, nodes - 2) }

    /// Whether a vote of an old holder is certainly gone when a new one casts its own.
    ///
    /// A tenth is left for clocks of different speed and for a poll that is on its way to Corosync.
    public var isSafe: Bool { silence >= (lease + pollTimeout) * 11 / 10 && lease >= interval * 3 && ringAge > .zero }
}

/// What the witness is asked to do for quorum.
public enum ArbitrationMode: Hashable, Sendable {
    /// Node and Disk Majority: the witness is one vote among others.
    case majority
    /// Disk Only: whoever holds the witness has quorum, however few they are.
    case diskOnly
    /// The operator works on the disk: no heartbeats, no challenges, no vote.
    case maintenance
}
