import ClusterModel
import Foundation
import ISCSI
import NodeService
import Reservations
import SCSI
import SharedDisks
import Synchronization
import Validation

/// A session of its own with the target, under which one key of a run can be registered on some disks.
///
/// Whatever it does is written down before, and taken back when the seat is left: by the asking node, at the end of the run, after some
/// seconds in which nobody asked anything, or by the next start of the service.
actor ReservationSeat {
    nonisolated let id: UUID
    private var trace: ReservationTrace
    private let target: ISCSITarget
    private let traces: ReservationTraces
    private var session: ISCSISession?
    private var places: [ReservationPlace]
    private var running: Task<[ReservationAnswer], any Error>?
    private var hasLeft = false
    private var heldAs: UUID?
    private var idleWatch: Task<Void, Never>?
    private var lastUsed = ContinuousClock.now

    /// Several times as long as the asking node lets pass without a word, see ``ReservationKeepQuestion``.
    static let patience = Duration.seconds(15)
    /// A step has long ended then.
    private static let lifetime = Duration.seconds(300)
    private static let seats = Mutex<[UUID: ReservationSeat]>([:])
    static func taken(_ id: UUID) throws -> ReservationSeat {
        guard let seat = seats.withLock({ $0[id] }) else { throw ProbeProblem("This seat was given back; the test took too long.") }
        return seat
    }

    private init(
        _ trace: ReservationTrace, _ target: ISCSITarget, _ traces: ReservationTraces, _ session: ISCSISession, _ places: [ReservationPlace]
    ) {
        id = trace.seat
        self.trace = trace
        self.target = target
        self.traces = traces
        self.session = session
        self.places = places
    }

    // MARK: Coming and going

    static func take(_ question: ReservationSeatQuestion, _ context: ProbeContext) async throws -> ReservationSeatQuestion.Evidence {
        guard question.key.belongs(to: context.run) else { throw ProbeProblem("Key \(question.key) is none of this run.") }
        guard (1...64).contains(question.disks.count), Set(question.disks).count == question.disks.count else {
            throw ProbeProblem("A seat is for 1 to 64 disks, each once.")
        }
        let target = try await context.storage.sanTarget()
        var trace = ReservationTrace(seat: UUID(), run: context.run, key: question.key, disks: [])
        let session = try await open(target, trace)
        do {
            var places: [ReservationPlace] = []
            var grounds: [ReservationSeatQuestion.Ground] = []
            for id in question.disks {
                let place = try await place(id, context, session)
                trace.disks.append(.init(id: id, lun: Int(place.disk.lun.rawValue), scratch: place.scratch))
                places.append(place)
                grounds.append(try await ground(place, id))
            }
            let seat = ReservationSeat(trace, target, context.traces, session, places)
            try await context.traces.write(trace)
            // Leaving must go to its end also when whoever asks for it is cancelled.
            let held = try await context.held.hold(for: context.run, lifetime: lifetime, trace.clause) {
                try await Task { try await seat.leave() }.value
            }
            seats.withLock { $0[seat.id] = seat }
            await seat.watch(held, context.held)
            return .init(seat: seat.id, disks: grounds)
        } catch {
            await context.traces.remove(trace)
            await session.close()
            throw error
        }
    }

    private static func open(_ target: ISCSITarget, _ trace: ReservationTrace) async throws(ISCSIError) -> ISCSISession {
        try await ISCSISession.open(
            target, identity: trace.identity, silenceLimit: ProbePatience.targetSilence, within: ProbePatience.command)
    }

    private static func place(_ id: DiskID, _ context: ProbeContext, _ session: ISCSISession) async throws -> ReservationPlace {
        let lun = try await context.storage.knownDisk(id).lun
        let place = try await ReservationPlace.attach(lun, as: id, over: session, scratch: ScratchPlace.byteOffset)
        try await ScratchPlace.check(place.disk)
        return place
    }

    private static func ground(_ place: ReservationPlace, _ id: DiskID) async throws -> ReservationSeatQuestion.Ground {
        do {
            let found = try await place.look()
            return .init(disk: id, keys: found.keys.keys.map { DiskKey($0) }.sorted(), holder: found.holder.map { DiskKey($0) })
        } catch let error as ReservationError where error.isUnknownCommand {
            guard case .refused(_, let command, _, let sense?) = error else { throw error }
            return .init(disk: id, refusal: "\(command) was refused: \(sense).")
        }
    }

    /// Leaves by itself when nobody asks any more: the asking node has died, or hangs.
    private func watch(_ held: UUID, _ resources: ProbeResources) {
        heldAs = held
        idleWatch = Task { [weak self] in
            while let idle = await self?.idle {
                guard idle < Self.patience else {
                    // What it could not take back it has handed over to the traces.
                    _ = try? await resources.giveBack(held)
                    return
                }
                // Ends early only when it is cancelled because the seat is left, and then there is no idle time any more.
                try? await Task.sleep(for: Self.patience - idle + .milliseconds(10))
            }
        }
    }

    /// Since when nothing was asked; nil once it has left.
    private var idle: Duration? { hasLeft ? nil : running == nil ? ContinuousClock.now - lastUsed : .zero }

    /// For the probe that leaves: the name under which the seat is held.
    var resource: UUID? { heldAs }

    /// - Throws: When something could not be taken back; it is tried again in the background.
    private func leave() async throws {
        guard !hasLeft else { return }
        hasLeft = true
        idleWatch?.cancel()
        _ = Self.seats.withLock { $0.removeValue(forKey: id) }
        running?.cancel()
        _ = try? await running?.value
        do {
            let session = try await current()
            try await ReservationCleaner.clean(trace, over: session)
            await traces.remove(trace)
            await session.close()
        } catch {
            await session?.close()
            await traces.takeOver(trace)
            throw error
        }
    }

    private func current() async throws -> ISCSISession {
        if let session, session.loss == nil { return session }
        let new = try await Self.open(target, trace)
        session = new
        return new
    }

    /// It is still wanted.
    func keep() { lastUsed = .now }

    /// An act that goes on until its time is over ends now.
    func stop() { running?.cancel() }

    // MARK: Acting

    func perform(_ act: ReservationAct) async throws -> ReservationActQuestion.Evidence {
        guard !hasLeft else { throw ProbeProblem("This seat was given back; the test took too long.") }
        guard running == nil else { throw ProbeProblem("This seat is busy with the question before.") }
        let start = ContinuousClock.now
        let work = Task { try await carryOut(act) }
        running = work
        defer {
            running = nil
            lastUsed = .now
        }
        let answers = try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
        return .init(answers: answers, milliseconds: ReservationActor.milliseconds(since: start))
    }

    private func carryOut(_ act: ReservationAct) async throws -> [ReservationAnswer] {
        switch act {
        case .drop:
            await session?.drop()
            return places.map { _ in ReservationAnswer() }
        case .login:
            let session = try await current()
            places = try await places.asyncMap { place in
                try await ReservationPlace.attach(place.disk.lun, as: place.disk.id, over: session, scratch: place.scratch)
            }
            return places.map { _ in ReservationAnswer() }
        case .borrow:
            for (index, place) in places.enumerated() where trace.disks[index].borrowed == nil {
                let count = ReservationPlace.borrowedCount * ScratchStamp.byteCount
                let bytes = try await place.disk.read(byteOffset: place.scratch, count: count)
                // What was there before them only its writer knows, who will restore it: to put these back would undo that.
                guard !ScratchStamp.areMarked(bytes) else {
                    let words =
                        "The scratch area still holds what a node has written that hangs or was killed. It is restored when that node is back."
                    return places.map { _ in ReservationAnswer(.failed, words) }
                }
                trace.disks[index].borrowed = Data(bytes)
            }
            try await traces.write(trace)
            return places.map { _ in ReservationAnswer() }
        default: break
        }
        if case .beat = act, trace.disks.contains(where: { $0.borrowed == nil }) {
            throw ProbeProblem("What the scratch area holds was not read before.")
        }
        let actor = ReservationActor(run: trace.run, seat: id, key: trace.key)
        return await withTaskGroup(of: (Int, ReservationAnswer).self) { group in
            for (index, place) in places.enumerated() { group.addTask { (index, await actor.answer(act, at: place)) } }
            var answers = places.map { _ in ReservationAnswer(.failed) }
            for await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
