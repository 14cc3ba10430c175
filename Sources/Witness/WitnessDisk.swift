import ClusterModel
import ClusterRules
import Executors
import Foundation
import Reservations
import SCSI
import SharedDisks
import Synchronization

/// Carries out on a real disk what ``WitnessArbitration`` decides, and reads and writes the configuration while this node holds the witness.
///
/// ``run()`` is to be called once, in a task of the owner; it ends when that is cancelled. Everything else is for callers on any task.
/// The vote is read by whoever polls Corosync without waiting: ``currentVote``.
public actor WitnessDisk {
    public typealias Connect = @Sendable (Duration) async throws -> WitnessSession

    public nonisolated let node: NodeID
    public nonisolated let cluster: UUID
    /// What happened, in order. One reader.
    public nonisolated let events: AsyncStream<ArbitrationEvent>
    private let report: AsyncStream<ArbitrationEvent>.Continuation
    // Heartbeats must not wait for a thread behind other work of the process.
    private let executor = QueueExecutor(label: "apus.witness", qos: .userInteractive)
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var machine: WitnessArbitration
    private let connect: Connect
    private let lun: LogicalUnitNumber
    private let key: ReservationKey
    private let start = ContinuousClock.now
    private let (operations, submit) = AsyncStream<(ArbitrationOperation, UInt64)>.makeStream()
    private nonisolated let vote = Mutex<CastVote?>(nil)
    private nonisolated let problem = Mutex<String?>(nil)

    private var session: WitnessSession?
    private var volume: WitnessVolume?
    private var reservations: PersistentReservations?

    /// Every command at the witness ends within this, so a round is over before the lease is.
    private static let commandLimit = Duration.seconds(1)

    /// - Parameters:
    ///   - epoch: Of this node's registration: rises with each start of the service.
    ///   - connect: Logs in, always under the same identity, within the given limit.
    public init(
        node: NodeID, cluster: UUID, epoch: UInt16, votes: VoteTable, mode: ArbitrationMode = .majority, lun: LogicalUnitNumber,
        timings: ArbitrationTimings = ArbitrationTimings(), connect: @escaping Connect
    ) {
        self.node = node
        self.cluster = cluster
        self.lun = lun
        self.connect = connect
        machine = WitnessArbitration(
            node: node, cluster: cluster, epoch: epoch, incarnation: .random(in: 1 ... .max), votes: votes, mode: mode, timings: timings)
        key = ReservationKey(rawValue: NodeReservationKey(cluster: cluster, node: node, epoch: epoch).rawValue)
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
    /// ``VoteTable/witnessID`` of the witness that this node holds; nil when it does not hold it.
    public var heldNumber: UInt64? { isHolder ? volume?.number : nil }

    /// Reads the newest configuration. Only the holder: it has passed the barrier, so nothing older can land after what it reads.
    public func readConfiguration() async throws(WitnessDiskError) -> WitnessReading {
        let volume = try held()
        do throws(WitnessError) { return try await volume.readNewest() } catch { throw .witness(error) }
    }

    /// Writes the configuration durably, as the holder, and makes sure that this node still was the holder when it was done.
    public func writeConfiguration(_ content: WitnessContent, evenIfDamaged: Bool = false) async throws(WitnessDiskError) {
        let volume = try held()
        let reservations = reservations
        do throws(WitnessError) { try await volume.write(content, evenIfDamaged: evenIfDamaged) } catch { throw .witness(error) }
        let found: CurrentReservation?
        do throws(ReservationError) {
            found = try await reservations?.reservation(until: .now.advanced(by: Self.commandLimit))
        } catch { throw .lostWhileWriting(disk: volume.name) }
        guard found?.holder?.key == key else { throw .lostWhileWriting(disk: volume.name) }
    }

    private func held() throws(WitnessDiskError) -> WitnessVolume {
        guard isHolder, let volume else {
            let holder = machine.holder.map { $0 == node ? "nobody for certain" : "node \($0)" } ?? "nobody"
            throw .notHolder(disk: volume?.name ?? "\(lun)", holder: holder)
        }
        return volume
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
        guard let reservations, let volume else { return .sessionLost }
        let deadline = ContinuousClock.now.advanced(by: Self.commandLimit)
        switch operation {
        case .openSession: return .failed
        case .observe(let beat, let nodes): return .observed(try await observe(beat, nodes, volume, reservations))
        case .register: try await reservations.registerIgnoringExisting(key, until: deadline)
        case .reserve:
            try await reservations.reserve(key, until: deadline)
            try await reservations.barrier(until: deadline)
        case .preempt(let victim): try await reservations.fence(ReservationKey(rawValue: victim.rawValue), key: key, until: deadline)
        case .adopt(let orphan):
            try await reservations.adopt(orphan: ReservationKey(rawValue: orphan.rawValue), key: key, until: deadline)
        case .release: try await reservations.release(key, until: deadline)
        }
        return .done
    }

    private func observe(
        _ beat: ArbitrationBeat?, _ nodes: [NodeID], _ volume: WitnessVolume, _ reservations: PersistentReservations
    ) async throws -> WitnessObservation {
        let began = now
        if let beat {
            try await volume.writeHeartbeat(
                WitnessHeartbeat(
                    node: node, incarnation: beat.incarnation, counter: beat.counter, claims: beat.claims,
                    epoch: UInt64(key.rawValue & 0xffff), time: Date()))
        }
        let readAt = now
        let readings = try await volume.heartbeats(of: nodes)
        // After the heartbeats: see WitnessObservation.
        let reservationReadAt = now
        let found = try await reservations.reservation(until: .now.advanced(by: Self.commandLimit))
        let beats = readings.compactMapValues { reading -> ArbitrationBeat? in
            guard case .beat(let beat) = reading else { return nil }
            return ArbitrationBeat(incarnation: beat.incarnation, counter: beat.counter, claims: beat.claims)
        }
        return WitnessObservation(
            writtenAt: beat == nil ? nil : began, readAt: readAt, beats: beats, reservationReadAt: reservationReadAt,
            holder: found.holder.map { NodeReservationKey(rawValue: $0.key.rawValue) })
    }

    private func open() async throws {
        await drop()
        let session = try await connect(.seconds(2))
        self.session = session
        var disk = try await SharedDisk.attach(lun, of: session.transport, within: .seconds(2))
        disk.commandLimit = Self.commandLimit
        volume = try await WitnessVolume.open(disk, cluster: cluster)
        reservations = PersistentReservations(lun, of: session.transport, disk: disk.id.description)
    }

    private func drop() async {
        let old = session
        session = nil
        volume = nil
        reservations = nil
        await old?.close()
    }
}
