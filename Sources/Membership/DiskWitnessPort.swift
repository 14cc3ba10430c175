import ClusterModel
import ClusterRules
import Logging
import SharedDisks
import Synchronization
import Witness

/// The witness disk as the engine uses it.
public final class DiskWitnessPort: WitnessPort {
    public let changes: AsyncStream<WitnessChange>
    private let report: AsyncStream<WitnessChange>.Continuation
    private let disk: WitnessDisk
    private let logger: Logger
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// Begins to arbitrate; ends with ``close()``.
    public init(_ disk: WitnessDisk, logger: Logger) {
        self.disk = disk
        self.logger = logger
        (changes, report) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        let begun: [Task<Void, Never>] = [
            Task { await disk.run() },
            Task { [weak self] in
                for await event in disk.events { self?.note(event, logger) }
            },
            Task { [weak self] in await self?.watch() },
        ]
        tasks.withLock { $0 = begun }
    }

    public var vote: WitnessDecision? {
        disk.currentVote.map {
            WitnessDecision(representative: $0.ringRepresentative, sequence: $0.ringSequence, isYes: $0.isYes, validUntil: $0.validUntil)
        }
    }

    public func newRing(_ ring: ArbitrationRing) { order { await $0.ringChanged(ring) } }
    public func ringGone() { order { await $0.ringIsGone() } }
    public func newVotes(_ votes: VoteTable) { order { await $0.votesChanged(votes) } }
    public func newMode(_ mode: ArbitrationMode) { order { await $0.modeChanged(mode) } }
    public func force() { order { await $0.forceTakeover() } }

    /// The order of calls is kept: one task does all of them.
    private let orders = Mailbox<@Sendable (WitnessDisk) async -> Void>()
    private func order(_ call: @escaping @Sendable (WitnessDisk) async -> Void) { orders.put(call) }

    public func read() async throws -> ReplicaImage? {
        let reading = try await disk.readConfiguration()
        // Where a newer write may be lost, the disk must not speak for what was acknowledged. To the log it is a witness without a copy:
        // it does not count until nodes that are a majority without it have written it again.
        guard !reading.mayBeStale else {
            logger.warning(
                "the witness may have lost its newest copy of the configuration; it does not count until it is written again",
                metadata: ["defects": "\(reading.defects.joined(separator: "; "))"])
            return nil
        }
        guard !reading.content.payload.isEmpty else { return nil }
        return try ReplicaImageCodec.decode(reading.content.payload)
    }

    public func peek() async -> VoteTable? {
        // Not being able to is no news: the rounds of arbitration tell what is wrong with the witness.
        guard let reading = try? await disk.peekConfiguration(), let image = try? ReplicaImageCodec.decode(reading.content.payload) else {
            return nil
        }
        return image.tables.last
    }

    public func write(_ image: ReplicaImage) async throws {
        try await disk.writeConfiguration(
            WitnessContent(position: image.position, committed: image.committed, payload: ReplicaImageCodec.encode(image)))
    }

    public func close() async {
        let running = tasks.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        for task in running { task.cancel() }
        for task in running { await task.value }
        report.finish()
    }

    private func note(_ event: ArbitrationEvent, _ logger: Logger) {
        logger.notice("witness", metadata: ["event": "\(event)"])
    }

    /// Tells what changes, and passes the engine's orders on.
    private func watch() async {
        await withTaskGroup(of: Void.self) { group in
            let (orders, disk) = (orders, disk)
            group.addTask { for await call in orders.items { await call(disk) } }
            group.addTask { await self.compare() }
            await group.waitForAll()
        }
    }

    private func compare() async {
        var held: WitnessDisk.HeldTenure?
        var holder: NodeID??
        var problem: String??
        while !Task.isCancelled {
            let now = (held: await disk.held, holder: await disk.holder, problem: disk.lastProblem)
            // Also when it was lost and won between two looks: what is on it must be read again then.
            if now.held != held { report.yield(now.held.map { .held(id: $0.number) } ?? .notHeld) }
            if holder != .some(now.holder) { report.yield(.holder(now.holder)) }
            if problem != .some(now.problem) { report.yield(.problem(now.problem)) }
            (held, holder, problem) = (now.held, now.holder, now.problem)
            try? await Task.sleep(for: .milliseconds(50))
        }
    }
}
