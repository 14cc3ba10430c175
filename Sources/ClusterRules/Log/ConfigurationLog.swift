import ClusterModel

/// One node's side of the replicated configuration: who leads, what is promised, stored and committed.
///
/// Everything it knows comes in as a ``LogEvent``, with the time; everything it wants goes out as a ``LogEffect``. What it does, and why
/// that loses no acknowledged change, is told in Docs/decisions/0004-commit-rule.md. In short:
///
/// 1. *Session.* At each change of the group the members say hello: their replica's position, and the witness's if they hold it.
///    The one with the best log coordinates.
/// 2. *Promise.* It begins an epoch above all that were ever promised. Who promises accepts nothing of a lower one.
/// 3. *Adopt.* When a majority of votes promised, each member brings its log to that of the epoch's leader, in one durable step.
///    When a majority did, the epoch is open and all of that log is committed.
/// 4. *Append.* The leader gives each change its place. It is committed once a majority has it durably.
public struct ConfigurationLog: Sendable {
    public struct Settings: Hashable, Sendable {
        public var member: GroupMember
        /// Drawn at random at the start of the service.
        public var incarnation: UInt64
        /// A member that did not say hello by then is left out.
        public var helloDeadline = Duration.seconds(2)
        /// A leader that was silent for so long is left out.
        public var leaderDeadline = Duration.seconds(3)
        public var pulseInterval = Duration.milliseconds(500)
        /// The first wait of a member that was left out before it asks to be let in; it doubles up to ``longestRejoinWait``.
        public var rejoinWait = Duration.seconds(1)
        public var longestRejoinWait = Duration.seconds(30)
        /// How often a witness is refreshed whose vote is not needed.
        public var witnessInterval = Duration.seconds(1)
        /// The wait before a database or a witness that failed is tried again.
        public var retryWait = Duration.seconds(5)
        /// A copy of the log that does not get on is asked for again.
        public var fetchDeadline = Duration.seconds(5)
        /// A snapshot is asked for after so many entries, or so many bytes of them.
        public var entriesPerSnapshot = 1024
        public var bytesPerSnapshot = 4 << 20

        public init(member: GroupMember, incarnation: UInt64) {
            self.member = member
            self.incarnation = incarnation
        }
    }

    public let settings: Settings
    var log = ReplicatedLog()
    /// Whether this replica remembers all that it promised and acknowledged.
    var remembers: Bool
    /// Known to be committed, and given to the owner.
    public internal(set) var committed: UInt64 = 0
    var committedChain: UInt64 = 0

    var members: [GroupMember] = []
    var session: LogSession?
    var round: UInt64 = 0
    var awaitedHello: (round: UInt64, leftOut: [NodeID])?
    var saidHello: SessionTag?
    var gatheringSince = Duration.zero
    var leaderHeardAt = Duration.zero
    var lastSentAt = Duration.zero
    var rejoinAt: Duration?
    var rejoinWait: Duration
    var didBegin = false
    var hasAdopted = false
    var mustFetch = false
    var turnedAway: UInt64?
    var epochsExhausted = false

    var fetching: IncomingCopy?
    var transferNumber: UInt64 = 0
    var outgoing: [NodeID: OutgoingCopy] = [:]
    var heldBack: [[LogEntry]] = []
    var heldBackBytes = 0

    var waiting: [Proposal] = []
    var waitingBytes = 0
    var highestNumber: UInt64 = 0
    var toOrder: [Append.Item] = []
    var orderedVotesVersion: UInt64?
    var orderedRequests = RequestLedger()
    var appendInFlight = false
    var pendingForce: Proposal?

    var disk = DurableQueue()
    var witness: HeldWitness?
    var snapshotAskedAt: UInt64 = 0
    var nextToken: UInt64 = 0
    var lastStatus: LogStatus?
    var now = Duration.zero
    var effects: [LogEffect] = []

    /// - Parameters:
    ///   - image: What the database holds; nil when it holds nothing, or lost its memory: then this replica does not count until it
    ///     took over the log of an epoch that the others opened without its promise.
    /// - Throws: When the image does not hold together, or was made by a newer version.
    public init(settings: Settings, image: ReplicaImage?) throws(CodingError) {
        self.settings = settings
        rejoinWait = settings.rejoinWait
        remembers = image != nil
        guard let image else { return }
        if let inconsistency = image.inconsistency { throw .outOfRange("an image in which \(inconsistency)") }
        _ = try LogSnapshot.decode(image.snapshot)
        log = ReplicatedLog(image)
        disk.storedIndex = log.lastIndex
        disk.storedCommit = image.committed
        disk.queuedIndex = log.lastIndex
        effects.append(.restore(state: log.snapshotState, index: log.snapshotIndex))
        committed = log.snapshotIndex
        committedChain = log.snapshotChain
        commit(through: image.committed)
    }

    /// What this replica holds.
    public var position: ReplicaPosition { log.position }
    /// The newest vote table that is known to be committed.
    public var votes: VoteTable { log.votes(committed: committed).inForce }
    /// ``LogEntry/chain`` of an entry that this replica holds; nil for one it has not, or no more.
    public func chain(at index: UInt64) -> UInt64? { log.chain(at: index) }
    var me: NodeID { settings.member.node }

    /// Takes one event and says what has to be done about it. The first call also returns what the start asks for.
    public mutating func handle(_ event: LogEvent, at time: Duration) -> [LogEffect] {
        now = max(now, time)
        switch event {
        case .membership(let list): membershipChanged(list.sorted())
        case .delivered(let from, let message): delivered(message, from: from)
        case .persisted(let token): persisted(token)
        case .persistFailed(let token, let reason): persistFailed(token, reason)
        case .witnessHeld(let id): witnessHeld(id)
        case .witnessLost: witnessLost()
        case .witnessRead(let token, let image): witnessRead(token, image)
        case .witnessWritten(let token): witnessWritten(token)
        case .witnessFailed(let token, let reason): witnessFailed(token, reason)
        case .propose(let proposal): propose(proposal)
        case .giveUp(let request): giveUp(request)
        case .force(let proposal): force(proposal)
        case .snapshotReady(let state, let index): snapshotReady(state, index)
        case .tick: tick()
        }
        sendHelloIfReady()
        persistNext()
        writeWitnessIfNeeded()
        reportStatus()
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }

    private mutating func delivered(_ message: LogMessage, from: GroupMember) {
        // What a process said that is not in the group any more, or not yet, belongs to another membership.
        guard members.contains(from) else { return }
        if case .hello(let hello) = message.body {
            heard(hello, round: message.tag.round, from: from)
            return
        }
        guard let session, message.tag == session.tag, session.hellos.count + session.leftOut.count == members.count,
            !session.leftOut.contains(from.node)
        else { return }
        if from.node == leader { leaderHeardAt = now }
        guard !session.leftOut.contains(me) else { return }
        switch message.body {
        case .hello, .pulse: break
        case .begin(let begin): begun(begin, by: from.node)
        case .promised(let epoch, let witness): promised(epoch, by: from.node, witness: witness)
        case .witness(let report): witnessReported(report, by: from.node)
        case .fetch(let fetch): serve(fetch, to: from.node)
        case .chunk(let chunk): received(chunk, from: from.node)
        case .chunkReceived(let transfer, let sequence): chunkReceived(transfer, sequence, by: from.node)
        case .propose(let proposal): proposed(proposal, by: from.node)
        case .append(let append): appended(append, by: from.node)
        case .acknowledged(let epoch, let index, let witness): acknowledged(epoch, index, by: from.node, witness: witness)
        case .refused(let request, let reason): refused(request, reason)
        case .turnedAway(let node, let version): if node == me { turnedAway = version }
        case .force(let proposal): forced(proposal)
        }
    }

    /// Who leads the session, or decides who will.
    var leader: NodeID? { session?.begin?.leader ?? session?.coordinator }

    mutating func send(_ body: LogMessage.Body) {
        guard let session else { return }
        lastSentAt = now
        effects.append(.send(LogMessage(tag: session.tag, body: body)))
    }
    mutating func token() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    private mutating func tick() {
        askToBeLetIn()
        leaveOutTheSilent()
        retryDisk()
        retryWitness()
        retryFetch()
        if leader == me, session?.hellos.isEmpty == false, now - lastSentAt >= settings.pulseInterval { send(.pulse) }
        lookForTheHolder()
        if isLeader, session?.isOpen == true, log.votes(committed: committed).inForce.nodes[me] == nil {
            // This node was evicted and leads none the less, since it had the best log. The others have it by now.
            startRound(leavingOut: session?.leftOut ?? [])
        }
    }
}
