import ClusterModel
import Foundation
import Reservations
import SCSI
import SharedDisks
import Validation

/// Does one thing on one disk. Tells what the disk answered and judges nothing.
struct ReservationActor: Sendable {
    let run: UUID
    let seat: UUID
    let key: DiskKey

    var own: ReservationKey { ReservationKey(key) }

    static func milliseconds(since start: ContinuousClock.Instant) -> Double { (ContinuousClock.now - start) / .milliseconds(1) }

    func answer(_ act: ReservationAct, at place: ReservationPlace) async -> ReservationAnswer {
        let start = ContinuousClock.now
        var answer: ReservationAnswer
        do { answer = try await carryOut(act, place) } catch { answer = Self.answer(for: error) }
        // Acts that go on for some time measure their own.
        if answer.milliseconds == 0 { answer.milliseconds = Self.milliseconds(since: start) }
        return answer
    }

    static func answer(for error: any Error) -> ReservationAnswer {
        switch error {
        case ReservationError.conflict: ReservationAnswer(.conflict, "\(error)")
        case ReservationError.preempted: ReservationAnswer(.preempted, "\(error)")
        case SharedDiskError.reservationConflict: ReservationAnswer(.conflict, "\(error)")
        case SharedDiskError.reservationPreempted: ReservationAnswer(.preempted, "\(error)")
        default: ReservationAnswer(.failed, "\(error)")
        }
    }

    private func carryOut(_ act: ReservationAct, _ place: ReservationPlace) async throws -> ReservationAnswer {
        switch act {
        case .look:
            let found = try await place.look()
            return ReservationAnswer(keys: found.keys.keys.map { DiskKey($0) }.sorted(), holder: found.holder.map { DiskKey($0) })
        case .capabilities:
            let found = try await place.reservations.capabilities(until: place.deadline)
            return ReservationAnswer(canPersist: found.canPersistThroughPowerLoss)
        case .register: try await place.register(own)
        case .unregister: try await place.reservations.unregister(own, until: place.deadline)
        case .reserve: try await place.reservations.reserve(own, until: place.deadline)
        case .release: try await place.reservations.release(own, until: place.deadline)
        case .clear: try await clear(place)
        case .preempt(let victim): try await place.reservations.preempt(try checked(victim), key: own, until: place.deadline)
        case .fence(let victim): return try await fence(try checked(victim), place)
        case .write:
            let bytes = try await place.read(ReservationPlace.quietBlock)
            try await place.disk.write(byteOffset: place.offset(of: ReservationPlace.quietBlock), bytes: bytes, durable: true)
        case .read: _ = try await place.read(ReservationPlace.quietBlock)
        case .adopt: try await adopt(place)
        case .expel(let keys): try await expel(try keys.map(checked), place)
        case .beat(let milliseconds, let interval): return await beat(Self.time(milliseconds), Self.time(max(1, interval)), place)
        case .watch(let owner, let milliseconds): return try await watch(ReservationKey(owner), Self.time(milliseconds), place)
        case .challenge(let owner, let milliseconds): return try await challenge(try checked(owner), Self.time(milliseconds), place)
        case .stream(let milliseconds): return try await stream(Self.time(milliseconds), place)
        case .fenceAndWatch(let victim, let milliseconds):
            return try await fenceAndWatch(try checked(victim), Self.time(milliseconds), place)
        case .drop, .login, .borrow: throw ProbeProblem("The seat itself does this.")
        }
        return ReservationAnswer()
    }

    /// Whoever asks for more is not one of ours.
    private static func time(_ milliseconds: Int) -> Duration { .milliseconds(min(max(milliseconds, 0), 30_000)) }

    /// Nothing of others is ever removed, whoever asks.
    private func checked(_ key: DiskKey) throws -> ReservationKey {
        guard key.belongs(to: run) else { throw ProbeProblem("Key \(key) is none of this run and is left alone.") }
        return ReservationKey(key)
    }

    private func clear(_ place: ReservationPlace) async throws {
        // CLEAR removes every key, so that the last look at them is right before.
        for key in try await place.look().keys.keys { _ = try checked(DiskKey(key)) }
        try await place.reservations.clear(own, until: place.deadline)
    }

    func fence(_ victim: ReservationKey, _ place: ReservationPlace) async throws -> ReservationAnswer {
        try await place.reservations.fence(victim, key: own, until: place.deadline)
        return ReservationAnswer(barrier: await place.reservations.hasPreemptAndAbort == true ? .preemptAndAbort : .reset)
    }

    private func adopt(_ place: ReservationPlace) async throws {
        try await place.register(own)
        let found = try await place.look()
        if found.keys.keys.count(where: { $0 == own }) > 1 {
            try await place.reservations.adopt(orphan: own, key: own, until: place.deadline)
        } else {
            try await place.reservations.reserve(own, until: place.deadline)
        }
    }

    private func expel(_ victims: [ReservationKey], _ place: ReservationPlace) async throws {
        let present = try await place.look().keys.keys
        guard victims.contains(where: { $0 != own && present.contains($0) }) else { return }
        try await place.register(own)
        for victim in victims where victim != own && present.contains(victim) {
            let answer = await answer(.fence(victim: DiskKey(victim)), at: place)
            // A conflict says that it has left by itself meanwhile.
            guard answer.result != .failed else { throw ProbeProblem(answer.words) }
        }
    }
}
