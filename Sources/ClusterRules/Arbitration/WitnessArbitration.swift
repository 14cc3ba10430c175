import ClusterModel
import Foundation

/// Decides for one node who holds the witness, and whether the node casts the witness's vote for its ring.
///
/// Every node runs one. Each round it writes its heartbeat and reads all heartbeats and the reservation. The vote is cast while the holder
/// is a member of the ring, as read from the disk after the ring formed, **and** the holder shows signs of life: its claim on the disk moved
/// within the lease. A ring with half of the votes or more that is without the holder takes the witness when the holder has been silent
/// for longer than any vote on its strength can last. A holder that lives behind a cut link therefore keeps the witness, and one that
/// died, was stopped or lost the SAN loses it. The argument that no two rings count the vote at once is in
/// `Docs/decisions/witness-arbitration.md`.
///
/// Pure: the caller brings the time, a monotonic clock of this node, and carries the effects out.
public struct WitnessArbitration: Sendable {
    public let node: NodeID
    public let cluster: UUID
    public let key: NodeReservationKey
    public let timings: ArbitrationTimings
    let incarnation: UInt64

    var votes: VoteTable
    var mode: ArbitrationMode
    var ring: ArbitrationRing?
    var ringSince: Duration = .zero
    /// Since when it is known that there is none.
    var ringGoneSince: Duration?
    var isForced = false

    // The session and what is under way on it.
    var hasSession = false
    var isRegistered = false
    /// What an earlier session of this node may have left is taken over or known to be gone.
    var isAdopted = false
    var isReachable = true
    var operation: ArbitrationOperation?
    var operationID: UInt64 = 0
    var nextRound: Duration = .zero
    var counter: UInt64 = 0

    // What was seen.
    var tracks: [NodeID: HeartbeatTrack] = [:]
    var watchingSince: Duration?
    var lastObservation: WitnessObservation?
    var lastObservedAt: Duration?
    /// Of the round under way or done last.
    var writtenBeat: ArbitrationBeat?

    // The own hold on the witness.
    /// Consecutive rounds that showed this node as the holder.
    var roundsHeld = 0
    var claims = false
    /// When the last claim was sent after which the reservation was read as this node's.
    var claimConfirmed: Duration?
    var challenged: NodeID?
    /// How often this node has become the holder. Who looks only now and then sees by it that the witness was lost and won meanwhile.
    public private(set) var tenure: UInt64 = 0
    private var isTenureOver = true

    var lastVote: WitnessVote?
    var lastCast: Duration = .zero
    var lastHandled: Duration = .zero

    /// - Parameters:
    ///   - epoch: Of this node's registration; part of its key.
    ///   - incarnation: Drawn at random at the start of the service.
    public init(
        node: NodeID, cluster: UUID, epoch: UInt16, incarnation: UInt64, votes: VoteTable, mode: ArbitrationMode = .majority,
        timings: ArbitrationTimings = ArbitrationTimings()
    ) {
        precondition(timings.isSafe, "\(timings)")
        self.node = node
        self.cluster = cluster
        self.incarnation = incarnation
        self.votes = votes
        self.mode = mode
        self.timings = timings
        key = NodeReservationKey(cluster: cluster, node: node, epoch: epoch)
    }

    /// The node that holds the witness, as read last; nil when nobody does, or it is not of this cluster, or nothing was read.
    public var holder: NodeID? { lastObservation?.holder.flatMap { $0.belongs(to: cluster) ? $0.node : nil } }

    /// This node holds the witness and has proof of it that is not too old: it may write the configuration there.
    public func isHolder(at now: Duration) -> Bool {
        guard isRegistered, isAdopted, claims, let claimConfirmed, lastObservation?.holder == key else { return false }
        return now < claimConfirmed + timings.lease
    }

    /// When the next ``ArbitrationInput/tick`` is due at the latest.
    public var nextWake: Duration {
        var wake = lastHandled + timings.silence
        if operation == nil { wake = min(wake, nextRound) }
        guard ring != nil else { return wake }
        guard let lastVote else {
            // When the vote has to be given, whatever is known by then.
            for limit in [timings.unreadableLimit, timings.holdLimit] where ringSince + limit > lastHandled {
                wake = min(wake, ringSince + limit)
            }
            return wake
        }
        wake = min(wake, lastCast + timings.interval)
        if case .yes(let until) = lastVote { wake = min(wake, until) }
        return wake
    }

    /// - Parameter now: Since any fixed instant; never goes back.
    public mutating func handle(_ input: ArbitrationInput, at now: Duration) -> [ArbitrationEffect] {
        var effects: [ArbitrationEffect] = []
        // Time alone ends it as well.
        if !isHolder(at: now) { isTenureOver = true }
        defer {
            if !isHolder(at: now) {
                isTenureOver = true
            } else if isTenureOver {
                isTenureOver = false
                tenure += 1
            }
        }
        switch input {
        case .tick: break
        case .ring(let new):
            guard new != ring else { break }
            ring = new
            ringSince = now
            ringGoneSince = nil
            isForced = false
            lastVote = nil
            // What was read before does not count for the new ring.
            nextRound = now
        case .ringGone:
            guard ringGoneSince == nil else { break }
            ring = nil
            ringGoneSince = now
            lastVote = nil
        case .votes(let table): votes = table
        case .mode(let new): mode = new
        case .force: isForced = true
        case .finished(let id, let result):
            guard id == operationID, let done = operation else { break }
            operation = nil
            finish(done, result, now, &effects)
        }
        if operation == nil {
            if let next = nextOperation(now, &effects) {
                start(next, &effects)
            } else if nextRound <= now {
                nextRound = now + timings.interval
            }
        }
        lastHandled = now
        cast(now, &effects)
        return effects
    }

    private mutating func start(_ next: ArbitrationOperation, _ effects: inout [ArbitrationEffect]) {
        operationID += 1
        operation = next
        effects.append(.perform(next, id: operationID))
    }

    // MARK: The vote

    private mutating func cast(_ now: Duration, _ effects: inout [ArbitrationEffect]) {
        guard let ring, let vote = vote(now) else { return }
        // Renewed every round, or Corosync would take this node's device for dead.
        guard vote != lastVote || now - lastCast >= timings.interval else { return }
        lastVote = vote
        lastCast = now
        effects.append(.castVote(vote, ring: ring))
    }

    /// Nil: not yet decided for this ring.
    private func vote(_ now: Duration) -> WitnessVote? {
        guard let ring, mode != .maintenance else { return .no }
        if let until = evidence(in: ring).map({ $0 + timings.lease }), now < until { return .yes(until: until) }
        // Once decided it is yes or no; and where the vote changes nothing nobody has to wait for it.
        guard lastVote == nil, couldDecide(ring) else { return .no }
        let age = now - ringSince
        let isFresh = lastObservedAt.map { now - $0 < timings.lease } ?? false
        return age < (isFresh ? timings.holdLimit : timings.unreadableLimit) ? nil : .no
    }

    /// The latest instant at which the holder is known to have lived, when the holder is in the ring.
    private func evidence(in ring: ArbitrationRing) -> Duration? {
        guard let seen = lastObservation, seen.reservationReadAt >= ringSince, let holder, ring.members.contains(holder) else { return nil }
        if holder == node {
            guard isRegistered, isAdopted, claims, seen.holder == key else { return nil }
            return claimConfirmed.map { min($0, seen.reservationReadAt) }
        }
        guard let track = tracks[holder], track.beat?.claims == true, let written = track.writtenAfter else { return nil }
        return min(written, seen.reservationReadAt)
    }

    // MARK: What a ring may do

    var ringAge: Duration { timings.ringAge(nodes: votes.nodes.count) }

    /// Whether the newest votes that are known name this node. A node that was evicted may not write the configuration, so it must not
    /// keep the witness from those who may.
    var isMember: Bool { votes.nodes[node] != nil }
    private var nodeVotes: Int { votes.total - votes.witness }
    func ringVotes(_ ring: ArbitrationRing) -> Int { votes.votes(of: ring.members, withWitness: false) }
    /// Half of the nodes' votes or more: only such a ring may take the witness.
    func mayTake(_ ring: ArbitrationRing) -> Bool {
        mode == .diskOnly && isMember || ringVotes(ring) * 2 >= nodeVotes && ringVotes(ring) > 0
    }
    func isEnoughAlone(_ ring: ArbitrationRing) -> Bool { mode == .majority && ringVotes(ring) >= votes.majority }
    private func couldDecide(_ ring: ArbitrationRing) -> Bool { mayTake(ring) && !isEnoughAlone(ring) }
    /// No node can be in another ring and not have noticed.
    func hasEverybody(_ ring: ArbitrationRing) -> Bool { votes.nodes.keys.allSatisfy(ring.members.contains) }
}
