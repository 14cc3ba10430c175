import Foundation
import Reservations
import SCSI
import SharedDisks
import Validation

/// What goes on for some time, while other nodes do something else.
extension ReservationActor {

    /// The round of a witness's owner (Docs/decisions/witness-arbitration.md): write the heartbeat, then read the reservation.
    func beat(_ time: Duration, _ interval: Duration, _ place: ReservationPlace) async -> ReservationAnswer {
        var answer = ReservationAnswer()
        let end = ContinuousClock.now + time
        var counter: UInt64 = 0
        var last = ContinuousClock.now
        while ContinuousClock.now < end, !Task.isCancelled {
            let start = ContinuousClock.now
            counter += 1
            do {
                try await place.disk.write(
                    byteOffset: place.offset(of: ReservationPlace.heartbeatBlock),
                    bytes: ScratchStamp.block(run, seat: seat, counter: counter),
                    durable: true)
                answer.longestPause = max(answer.longestPause ?? 0, Self.milliseconds(since: last))
                last = .now
                let holder = try await place.reservations.reservation(until: place.deadline).holder?.key
                guard holder == own else {
                    answer.result = .failed
                    answer.words = "After \(counter) rounds it read \(holder.map { "\($0)" } ?? "nobody") as the holder."
                    return answer
                }
            } catch {
                // Told to stop in the middle of a round.
                guard !Task.isCancelled else { return answer }
                answer.result = .failed
                answer.words = "\(error)"
                return answer
            }
            answer.rounds.append(Self.milliseconds(since: start))
            try? await Task.sleep(until: start + interval)
        }
        return answer
    }

    func watch(_ owner: ReservationKey, _ time: Duration, _ place: ReservationPlace) async throws -> ReservationAnswer {
        var seen = ReservationAnswer.Watching()
        let end = ContinuousClock.now + time
        var last = try await place.read(ReservationPlace.heartbeatBlock)
        var lastMove = ContinuousClock.now
        while ContinuousClock.now < end, !Task.isCancelled {
            do {
                try await place.reservations.reserve(own, until: place.deadline)
                seen.wins += 1
                try await place.reservations.release(own, until: place.deadline)
            } catch ReservationError.conflict { seen.refusals += 1 }
            // Up to the moment when it is asked for: what the answer takes, and this node's own pauses, are no silence of the owner.
            let silence = Self.milliseconds(since: lastMove)
            let beat = try await place.read(ReservationPlace.heartbeatBlock)
            if beat != last {
                seen.moves += 1
                last = beat
                lastMove = .now
            } else {
                seen.longestSilence = max(seen.longestSilence, silence)
            }
            if let holder = try await place.look().holder, holder != owner, !seen.strangers.contains(DiskKey(holder)) {
                seen.strangers.append(DiskKey(holder))
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return ReservationAnswer(watching: seen)
    }

    /// The disk itself gives the signal, so that all start within the time of one command.
    func challenge(_ owner: ReservationKey, _ time: Duration, _ place: ReservationPlace) async throws -> ReservationAnswer {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end, !Task.isCancelled {
            guard let holder = try await place.look().holder else {
                try? await Task.sleep(for: .milliseconds(1))
                continue
            }
            let start = ContinuousClock.now
            guard holder == owner else { return ReservationAnswer(.conflict, "Another node was quicker.") }
            var answer: ReservationAnswer
            do { answer = try await fence(owner, place) } catch let error as ReservationError {
                switch error {
                case .conflict: answer = ReservationAnswer(.conflict, "\(error)")
                case .interrupted, .preempted:
                    // Another challenger's barrier came between: who holds the disk says whether it was done.
                    answer = try await place.look().holder == own ? ReservationAnswer() : ReservationAnswer(.conflict, "\(error)")
                default: throw error
                }
            }
            answer.milliseconds = Self.milliseconds(since: start)
            return answer
        }
        return ReservationAnswer(.failed, "The owner did not reserve the disk in time.")
    }

    /// Several writes at a time, each worker on a block of its own, until the disk refuses one.
    func stream(_ time: Duration, _ place: ReservationPlace) async throws -> ReservationAnswer {
        let end = ContinuousClock.now + time
        return await withTaskGroup(of: (Int, ReservationAnswer).self) { group in
            for block in ReservationPlace.streamBlocks {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end, !Task.isCancelled {
                        do {
                            let bytes = ScratchStamp.block(run, seat: seat, counter: UInt64(count + 1))
                            try await place.disk.write(byteOffset: place.offset(of: block), bytes: bytes, durable: false)
                            count += 1
                        } catch { return (count, Self.answer(for: error)) }
                    }
                    return (count, ReservationAnswer())
                }
            }
            var count = 0
            var answers: [ReservationAnswer] = []
            for await (own, answer) in group {
                count += own
                answers.append(answer)
            }
            // One worker that was not refused is what has to be told.
            var answer =
                answers.first { $0.result == .done } ?? answers.first { $0.result == .failed } ?? answers.first
                ?? ReservationAnswer(.failed)
            answer.writing = .init(acknowledged: count)
            return answer
        }
    }

    func fenceAndWatch(_ victim: ReservationKey, _ time: Duration, _ place: ReservationPlace) async throws -> ReservationAnswer {
        var landing = ReservationAnswer.Landing(sawWrites: false, readings: 0, changes: [])
        let first = try await place.readStream()
        let patience = ContinuousClock.now + ProbePatience.probe / 2
        while !landing.sawWrites, ContinuousClock.now < patience, !Task.isCancelled {
            landing.sawWrites = try await place.readStream() != first
            if !landing.sawWrites { try? await Task.sleep(for: .milliseconds(5)) }
        }
        // The writer is to be in full swing.
        try? await Task.sleep(for: .milliseconds(50))
        let start = ContinuousClock.now
        var answer = try await fence(victim, place)
        answer.milliseconds = Self.milliseconds(since: start)
        let fenced = ContinuousClock.now
        var last = try await place.readStream()
        landing.readings = 1
        while ContinuousClock.now < fenced + time, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
            let now = try await place.readStream()
            landing.readings += 1
            if now != last { landing.changes.append(Self.milliseconds(since: fenced)) }
            last = now
        }
        answer.landing = landing
        return answer
    }
}
