import ClusterModel
import Foundation
import SeededRandom

@testable import ClusterRules

extension SeededGenerator {
    mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration { .milliseconds(Int.random(in: range, using: &self)) }
}

/// A witness disk with the reservations of tgt: a registration belongs to a session, and what was begun before a PREEMPT may land after it.
struct SimulatedDisk {
    struct Registration: Equatable {
        var session: Int
        var key: NodeReservationKey
    }
    var registrations: [Registration] = []
    var holder: Registration?
    var beats: [NodeID: ArbitrationBeat] = [:]

    func mayWrite(_ session: Int) -> Bool { holder == nil || registrations.contains { $0.session == session } }

    mutating func register(_ session: Int, _ key: NodeReservationKey) {
        registrations.removeAll { $0.session == session }
        registrations.append(Registration(session: session, key: key))
        if holder?.session == session { holder?.key = key }
    }
    mutating func reserve(_ session: Int) -> Bool {
        guard let own = registrations.first(where: { $0.session == session }), holder == nil || holder == own else { return false }
        holder = own
        return true
    }
    mutating func preempt(_ session: Int, victim: NodeReservationKey) -> Bool {
        guard let own = registrations.first(where: { $0.session == session }), registrations.contains(where: { $0.key == victim }) else {
            return false
        }
        let tookOver = holder?.key == victim
        registrations.removeAll { $0.key == victim && $0.session != session }
        if tookOver { holder = own }
        return true
    }
    mutating func release(_ session: Int) -> Bool {
        guard registrations.contains(where: { $0.session == session }) else { return false }
        if holder?.session == session { holder = nil }
        return true
    }
    /// The target starts again; tgt keeps no keys.
    mutating func forget() {
        registrations = []
        holder = nil
    }
}

/// Nodes with Corosync, a witness disk, and everything that can go wrong with them, in simulated time.
struct ArbitrationWorld {
    struct Node {
        var machine: WitnessArbitration
        var session: Int?
        /// The ring as this node's Corosync has it.
        var ring: ArbitrationRing?
        var ringAt: Duration = .zero
        /// Since when the ring is not what the links say.
        var disturbedAt: Duration?
        /// The vote Corosync counts: for which ring, and when it was polled.
        var polled: (ring: ArbitrationRing, isYes: Bool, at: Duration)?
        /// The service is stopped (SIGSTOP) until then; Corosync runs on.
        var pausedUntil: Duration = .zero
        var isDown = false
        var hasSAN = true
        /// The node took the witness while it was in this ring.
        var tookIn: ArbitrationRing?
        /// Its ring when the operation under way was decided.
        var decidedIn: ArbitrationRing?
        var events: [ArbitrationEvent] = []
    }
    enum Event {
        case wake(NodeID, life: Int)
        case step(NodeID, life: Int, Step)
        case ring(NodeID, ArbitrationRing)
        /// The service hears of the ring that its Corosync has by now.
        case tell(NodeID, life: Int)
    }
    /// The pieces of an operation, in the order in which the disk sees them.
    enum Step {
        case write(id: UInt64, ArbitrationBeat?, nodes: [NodeID])
        case read(id: UInt64, writtenAt: Duration?, nodes: [NodeID])
        case readReservation(id: UInt64, writtenAt: Duration?, readAt: Duration, beats: [NodeID: ArbitrationBeat])
        case change(id: UInt64, ArbitrationOperation)
        case answer(id: UInt64, ArbitrationResult)
        /// A write that was under way when its session was lost or its node preempted.
        case lateWrite(ArbitrationBeat)
    }

    var now: Duration = .zero
    var random: SeededGenerator
    var disk = SimulatedDisk()
    var nodes: [NodeID: Node] = [:]
    var lives: [NodeID: Int] = [:]
    var queue: [(at: Duration, order: Int, event: Event)] = []
    var order = 0
    var nextSession = 0
    var topology: [Set<NodeID>] = []
    var nextRing: UInt64 = 0
    let votes: VoteTable
    let mode: ArbitrationMode
    let timings: ArbitrationTimings
    static let cluster = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    /// The disk is quick and does not lose answers.
    var isCalm = false
    static let longestNotice = Duration.milliseconds(2_200)
    var ids: [NodeID] { nodes.keys.sorted() }

    init(count: Int, seed: UInt64, mode: ArbitrationMode = .majority, timings: ArbitrationTimings = ArbitrationTimings()) {
        random = SeededGenerator(seed: seed)
        let ids = (1...UInt16(count)).compactMap(NodeID.init(rawValue:))
        votes = VoteTable(nodes: Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }), witness: 1)
        self.mode = mode
        self.timings = timings
        for id in ids { start(id) }
        connect([Set(ids)])
    }

    // MARK: Faults

    mutating func start(_ id: NodeID) {
        lives[id, default: 0] += 1
        let machine = WitnessArbitration(
            node: id, cluster: Self.cluster, epoch: UInt16(lives[id, default: 0]), incarnation: random.next(), votes: votes, mode: mode,
            timings: timings)
        var node = nodes[id] ?? Node(machine: machine)
        node.machine = machine
        node.isDown = false
        node.session = nil
        node.polled = nil
        node.pausedUntil = .zero
        nodes[id] = node
        schedule(.zero, .tell(id, life: lives[id, default: 0]))
        schedule(.milliseconds(1), .wake(id, life: lives[id, default: 0]))
    }

    mutating func kill(_ id: NodeID) {
        lives[id, default: 0] += 1
        nodes[id]?.isDown = true
        nodes[id]?.ring = nil
        nodes[id]?.polled = nil
        connect(topology.map { $0.subtracting([id]) } + [[id]])
    }

    /// Cuts and joins links. Each component finds out by itself, and all of its members install their ring together.
    ///
    /// However often the links change meanwhile, a node has left a ring that is no more within ``longestNotice``: Corosync's token and
    /// consensus timeouts.
    mutating func connect(_ components: [Set<NodeID>]) {
        topology = components.filter { !$0.isEmpty }
        queue.removeAll { if case .ring = $0.event { true } else { false } }
        for component in topology {
            let members = component.filter { nodes[$0]?.isDown == false }
            for member in members.sorted() {
                let isRight = nodes[member]?.ring?.members == members
                let since = nodes[member]?.disturbedAt ?? now
                nodes[member]?.disturbedAt = isRight ? nil : since
            }
            let disturbed = members.compactMap { nodes[$0]?.disturbedAt }
            guard let first = disturbed.min() else { continue }
            nextRing += 1
            let ring = ArbitrationRing(representative: UInt32(nextRing), sequence: nextRing, members: members)
            let latest = max(first + Self.longestNotice - now, .milliseconds(5))
            let notice = min(.milliseconds(600) + random.milliseconds(0...1_500), latest)
            for member in members.sorted() { schedule(notice + random.milliseconds(0...20), .ring(member, ring)) }
        }
    }

    mutating func loseSession(_ id: NodeID) { nodes[id]?.session = nil }

    mutating func restartTarget() {
        disk.forget()
        for id in ids { nodes[id]?.session = nil }
    }

    mutating func schedule(_ delay: Duration, _ event: Event) {
        order += 1
        queue.append((now + delay, order, event))
    }

    // MARK: Time

    /// Runs to the next event. False when nothing is left.
    mutating func step(until end: Duration) -> Bool {
        guard let index = queue.indices.min(by: { (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order) }),
            queue[index].at <= end
        else {
            now = end
            return false
        }
        let next = queue.remove(at: index)
        now = max(now, next.at)
        switch next.event {
        case .ring(let id, let ring):
            guard nodes[id]?.isDown == false else { break }
            nodes[id]?.ring = ring
            nodes[id]?.ringAt = now
            nodes[id]?.disturbedAt = nil
            deliver(.ring(ring), to: id)
        case .tell(let id, let life):
            if life == lives[id], let ring = nodes[id]?.ring { deliver(.ring(ring), to: id) }
        case .wake(let id, let life):
            guard life == lives[id], let node = nodes[id], !node.isDown else { break }
            if node.pausedUntil <= now, node.machine.nextWake <= now { deliver(.tick, to: id) }
            let wake = nodes[id]?.machine.nextWake ?? now
            schedule(max(wake - now, .milliseconds(1)) + random.milliseconds(0...3), .wake(id, life: life))
        case .step(let id, let life, let step): run(step, of: id, life: life)
        }
        return true
    }

    /// The service takes Corosync for gone; then it hears again of the ring that there is.
    mutating func silence(_ id: NodeID, for duration: Duration) {
        deliver(.ringGone, to: id)
        schedule(duration, .tell(id, life: lives[id, default: 0]))
    }

    private mutating func deliver(_ input: ArbitrationInput, to id: NodeID) {
        guard let node = nodes[id] else { return }
        if node.pausedUntil > now {
            // A stopped process finds it when it goes on.
            switch input {
            case .ring: schedule(node.pausedUntil - now, .tell(id, life: lives[id, default: 0]))
            case .finished(let operation, let result):
                schedule(node.pausedUntil - now, .step(id, life: lives[id, default: 0], .answer(id: operation, result)))
            default: break
            }
            return
        }
        if case .ring(let ring) = input, ring != node.ring { return }
        let effects = nodes[id]?.machine.handle(input, at: now) ?? []
        for effect in effects { perform(effect, id) }
    }

    private mutating func perform(_ effect: ArbitrationEffect, _ id: NodeID) {
        switch effect {
        case .event(let event):
            nodes[id]?.events.append(event)
            let ring = nodes[id]?.decidedIn
            if case .took = event { nodes[id]?.tookIn = ring }
        case .castVote(let vote, let ring):
            // Corosync refuses a poll with another ring's name.
            guard nodes[id]?.ring == ring else { return }
            if case .yes(let until) = vote, now >= until { return }
            nodes[id]?.polled = (ring, vote.isYes, now)
        case .perform(let operation, let operationID):
            begin(operation, operationID, id)
        }
    }

    // MARK: The disk

    private mutating func latency() -> Duration {
        if !isCalm, random.chance(10) { return random.milliseconds(100...1_200) }
        return random.milliseconds(0...8)
    }

    private mutating func then(_ step: Step, of id: NodeID) {
        let delay = latency()
        schedule(delay, .step(id, life: lives[id, default: 0], step))
    }

    private mutating func begin(_ operation: ArbitrationOperation, _ number: UInt64, _ id: NodeID) {
        let ring = nodes[id]?.ring
        nodes[id]?.decidedIn = ring
        switch operation {
        case .openSession:
            guard nodes[id]?.hasSAN == true else {
                schedule(.milliseconds(900), .step(id, life: lives[id, default: 0], .answer(id: number, .failed)))
                return
            }
            // The old registration stays behind as an orphan.
            nextSession += 1
            nodes[id]?.session = nextSession
            then(.answer(id: number, .done), of: id)
        case .observe(let beat, let wanted): then(.write(id: number, beat, nodes: wanted), of: id)
        default: then(.change(id: number, operation), of: id)
        }
    }

    private mutating func run(_ step: Step, of id: NodeID, life: Int) {
        if case .lateWrite(let beat) = step {
            // The check of the reservation was passed before.
            disk.beats[id] = beat
            return
        }
        guard let node = nodes[id], life == lives[id], !node.isDown else { return }
        if case .answer(let number, let result) = step { return deliver(.finished(id: number, result), to: id) }
        guard let session = node.session, node.hasSAN else {
            let number =
                switch step {
                case .write(let n, _, _), .read(let n, _, _), .readReservation(let n, _, _, _), .change(let n, _), .answer(let n, _): n
                case .lateWrite: 0 as UInt64
                }
            // The limit of the command passes; its effect may come later all the same.
            if case .write(_, let beat?, _) = step, disk.mayWrite(node.session ?? -1), random.chance(300) {
                schedule(random.milliseconds(1...3_000), .step(id, life: life, .lateWrite(beat)))
            }
            schedule(
                .milliseconds(node.hasSAN ? 5 : 900),
                .step(id, life: life, .answer(id: number, node.session == nil ? .sessionLost : .failed)))
            return
        }
        switch step {
        case .write(let number, let beat, let wanted):
            let issued = now
            if let beat {
                guard disk.mayWrite(session) else { return then(.answer(id: number, .excluded), of: id) }
                if !isCalm, random.chance(10) {
                    // Accepted and slow: it lands later, whatever is preempted in the meantime.
                    schedule(random.milliseconds(50...2_500), .step(id, life: life, .lateWrite(beat)))
                    schedule(.milliseconds(1_000), .step(id, life: life, .answer(id: number, .failed)))
                    return
                }
                disk.beats[id] = beat
            }
            then(.read(id: number, writtenAt: beat == nil ? nil : issued, nodes: wanted), of: id)
        case .read(let number, let writtenAt, let wanted):
            let beats = disk.beats.filter { wanted.contains($0.key) }
            then(.readReservation(id: number, writtenAt: writtenAt, readAt: now, beats: beats), of: id)
        case .readReservation(let number, let writtenAt, let readAt, let beats):
            let seen = WitnessObservation(
                writtenAt: writtenAt, readAt: readAt, beats: beats, reservationReadAt: now, holder: disk.holder?.key)
            then(.answer(id: number, .observed(seen)), of: id)
        case .change(let number, let operation): change(operation, number, id, session)
        case .answer, .lateWrite: break
        }
    }

    private mutating func change(_ operation: ArbitrationOperation, _ number: UInt64, _ id: NodeID, _ session: Int) {
        let isDone: Bool
        switch operation {
        case .register:
            guard let key = nodes[id]?.machine.key else { return }
            disk.register(session, key)
            isDone = true
        case .reserve: isDone = disk.reserve(session)
        case .preempt(let victim), .adopt(let victim): isDone = disk.preempt(session, victim: victim)
        case .release: isDone = disk.release(session)
        case .openSession, .observe: isDone = false
        }
        // Sometimes it is done and nobody hears of it.
        then(.answer(id: number, !isCalm && random.chance(30) ? .failed : isDone ? .done : .conflict), of: id)
    }
}
