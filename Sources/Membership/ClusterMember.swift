import ClusterModel
import ClusterRules
import ClusterStore
import Corosync
import Foundation
import Logging
import Synchronization

/// This node as a member of its cluster: joins Corosync, the replicated configuration, its database and the witness.
///
/// It decides nothing: ``ConfigurationLog`` says what is to be sent, stored and applied, ``ClusterState`` what a change means. Everything
/// that happens goes through this actor, one event after the other, so the log sees one order.
public actor ClusterMember {
    public nonisolated let settings: MemberSettings
    nonisolated let logger: Logger
    nonisolated let delegate: any MemberDelegate
    let store: ConfigurationStore

    private var log: ConfigurationLog
    private var state = ClusterState()
    var standing = MembershipStanding()

    /// The newest vote table that is known not to name this node. Kept when the witness that told it has been let go.
    private(set) var turnedAwayAt: UInt64?

    private var lastNumber: UInt64 = 0
    private var waiting: [RequestID: Waiting] = [:]

    private struct Waiting {
        var continuation: CheckedContinuation<Result<[ClusterEffect], MembershipError>, Never>
        var deadline: ContinuousClock.Instant
        var limit: Duration
        var outcome: EntryOutcome?
        var isCommitted = false
    }

    /// What readers get without waiting for this actor.
    private nonisolated let view: Mutex<View>
    public struct View: Sendable {
        /// After the last committed change that this node knows.
        public var state = ClusterState()
        public var standing = MembershipStanding()
        /// Until when Corosync's last sign of life counts.
        fileprivate var provenUntil = ContinuousClock.now
    }

    /// While this node is in one.
    var group: ProcessGroup?
    // Each is emptied by one task, in order. What was meant for a witness that is gone goes with it: the log asks again.
    var witnessWork = Mailbox<WitnessWork>()
    var wakeVoter = Mailbox<Void>(keepsLast: true)
    private let durable = Mailbox<(changes: [DurableChange], token: UInt64)>()
    let effects = Mailbox<ClusterEffect>()

    let map = ConfigurationMap()
    let control = CorosyncControl()
    var currentRing: RingID?
    /// While Corosync is there.
    var votequorum: Votequorum?
    var witnessPort: (any WitnessPort)?
    var echo = Echo()
    /// The version of corosync.conf that each node wrote.
    var writtenVersions: [NodeID: UInt64] = [:]
    /// For the history, as soon as it can be written.
    var notes: [EventNote] = []
    enum WitnessWork: Sendable {
        case read(token: UInt64)
        case write(ReplicaImage, token: UInt64)
    }

    /// Opens this node's replica.
    ///
    /// - Parameter seed: What a new member begins with; used only if the database has never held anything.
    /// - Throws: ``StoreError`` when the database cannot be used; ``StoreError/damaged(path:reason:)`` is dealt with here: it is put aside, and
    ///   the replica catches up from the others without being counted until then.
    public init(
        settings: MemberSettings, seed: ReplicaImage?, delegate: any MemberDelegate, logger: Logger
    ) async throws {
        self.settings = settings
        self.delegate = delegate
        self.logger = logger
        view = Mutex(View())
        let opened = try await Self.open(settings, seed: seed, logger)
        store = opened.store
        notes = opened.notes
        log = try ConfigurationLog(
            settings: .init(
                member: ClusterRules.GroupMember(node: settings.node, process: UInt32(bitPattern: getpid())),
                incarnation: .random(in: 1 ... .max)),
            image: opened.image)
    }

    private static func open(
        _ settings: MemberSettings, seed: ReplicaImage?, _ logger: Logger
    ) async throws(StoreError) -> (store: ConfigurationStore, image: ReplicaImage?, notes: [EventNote]) {
        func attempt() async throws(StoreError) -> ConfigurationStore {
            try await ConfigurationStore.open(folder: settings.storeFolder, cluster: settings.cluster, node: settings.node)
        }
        let store: ConfigurationStore
        // For the history of the cluster, which can be written only once this node takes part again.
        var notes: [EventNote] = []
        func tell(_ sentence: String, because cause: String?) {
            notes.append(EventNote(node: settings.node, severity: .warning, cause: cause, sentence: sentence))
        }
        do throws(StoreError) { store = try await attempt() } catch {
            guard case .damaged = error else { throw error }
            let aside = try ConfigurationStore.quarantine(folder: settings.storeFolder)
            logger.error(
                "the replica of the configuration is damaged; it is put aside, and fetched from the others",
                metadata: ["reason": "\(error)", "aside": "\(aside ?? "nothing")"])
            tell("The copy of the configuration on \(settings.name) was damaged. It was put aside and fetched anew.", because: "\(error)")
            store = try await attempt()
        }
        switch try await store.memory {
        case .lost:
            if notes.isEmpty {
                logger.error("the replica of the configuration is gone; it is fetched from the others", metadata: ["path": "\(store.path)"])
                tell("The copy of the configuration on \(settings.name) was gone and was fetched anew.", because: nil)
            }
            return (store, nil, notes)
        case .fresh:
            guard let seed else {
                // A node that has just been added, or one whose folder was removed with every trace in it.
                logger.notice("there is no replica of the configuration yet; it is fetched from the others")
                return (store, nil, notes)
            }
            try await store.make([.promise(epoch: seed.position.promised), .adopt(seed)])
            return (store, try await store.load(), notes)
        default: return (store, try await store.load(), notes)
        }
    }

    /// Takes part until cancelled.
    public func run() async {
        feed(.tick)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followGroup() }
            group.addTask { await self.followQuorum() }
            group.addTask { await self.followWitness() }
            group.addTask { await self.followCorosync() }
            group.addTask { await self.followLinks() }
            group.addTask { await self.storeChanges() }
            group.addTask { await self.carryOutEffects() }
            group.addTask { await self.tickForever() }
            group.addTask { await self.doDuties() }
            await group.waitForAll()
        }
        let left = waiting
        waiting = [:]
        for entry in left.values { entry.continuation.resume(returning: .failure(.ended(node: settings.name))) }
        do { try await store.close() } catch { logger.error("the replica was not closed in order", metadata: ["reason": "\(error)"]) }
    }

    // MARK: Reading

    /// The configuration as of ``ClusterState/appliedIndex``, and where this node stands. Never waits.
    public nonisolated var now: View {
        var now = view.withLock { $0 }
        // Also when this service was stopped itself, and is read before it noticed.
        let standing = now.standing
        if standing.isRingDecided, !standing.members.isEmpty, ContinuousClock.now > now.provenUntil { now.standing.isCorosyncSilent = true }
        return now
    }

    /// Corosync was alive at a time, and counts as such for a while after.
    func provenAlive(until end: ContinuousClock.Instant) { view.withLock { $0.provenUntil = end } }

    func publish() {
        let (state, standing) = (state, standing)
        view.withLock {
            $0.state = state
            $0.standing = standing
        }
        delegate.standingChanged(standing, state)
    }

    // MARK: Changing

    /// Orders a change, and waits until it is durable on a majority of votes and applied here.
    ///
    /// - Parameters:
    ///   - requestedBy: Who asked, for the history; nil when the cluster itself does.
    /// - Returns: What it makes nodes do; they have been told.
    public func propose(
        _ command: ClusterCommand, requestedBy: String? = nil, within limit: Duration = .seconds(10)
    ) async throws(MembershipError) -> [ClusterEffect] {
        guard standing.log.isOpen else { throw .notOpen(node: settings.name, standing: standing.log.sentence(names: names)) }
        return try await order(command, requestedBy, within: limit) { .propose($0) }
    }

    /// Goes on without a majority, as an operator orders. See Docs/decisions/0004-commit-rule.md for what may be lost.
    public func force(
        _ command: ClusterCommand, requestedBy: String, within limit: Duration = .seconds(30)
    ) async throws(MembershipError) -> [ClusterEffect] {
        try await order(command, requestedBy, within: limit) { .force($0) }
    }

    private func order(
        _ command: ClusterCommand, _ requestedBy: String?, within limit: Duration, as event: (Proposal) -> ClusterRules.LogEvent
    ) async throws(MembershipError) -> [ClusterEffect] {
        let payload: [UInt8]
        do throws(ClusterCodingError) {
            payload = try ClusterCoding.bytes(of: CommandProposal(time: WallTime(Date()), requestedBy: requestedBy, command: command))
        } catch { throw .coding(error) }
        lastNumber += 1
        let request = RequestID(node: settings.node, incarnation: log.settings.incarnation, number: lastNumber)
        let result = await withCheckedContinuation { continuation in
            waiting[request] = Waiting(continuation: continuation, deadline: .now + limit, limit: limit)
            feed(event(Proposal(request: request, payload: payload, votes: command.votes)))
        }
        return try result.get()
    }

    /// With every tick, instead of a timer for each.
    private func giveUpTheLate() {
        let now = ContinuousClock.now
        for (request, entry) in waiting where entry.deadline <= now {
            waiting[request] = nil
            feed(.giveUp(request))
            entry.continuation.resume(returning: .failure(.unanswered(node: settings.name, seconds: Int(entry.limit.components.seconds))))
        }
    }

    private func settle(_ request: RequestID) {
        guard let entry = waiting[request], entry.isCommitted, let outcome = entry.outcome else { return }
        waiting[request] = nil
        switch outcome {
        case .applied(let effects): entry.continuation.resume(returning: .success(effects))
        case .repeated: entry.continuation.resume(returning: .success([]))
        case .rejected(let rejection): entry.continuation.resume(returning: .failure(.rejected(rejection)))
        }
    }

    private func answered(_ request: RequestID, _ result: ProposalResult) {
        switch result {
        case .committed:
            waiting[request]?.isCommitted = true
            settle(request)
        case .refused(let refusal):
            waiting.removeValue(forKey: request)?.continuation.resume(returning: .failure(.refused(refusal)))
        case .unknown:
            waiting.removeValue(forKey: request)?.continuation.resume(returning: .failure(.outcomeUnknown(node: settings.name)))
        }
    }

    // MARK: The log

    /// Tells the log, and does what it wants. There is no suspension in here: nothing comes between an event and its effects.
    func feed(_ event: ClusterRules.LogEvent) {
        for effect in log.handle(event, at: MonotonicClock.now) { perform(effect) }
    }

    private func perform(_ effect: LogEffect) {
        switch effect {
        case .send(let message): send(.log(message))
        case .persist(let changes, let token): durable.put((changes, token))
        case .readWitness(let token): witnessWork.put(.read(token: token))
        case .writeWitness(let image, let token): witnessWork.put(.write(image, token: token))
        case .restore(let bytes, let index): restore(bytes, index)
        case .committed(let entries): apply(entries)
        case .answer(let request, let result): answered(request, result)
        case .takeSnapshot: takeSnapshot()
        case .dropped(let entries, let acknowledged): reportDropped(entries, acknowledged)
        case .status(let status):
            if status.isOpen != standing.log.isOpen || status.phase != standing.log.phase {
                logger.notice("the configuration", metadata: ["is": "\(status.sentence(names: names))"])
            }
            standing.log = status
            if case .turnedAway(let version) = status.phase { turnedAwayAt = max(turnedAwayAt ?? 0, version) }
            publish()
        }
    }

    private func restore(_ bytes: [UInt8], _ index: UInt64) {
        do throws(ClusterCodingError) {
            state = try ClusterCoding.state(from: bytes)
            standing.logProblem = nil
        } catch {
            stopApplying("\(error)")
        }
        publish()
    }

    private func apply(_ entries: [LogEntry]) {
        var answered: [RequestID] = []
        for entry in entries where isApplying {
            do throws(UnusableEntry) {
                let outcome = try ClusterRules.apply(entry, to: &state)
                if case .applied(let list) = outcome {
                    for effect in list where effect.node == settings.node { effects.put(effect) }
                }
                if entry.request.node == settings.node, waiting[entry.request] != nil {
                    waiting[entry.request]?.outcome = outcome
                    answered.append(entry.request)
                }
            } catch { stopApplying("\(error)") }
        }
        // First: whoever is answered may look at what it came to.
        publish()
        for request in answered { settle(request) }
    }

    private var isApplying: Bool { standing.logProblem == nil }

    /// A node that cannot read the log must not go on as if the entry had not been: it would have another configuration than the others.
    private func stopApplying(_ reason: String) {
        guard isApplying else { return }
        standing.logProblem = reason
        logger.critical("the configuration cannot be followed any more", metadata: ["reason": "\(reason)"])
    }

    private func takeSnapshot() {
        guard isApplying else { return }
        do throws(ClusterCodingError) {
            feed(.snapshotReady(state: try ClusterCoding.bytes(of: state), index: state.appliedIndex))
        } catch { logger.error("no snapshot of the configuration", metadata: ["reason": "\(error)"]) }
    }

    /// The names of the nodes, for sentences.
    var names: @Sendable (NodeID) -> String {
        let state = state
        return { state.name(of: $0) }
    }
    var configuration: ClusterState { state }
    var ownMember: ClusterRules.GroupMember { log.settings.member }
    var committedVotes: VoteTable { log.votes }
    var votersPresent: VotersPresent { log.votersPresent }

    private func tickForever() async {
        while !Task.isCancelled {
            feed(.tick)
            giveUpTheLate()
            listenToCorosync()
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func storeChanges() async {
        for await (changes, token) in durable.items {
            do throws(StoreError) {
                try await store.make(changes)
                feed(.persisted(token: token))
            } catch {
                logger.error("the replica cannot be written", metadata: ["reason": "\(error)"])
                feed(.persistFailed(token: token, reason: "\(error)"))
            }
        }
    }
}
