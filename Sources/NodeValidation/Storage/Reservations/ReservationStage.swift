import ClusterModel
import Foundation
import Validation

/// What the steps of one run know of each other.
actor ReservationBook {
    private var lastKey = 0
    private var late: Set<NodeName> = []
    private var told: Set<GroundJudge.Obstacle> = []

    func nextKey() -> Int {
        lastKey += 1
        return lastKey
    }
    func isLate(_ node: NodeName) -> Bool { late.contains(node) }
    func note(_ node: NodeName, isLate: Bool) { if isLate { late.insert(node) } else { late.remove(node) } }
    /// - Returns: Whether it was not told before.
    func tell(_ obstacle: GroundJudge.Obstacle) -> Bool { told.insert(obstacle).inserted }
}

/// Keeps the seats of a step from leaving by themselves while the step waits for one of them.
private actor SeatKeeper {
    private static let interval = Duration.seconds(4)
    private var seats: [UUID: NodeName] = [:]

    func add(_ seat: UUID, of node: NodeName) { seats[seat] = node }

    /// Until it is cancelled.
    func keep(_ context: StepContext) async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            await withTaskGroup(of: Void.self) { group in
                for (seat, node) in seats {
                    // A node that does not answer is told of by the question that waits for it.
                    group.addTask {
                        _ = try? await context.ask(ReservationKeepQuestion(seat: seat), of: node, within: ProbePatience.lateNode)
                    }
                }
            }
        }
    }
}

/// The seats of one step: taken before it, given back after it whatever happened.
struct ReservationStage: Sendable {
    let disks: [DiskID]
    /// Of each node its first seat, in the order of the nodes.
    let parties: [ReservationParty]
    /// Second seats, where they were asked for.
    let seconds: [ReservationParty]
    private let seats: [ReservationParty: UUID]
    private let context: StepContext
    private let book: ReservationBook

    /// Does the work with a seat for each node that answers; the disks are as they were when it returns.
    ///
    /// - Throws: ``ProbeFailure`` of a node that did not do its part.
    static func with(
        _ step: ValidationStep, _ context: StepContext, seatsPerNode: Int = 1,
        _ work: @Sendable (ReservationStage) async throws -> TestOutcome
    ) async throws -> TestOutcome {
        guard context.subject.nodes.count > 1 else { return .notApplicable(ValidationNeed.twoNodes.missing) }
        switch step.target {
        case .disk(let disk): return try await with([disk], context, seatsPerNode, work)
        case .whole: return try await with(context.subject.testableDisks, context, seatsPerNode, work)
        case .node, .pair, .share: return TestOutcome()
        }
    }

    private static func with(
        _ disks: [DiskID], _ context: StepContext, _ seatsPerNode: Int, _ work: @Sendable (ReservationStage) async throws -> TestOutcome
    ) async throws -> TestOutcome {
        let nodes = context.subject.nodes.filter { context.facts.silent[$0] == nil }
        // The silence of the others is told already.
        guard nodes.count > 1 else { return TestOutcome() }
        let book = try await context.shared.once("reservations") { ReservationBook() }
        var wanted: [ReservationParty] = []
        for number in 0..<seatsPerNode {
            for (index, node) in nodes.enumerated() {
                wanted.append(
                    ReservationParty(node, number: number, key: DiskKey(run: context.run, node: index + 1, number: await book.nextKey())))
            }
        }
        let keeper = SeatKeeper()
        async let _ = keeper.keep(context)
        let taken = await take(wanted, disks, context, book, keeper)
        let stage = ReservationStage(
            disks: disks, parties: wanted.filter { $0.number == 0 }, seconds: wanted.filter { $0.number > 0 }, seats: taken.seats,
            context: context, book: book)
        let obstacles = GroundJudge.obstacles(taken.grounds, run: context.run)
        let result: Result<TestOutcome, any Error>
        do {
            if let failure = taken.failure { throw failure }
            result = .success(obstacles.isEmpty ? try await stage.onCleanGround(taken.grounds, work) : TestOutcome())
        } catch { result = .failure(error) }
        // What was cancelled is cleaned up all the same.
        let left = await Task { await stage.leave(wanted) }.value
        var outcome = left + (try result.get())
        guard !obstacles.isEmpty else { return outcome }
        for obstacle in obstacles { outcome = outcome + GroundJudge.outcome(obstacle, isFirst: await book.tell(obstacle)) }
        // A test of several disks goes on with those that are left.
        let rest = disks.filter { disk in !obstacles.contains { $0.disk == disk } }
        return rest.count > 1 ? outcome + (try await with(rest, context, seatsPerNode, work)) : outcome
    }

    // MARK: Seats

    private struct Taken {
        var seats: [ReservationParty: UUID] = [:]
        var grounds: [ReservationSeatQuestion.Ground] = []
        var failure: ProbeFailure?
    }

    private static func take(
        _ parties: [ReservationParty], _ disks: [DiskID], _ context: StepContext, _ book: ReservationBook, _ keeper: SeatKeeper
    ) async -> Taken {
        await withTaskGroup(of: (ReservationParty, Result<ReservationSeatQuestion.Evidence, ProbeFailure>).self) { group in
            for party in parties {
                group.addTask {
                    let limit = await book.isLate(party.node) ? ProbePatience.lateNode : ProbePatience.answer
                    do throws(ProbeFailure) {
                        let question = ReservationSeatQuestion(disks: disks, key: party.key)
                        let evidence = try await context.ask(question, of: party.node, within: limit)
                        await keeper.add(evidence.seat, of: party.node)
                        return (party, .success(evidence))
                    } catch { return (party, .failure(error)) }
                }
            }
            var taken = Taken()
            for await (party, answer) in group {
                switch answer {
                case .success(let evidence):
                    taken.seats[party] = evidence.seat
                    taken.grounds += evidence.disks
                    await book.note(party.node, isLate: false)
                case .failure(let failure):
                    // In the order of the nodes, so that the same happening gives the same report.
                    if taken.failure.map({ failure.node < $0.node }) ?? true { taken.failure = failure }
                    await book.note(party.node, isLate: true)
                }
            }
            return taken
        }
    }

    private func onCleanGround(
        _ grounds: [ReservationSeatQuestion.Ground], _ work: (ReservationStage) async throws -> TestOutcome
    ) async throws -> TestOutcome {
        // Left by a seat of this run whose node was late; the disk is this step's alone now.
        let old = Set(grounds.flatMap(\.keys)).sorted()
        if !old.isEmpty, let first = parties.first {
            _ = try await act(.expel(keys: old), by: first)
            _ = try await act(.unregister, by: first)
        }
        return try await work(self)
    }

    /// - Returns: A finding for each disk on which something is left.
    private func leave(_ wanted: [ReservationParty]) async -> TestOutcome {
        var absent: [ReservationParty] = wanted.filter { seats[$0] == nil }
        await withTaskGroup(of: (ReservationParty, Bool).self) { group in
            for (party, seat) in seats {
                group.addTask {
                    let limit = await book.isLate(party.node) ? ProbePatience.lateNode : ProbePatience.answer
                    do throws(ProbeFailure) {
                        _ = try await context.ask(ReservationLeaveQuestion(seat: seat), of: party.node, within: limit)
                        return (party, true)
                    } catch { return (party, false) }
                }
            }
            for await (party, hasLeft) in group where !hasLeft {
                absent.append(party)
                await book.note(party.node, isLate: true)
            }
        }
        guard !absent.isEmpty, await !expel(absent) else { return TestOutcome() }
        let keys = absent.map { "\($0.key) of \($0.name)" }.joined(separator: ", ")
        return TestOutcome(
            disks.map { disk in
                ValidationFinding(
                    .warning, .disk(disk), reason: "These keys may be left on the disk: \(keys).",
                    cure: "Start apusd on these nodes: it removes what it left as soon as it reaches the disk.")
            })
    }

    /// Another node removes the keys of those that did not leave. They clean up themselves too, when they can again.
    ///
    /// - Returns: Whether nothing of them is left.
    private func expel(_ absent: [ReservationParty]) async -> Bool {
        for helper in parties where !absent.contains(where: { $0.node == helper.node }) {
            let key = DiskKey(run: context.run, node: parties.count + 1, number: await book.nextKey())
            do throws(ProbeFailure) {
                let seat = try await context.ask(ReservationSeatQuestion(disks: disks, key: key), of: helper.node).seat
                let expelled = try await context.ask(
                    ReservationActQuestion(seat: seat, act: .expel(keys: absent.map(\.key))), of: helper.node)
                guard expelled.answers.allSatisfy({ $0.result == .done }) else { continue }
                _ = try await context.ask(ReservationLeaveQuestion(seat: seat), of: helper.node)
                return true
            } catch {
                // The next node may be able to; and those that are absent clean up by themselves.
                continue
            }
        }
        return false
    }

    // MARK: Acts

    /// - Returns: What each disk answered, in the order of ``disks``, and the milliseconds for all together.
    func act(
        _ act: ReservationAct, by party: ReservationParty, within limit: Duration = ProbePatience.answer
    ) async throws -> ReservationActQuestion.Evidence {
        guard let seat = seats[party] else { throw ProbeFailure(node: party.node, reason: "It has no seat at the disks.") }
        do {
            let evidence = try await context.ask(ReservationActQuestion(seat: seat, act: act), of: party.node, within: limit)
            guard evidence.answers.count == disks.count else {
                throw ProbeFailure(node: party.node, reason: "It told of \(evidence.answers.count) disks in place of \(disks.count).")
            }
            return evidence
        } catch {
            await book.note(party.node, isLate: true)
            throw error
        }
    }

    /// Ends what the party does until it is told to stop.
    func stop(_ party: ReservationParty) async throws {
        guard let seat = seats[party] else { return }
        _ = try await context.ask(ReservationStopQuestion(seat: seat), of: party.node)
    }

    /// On the only disk of the step.
    func single(
        _ act: ReservationAct, by party: ReservationParty, within limit: Duration = ProbePatience.answer
    ) async throws -> ReservationAnswer {
        guard let answer = try await self.act(act, by: party, within: limit).answers.first else {
            throw ProbeFailure(node: party.node, reason: "It told nothing of the disk.")
        }
        return answer
    }

    /// Carries a script out, phase by phase, as far as the disks answer as they have to.
    func perform(_ script: ReservationScript) async throws -> [ReservationEntry] {
        var entries: [ReservationEntry] = []
        for phase in script.phases {
            let done = try await together(phase) { line in
                let evidence = try await act(line.act, by: line.party)
                return ReservationEntry(line, answers: evidence.answers, milliseconds: evidence.milliseconds)
            }
            entries += done
            guard done.allSatisfy(\.isAsExpected) else { break }
        }
        return entries
    }

    /// Side by side; the results in the order of what they are made of.
    func together<Item: Sendable, Value: Sendable>(
        _ items: [Item], _ work: @escaping @Sendable (Item) async throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            for (index, item) in items.enumerated() { group.addTask { (index, try await work(item)) } }
            var values: [Int: Value] = [:]
            for try await (index, value) in group { values[index] = value }
            return items.indices.compactMap { values[$0] }
        }
    }
}
