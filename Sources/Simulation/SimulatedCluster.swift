import ClusterModel
import ClusterRules
import SeededRandom

/// A cluster in which everything that can go wrong does, as the seed has it: the real ``ConfigurationLog`` on simulated nodes.
///
/// Each ``step(faults:)`` is one delivery, one answer of a disk, one timer or one fault; ``checker`` watches all of them.
public struct SimulatedCluster<State: ReplicatedState>: Sendable {
    public internal(set) var nodes: [SimulatedNode<State>] = []
    public internal(set) var witness: SimulatedWitness?
    public internal(set) var now = Duration.zero
    public internal(set) var checker = LogChecker()
    /// The last things that happened, for people, when ``isTraced``.
    public internal(set) var trace: [String] = []
    public var isTraced = false
    /// Which faults there are; see ``FaultPlan``.
    public var plan: FaultPlan
    public internal(set) var random: SeededGenerator

    var rings: [SimulatedRing] = []
    var ringOf: [Int] = []
    var nextProcess: UInt32 = 1
    var nextWitnessID: UInt64 = 77
    var retiredWitness: SimulatedWitness?
    /// What does not get through: messages of the first to the second. The other way may be open.
    var deafness: Set<Deafness> = []

    /// A formed cluster: every node, and the witness, has one vote, and every node the founding entry.
    public init(nodes count: Int, hasWitness: Bool, seed: UInt64, plan: FaultPlan = FaultPlan()) {
        random = SeededGenerator(seed: seed)
        self.plan = plan
        let ids = (1...max(count, 1)).compactMap { NodeID(rawValue: UInt16($0)) }
        // A single node would have nobody to tell the empty witness what it has to keep.
        let table = VoteTable(
            nodes: Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }), witness: hasWitness && ids.count > 1 ? 1 : 0,
            witnessID: hasWitness ? 77 : 0)
        let founding = ReplicaImage.founding(by: ids[0], payload: [], votes: table)
        for id in ids {
            var node = SimulatedNode<State>(id: id)
            node.disk.image = founding
            nodes.append(node)
        }
        // It was initialised, and has no image before the first epoch opens.
        if hasWitness { witness = SimulatedWitness(id: 77) }
        rings = [SimulatedRing(nodes: ids)]
        ringOf = Array(repeating: 0, count: ids.count)
        for place in nodes.indices { startProcess(place) }
        if hasWitness { grantWitness(to: 0) }
    }

    func place(of node: NodeID) -> Int { Int(node.rawValue) - 1 }

    mutating func note(_ text: String) {
        trace.append("\(now) \(text)")
        if trace.count > 4000 { trace.removeFirst(2000) }
    }

    private mutating func fail(_ text: String) { checker.fail(text) }

    // MARK: One step

    /// Lets one thing happen.
    public mutating func step(faults: Bool = true) {
        now += .milliseconds(random.below(plan.longestStep))
        switch random.below(16) {
        case 0, 1: if let place = some(where: { $0.isUp && !$0.outbox.isEmpty }) { sendNext(from: place) }
        case 2, 3, 4:
            let rings = rings
            let ringOf = ringOf
            if let place = some(where: { $0.isUp && rings[ringOf[Int($0.id.rawValue) - 1]].isBehind($0.id) }) { receiveNext(at: place) }
        case 5, 6, 7, 8: if let place = some(where: { $0.isRunning && !$0.isHung && !$0.inbox.isEmpty }) { deliverNext(to: place) }
        case 9, 10: if !random.chance(plan.slowDisks), let place = some(where: { $0.disk.pending != nil }) { finishDisk(of: place) }
        case 11: finishWitness()
        case 12: if let place = some(where: { $0.isRunning && !$0.isHung }) { feed(.tick, to: place) }
        case 13, 14: if random.chance(plan.proposals) { proposeSomething(on: random.below(nodes.count)) }
        default: if faults, random.below(plan.calm) == 0 { fault(on: random.below(nodes.count)) }
        }
        if let violation = witness?.violation { fail(violation) }
        checkPartitions()
    }

    /// Two partitions that know of their membership and both take changes. With a witness the one that lost it hears of it later, and
    /// votequorum stops it meanwhile, which is not played here.
    private mutating func checkPartitions() {
        guard witness == nil, !plan.isForced, rings.count > 1 else { return }
        var open: NodeID?
        for node in nodes where node.isUp && node.status?.isOpen == true && node.inbox.isEmpty {
            if let other = open, ringOf[place(of: other)] != ringOf[place(of: node.id)] {
                fail("nodes \(other) and \(node.id) are open in different rings")
            }
            open = node.id
        }
    }

    /// A node that can do something, if there is one: each step moves the world.
    private mutating func some(where condition: (SimulatedNode<State>) -> Bool) -> Int? {
        let start = random.below(nodes.count)
        for offset in nodes.indices {
            let place = (start + offset) % nodes.count
            if condition(nodes[place]) { return place }
        }
        return nil
    }

    private mutating func sendNext(from place: Int) {
        guard nodes[place].isUp, let member = nodes[place].member, let message = nodes[place].outbox.next() else { return }
        rings[ringOf[place]].order(.message(member, message), from: nodes[place].id)
        receive(at: place, offset: 0)
    }
    private mutating func receiveNext(at place: Int) {
        guard nodes[place].isUp, rings[ringOf[place]].isBehind(nodes[place].id) else { return }
        let offset = random.chance(800) ? 0 : random.below(4)
        // What it does not hear from the sender it gets from a third node, when it asks for it; or not.
        let next = (rings[ringOf[place]].received[nodes[place].id]?.prefix ?? 0) + offset
        if !deafness.isEmpty, next < rings[ringOf[place]].items.count {
            let sender = rings[ringOf[place]].items[next].sender
            if deafness.contains(Deafness(to: sender, at: nodes[place].id)), !random.chance(100) { return }
        }
        receive(at: place, offset: offset)
    }
    private mutating func receive(at place: Int, offset: Int) {
        let ring = ringOf[place]
        for index in rings[ring].receive(nodes[place].id, offset: offset) { hand(rings[ring].items[index].item, index, to: place) }
    }
    private mutating func hand(_ item: SimulatedRing.Item, _ index: Int, to place: Int) {
        guard nodes[place].isRunning, index >= nodes[place].joinedAt else { return }
        switch item {
        case .message(let from, let message): nodes[place].inbox.add(.message(from, message))
        case .group(let list): nodes[place].inbox.add(.group(list))
        }
    }
    mutating func deliverNext(to place: Int) {
        guard nodes[place].isRunning, !nodes[place].isHung, let next = nodes[place].inbox.next() else { return }
        switch next {
        case .message(let from, let message): feed(.delivered(from: from, message), to: place)
        case .group(let list): feed(.membership(list), to: place)
        case .event(let event):
            // What this process wrote before it hears of the barrier cannot land afterwards.
            if case .witnessHeld = event, let member = nodes[place].member { witness?.finish(member, &random) }
            feed(event, to: place)
        }
    }
    private mutating func finishDisk(of place: Int) {
        guard let pending = nodes[place].disk.pending else { return }
        nodes[place].disk.pending = nil
        if nodes[place].disk.isFull {
            feed(.persistFailed(token: pending.token, reason: "disk full"), to: place)
        } else {
            makeDurable(pending.changes, on: place)
            feed(.persisted(token: pending.token), to: place)
        }
    }
    func isWorking(_ place: Int) -> Bool { nodes[place].isRunning && !nodes[place].isHung }

    mutating func makeDurable(_ changes: [DurableChange], on place: Int) {
        if let problem = nodes[place].disk.make(changes) { fail("the disk of node \(nodes[place].id) refuses: it \(problem)") }
        if let position = nodes[place].disk.image?.position { checker.stored(position, on: "node \(nodes[place].id)") }
    }
    private mutating func finishWitness() {
        guard let witness else { return }
        if random.chance(plan.slowWitness) { return }
        if !witness.reads.isEmpty, random.chance(500) {
            let read = self.witness?.reads.removeFirst()
            guard let read else { return }
            let isAnswered = witness.isReachable && !nodes[place(of: read.by.node)].isCutFromSAN
            answerWitness(read.by, isAnswered ? .witnessRead(token: read.token, witness.image) : .failed(read.token))
        } else if !witness.writes.isEmpty, let write = self.witness?.writes.remove(at: random.below(witness.writes.count)) {
            guard witness.holder == write.by.node, !witness.refuses(write.image) else {
                answerWitness(write.by, .failed(write.token))
                return
            }
            guard witness.isReachable, !nodes[place(of: write.by.node)].isCutFromSAN else {
                // The session may have been lost before the answer, or before the write.
                self.witness?.leaveInDoubt(write.image, &random)
                answerWitness(write.by, .failed(write.token))
                return
            }
            self.witness?.land(write.image)
            if write.image.position.adopted > 0 { checker.stored(write.image.position, on: "the witness") }
            answerWitness(write.by, .witnessWritten(token: write.token))
        }
    }
    private mutating func answerWitness(_ member: GroupMember, _ event: LogEvent) {
        let place = place(of: member.node)
        if nodes[place].member == member { nodes[place].inbox.add(.event(event)) }
    }

    // MARK: What a node does

    mutating func feed(_ event: LogEvent, to place: Int) {
        let time = now + nodes[place].clockOffset
        guard let effects = nodes[place].log?.handle(event, at: time) else { return }
        if isTraced, event != .tick || !effects.isEmpty { note("\(nodes[place].id) < \(Self.brief(event))") }
        for effect in effects { perform(effect, on: place) }
        if isTraced, checker.violation != nil { note("VIOLATION") }
    }

    private mutating func perform(_ effect: LogEffect, on place: Int) {
        if isTraced { note("    \(nodes[place].id) > \(Self.brief(effect))") }
        switch effect {
        case .send(let message): nodes[place].outbox.add(message)
        case .persist(let changes, let token):
            if nodes[place].disk.pending != nil { fail("node \(nodes[place].id) asks for two steps of its disk at once") }
            nodes[place].disk.pending = (changes, token)
        case .readWitness(let token):
            if let member = nodes[place].member { witness?.reads.append((member, token)) }
        case .writeWitness(let image, let token):
            guard let member = nodes[place].member else { return }
            if witness?.writes.contains(where: { $0.by == member }) == true {
                fail("node \(nodes[place].id) asks for two writes of the witness at once")
            }
            witness?.writes.append((member, image, token))
        case .restore(let snapshot, let index):
            guard let state = index == 0 ? State() : State(snapshot: snapshot), state.index == index else {
                fail("node \(nodes[place].id) is given a snapshot at \(index) that is not one")
                return
            }
            nodes[place].state = state
        case .committed(let entries): apply(entries, on: place)
        case .answer(let request, let result): answered(request, result, on: place)
        case .takeSnapshot(let index):
            if nodes[place].state.index == index {
                nodes[place].inbox.add(.event(.snapshotReady(state: nodes[place].state.snapshot, index: index)))
            }
        case .dropped(let entries, let acknowledged):
            if acknowledged > 0, !plan.isForced {
                fail("node \(nodes[place].id) drops \(acknowledged) acknowledged of \(entries.count) entries")
            }
        case .status(let status):
            nodes[place].status = status
        }
        if case .status(let status) = effect, case .open(let epoch, _, false) = status.phase, let log = nodes[place].log {
            checker.opened(epoch, on: nodes[place].id, log: log)
        }
    }
    private mutating func apply(_ entries: [LogEntry], on place: Int) {
        for entry in entries {
            if entry.index != nodes[place].state.index + 1 {
                fail("node \(nodes[place].id) applies entry \(entry.index) after \(nodes[place].state.index)")
            }
            nodes[place].state.apply(entry)
        }
        guard let log = nodes[place].log else { return }
        checker.committed(entries, on: nodes[place].id, epoch: log.position.adopted, isRestart: nodes[place].status == nil)
    }
    private mutating func answered(_ request: RequestID, _ result: ProposalResult, on place: Int) {
        if nodes[place].waiting.remove(request) == nil { fail("request \(request) is answered twice") }
        nodes[place].answers[request] = result
        switch result {
        case .committed(let index): checker.answered(request, index: index)
        case .refused: checker.refused(request, log: plan.isForced ? nodes[place].log : nil)
        case .unknown: break
        }
    }

    // MARK: Requests

    /// Asks a node for a change.
    @discardableResult public mutating func propose(_ payload: [UInt8], votes: VoteTable? = nil, on place: Int) -> RequestID? {
        guard isWorking(place), let request = nextRequest(place) else { return nil }
        feed(.propose(Proposal(request: request, payload: payload, votes: votes)), to: place)
        return request
    }
    /// An operator orders a node's partition to go on without a majority.
    @discardableResult public mutating func force(_ payload: [UInt8], on place: Int) -> RequestID? {
        guard isWorking(place), let request = nextRequest(place) else { return nil }
        feed(.force(Proposal(request: request, payload: payload)), to: place)
        return request
    }
    private mutating func nextRequest(_ place: Int) -> RequestID? {
        guard let member = nodes[place].member else { return nil }
        nodes[place].nextNumber += 1
        let request = RequestID(node: nodes[place].id, incarnation: UInt64(member.process), number: nodes[place].nextNumber)
        nodes[place].waiting.insert(request)
        return request
    }

    private mutating func proposeSomething(on place: Int) {
        guard isWorking(place), nodes[place].waiting.count < 8 else { return }
        let size = random.chance(50) ? random.below(2000) : 8
        if random.chance(plan.voteChanges), let votes = changedVotes(from: nodes[place].log?.votes) {
            if isTraced { note("votes \(votes)") }
            propose([], votes: votes, on: place)
        } else {
            propose(Array(repeating: UInt8(truncatingIfNeeded: random.next()), count: size), on: place)
        }
    }
    private mutating func changedVotes(from table: VoteTable?) -> VoteTable? {
        guard var table else { return nil }
        table.version += 1
        let node = nodes[random.below(nodes.count)].id
        switch random.below(6) {
        case 4, 5:
            // The two majorities may then have few nodes in common.
            for place in nodes.indices where table.nodes[nodes[place].id] != nil { table.nodes[nodes[place].id] = random.below(3) }
        case 0: table.nodes[node] = table.nodes[node] == nil ? 1 : nil
        case 1:
            table.witness = table.witness == 0 && witness != nil ? 1 : 0
            table.witnessID = table.witness == 0 ? 0 : witness?.id ?? 0
        default: table.nodes[node] = random.below(3)
        }
        return table
    }

    static func brief(_ value: Any) -> String {
        String(String(describing: value).replacing("ClusterModel.", with: "").replacing("ClusterRules.", with: "").prefix(700))
    }
}

/// One direction of a link that is cut.
struct Deafness: Hashable, Sendable {
    var to: NodeID
    var at: NodeID
}

extension LogEvent {
    fileprivate static func failed(_ token: UInt64) -> LogEvent { .witnessFailed(token: token, reason: "not reachable") }
}

extension SimulatedCluster {
    /// Where each node stands, for the message of a failed run.
    public var summary: String {
        nodes.map { node in
            let status = node.status.map { "\($0.phase)" } ?? "down"
            return "node \(node.id) \(status), entry \(node.log?.position.lastIndex ?? 0), \(node.waiting.count) unanswered"
        }.joined(separator: "; ")
    }
}
