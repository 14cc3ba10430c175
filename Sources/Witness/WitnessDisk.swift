import ClusterModel
import ClusterRules
import Executors
import Foundation
import Reservations
import SCSI
import SharedDisks
import Synchronization

/// Carries out on a real witness, a disk or a share, what ``WitnessArbitration`` decides, and reads and writes the configuration while this node holds the witness.
///
/// ``run()`` is to be called once, in a task of the owner; it ends when that is cancelled. Everything else is for callers on any task.
/// The vote is read by whoever polls Corosync without waiting: ``currentVote``.
public actor WitnessDisk {
    public typealias Connect = @Sendable (Duration) async throws -> WitnessSession
    public typealias Open = @Sendable () async throws -> any WitnessMedium

    public nonisolated let node: NodeID
    public nonisolated let cluster: UUID
    /// What happened, in order. One reader.
    public nonisolated let events: AsyncStream<ArbitrationEvent>
    private let report: AsyncStream<ArbitrationEvent>.Continuation
    // Heartbeats must not wait for a thread behind other work of the process.
    private let executor = QueueExecutor(label: "apus.witness", qos: .userInteractive)
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var machine: WitnessArbitration
    private let openMedium: Open
    private let label: String
    private let key: NodeReservationKey
    private let start = ContinuousClock.now
    private let (operations, submit) = AsyncStream<(ArbitrationOperation, UInt64)>.makeStream()
    private nonisolated let vote = Mutex<CastVote?>(nil)
    private nonisolated let problem = Mutex<String?>(nil)

    private var medium: (any WitnessMedium)?

    /// A witness disk.
    ///
    /// - Parameters:
    ///   - epoch: Of this node's registration: rises with each start of the service.
    ///   - connect: Logs in, always under the same identity, within the given limit.
    public init(
        node: NodeID, cluster: UUID, epoch: UInt16, votes: VoteTable, mode: ArbitrationMode = .majority, lun: LogicalUnitNumber,
        timings: ArbitrationTimings = ArbitrationTimings(), connect: @escaping Connect
    ) {
        self.init(node: node, cluster: cluster, epoch: epoch, votes: votes, mode: mode, label: "\(lun)", timings: timings) {
            try await DiskMedium.open(try await connect(.seconds(2)), lun: lun, cluster: cluster)
        }
    }

    /// Any witness.
    ///
    /// - Parameters:
    ///   - label: What it is called in messages.
    ///   - open: Opens it anew, within some seconds; what was opened before has been closed.
    public init(
        node: NodeID, cluster: UUID, epoch: UInt16, votes: VoteTable, mode: ArbitrationMode = .majority, label: String,
        timings: ArbitrationTimings = ArbitrationTimings(), open: @escaping Open
    ) {
        self.node = node
        self.cluster = cluster
        self.label = label
        openMedium = open
        machine = WitnessArbitration(
            node: node, cluster: cluster, epoch: epoch, incarnation: .random(in: 1 ... .max), votes: votes, mode: mode, timings: timings)
        key = NodeReservationKey(cluster: cluster, node: node, epoch: epoch)
        (events, report) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_000))
    }

    // MARK: For the owner

    /// Arbitrates until the task is cancelled; then the session is closed. The reservation stays: a node that is gone is preempted, and one
    /// that starts again takes over what it left.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.operate() }
            group.addTask { await self.tick() }
        }
        vote.withLock { $0 = nil }
        await drop()
        report.finish()
    }

    public func ringChanged(_ ring: ArbitrationRing) { feed(.ring(ring)) }
    /// Corosync of this node is gone, or hangs.
    public func ringIsGone() { feed(.ringGone) }
    public func votesChanged(_ votes: VoteTable) { feed(.votes(votes)) }
    public func modeChanged(_ mode: ArbitrationMode) { feed(.mode(mode)) }
    /// The operator forces quorum on this partition.
    public func forceTakeover() { feed(.force) }

    // MARK: For everybody

    /// What to give to Corosync; nil as long as it is undecided for the current ring. Never waits.
    public nonisolated var currentVote: CastVote? { vote.withLock { $0 } }
    /// The last thing that went wrong at the witness, in words; nil while all is well.
    public nonisolated var lastProblem: String? { problem.withLock { $0 } }
    /// The node that holds the witness, as this one read last.
    public var holder: NodeID? { machine.holder }
    public var isHolder: Bool { machine.isHolder(at: now) }
    /// The witness while this node holds it; nil when it does not.
    public var held: HeldTenure? { isHolder ? medium.map { HeldTenure(number: $0.number, tenure: machine.tenure) } : nil }
    /// One time of holding the witness, from taking it to losing it.
    public struct HeldTenure: Hashable, Sendable {
        /// ``VoteTable/witnessID``.
        public var number: UInt64
        /// Another one each time.
        public var tenure: UInt64
    }

    /// Reads the newest configuration. Only the holder: it has passed the barrier, so nothing older can land after what it reads.
    public func readConfiguration() async throws(WitnessDiskError) -> WitnessReading {
        let store = try heldMedium().store
        do throws(WitnessError) { return try await store.readNewest() } catch { throw .witness(error) }
    }

    /// Reads the newest configuration without holding the witness: a hint, since it may be written at any time.
    public func peekConfiguration() async throws(WitnessDiskError) -> WitnessReading {
        guard let store = medium?.store else { throw .notHolder(disk: label, holder: "nobody") }
        do throws(WitnessError) { return try await store.readNewest() } catch { throw .witness(error) }
    }

    /// Writes the configuration durably, as the holder, and makes sure that this node still was the holder when it was done.
    public func writeConfiguration(_ content: WitnessContent, evenIfDamaged: Bool = false) async throws(WitnessDiskError) {
        let medium = try heldMedium()
        do throws(WitnessError) { try await medium.store.write(content, evenIfDamaged: evenIfDamaged) } catch { throw .witness(error) }
        guard (try? await medium.holder()) == key else { throw .lostWhileWriting(disk: medium.store.name) }
    }

    private func heldMedium() throws(WitnessDiskError) -> any WitnessMedium {
        guard isHolder, let medium else {
            let holder = machine.holder.map { $0 == node ? "nobody for certain" : "node \($0)" } ?? "nobody"
            throw .notHolder(disk: medium?.store.name ?? label, holder: holder)
        }
        return medium
    }

    // MARK: Facts in, effects out

    private var now: Duration { ContinuousClock.now - start }

    private func feed(_ input: ArbitrationInput) {
        if case .ring(let ring) = input {
            vote.withLock { vote in
                guard vote?.ringRepresentative != ring.representative || vote?.ringSequence != ring.sequence else { return }
                vote = nil
            }
        }
        for effect in machine.handle(input, at: now) {
            switch effect {
            case .perform(let operation, let id): submit.yield((operation, id))
            case .event(let event): report.yield(event)
            case .castVote(let vote, let ring):
                var until = Duration.zero
                if case .yes(let limit) = vote { until = limit }
                let cast = CastVote(
                    isYes: vote.isYes, ringRepresentative: ring.representative, ringSequence: ring.sequence,
                    validUntil: start.advanced(by: until))
                self.vote.withLock { $0 = cast }
            }
        }
    }

    private func tick() async {
        while !Task.isCancelled {
            feed(.tick)
            let wait = min(max(machine.nextWake - now, .milliseconds(1)), .milliseconds(100))
            // Ends early only when cancelled, and then the loop does.
            try? await Task.sleep(for: wait)
        }
        submit.finish()
    }

    private func operate() async {
        for await (operation, id) in operations {
            let result = await perform(operation)
            feed(.finished(id: id, result))
        }
    }

    // MARK: Operations

    private func perform(_ operation: ArbitrationOperation) async -> ArbitrationResult {
        do {
            let result = try await carryOut(operation)
            if case .observed = result { problem.withLock { $0 = nil } }
            return result
        } catch {
            problem.withLock { $0 = "\(error)" }
            switch error {
            case let error as ReservationError: return result(of: error)
            case is MediumError: return .conflict
            case let error as WitnessError:
                if error.isExclusion { return .excluded }
                return error.isTransportLost ? .sessionLost : .failed
            default: return .failed
            }
        }
    }

    private func result(of error: ReservationError) -> ArbitrationResult {
        switch error {
        case .conflict: .conflict
        case .preempted: .excluded
        case .transport(let error) where error.cause == .transportLost: .sessionLost
        default: .failed
        }
    }

    private func carryOut(_ operation: ArbitrationOperation) async throws -> ArbitrationResult {
        if operation == .openSession {
            try await open()
            return .done
        }
        guard let medium else { return .sessionLost }
        switch operation {
        case .openSession: return .failed
        case .observe(let beat, let nodes): return .observed(try await observe(beat, nodes, medium))
        case .register: try await medium.register(key)
        case .reserve: try await medium.reserve(key)
        case .preempt(let victim): try await medium.preempt(victim, by: key)
        case .adopt(let orphan): try await medium.adopt(orphan, by: key)
        case .release: try await medium.release(key)
        }
        return .done
    }

    private func observe(
        _ beat: ArbitrationBeat?, _ nodes: [NodeID], _ medium: any WitnessMedium
    ) async throws -> WitnessObservation {
        let began = now
        if let beat {
            try await medium.store.writeHeartbeat(
                WitnessHeartbeat(
                    node: node, incarnation: beat.incarnation, counter: beat.counter, claims: beat.claims,
                    epoch: UInt64(key.epoch), time: Date()))
        }
        let readAt = now
        let readings = try await medium.store.heartbeats(of: nodes)
        // After the heartbeats: see WitnessObservation.
        let reservationReadAt = now
        let holder = try await medium.holder()
        let beats = readings.compactMapValues { reading -> ArbitrationBeat? in
            guard case .beat(let beat) = reading else { return nil }
            return ArbitrationBeat(incarnation: beat.incarnation, counter: beat.counter, claims: beat.claims)
        }
        return WitnessObservation(
            writtenAt: beat == nil ? nil : began, readAt: readAt, beats: beats, reservationReadAt: reservationReadAt, holder: holder)
    }

    private func open() async throws {
        await drop()
        medium = try await openMedium()
    }

    private func drop() async {
        let old = medium
        medium = nil
        await old?.close()
    }
}
