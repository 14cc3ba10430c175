import ClusterModel
import Foundation

@testable import Validation

/// A disk with persistent reservations, or with one that is broken in one way.
struct ModelDisk {
    enum Fault: CaseIterable {
        case ignoresReservations, takesOneKey, keepsVictim, keepsCleared, reservesForAll, forgetsHolder, hidesHolder, isSlow, fails
    }
    private struct Registration: Hashable {
        var party: ReservationParty
        var session: Int
        var key: DiskKey
    }
    var fault: Fault?
    private var registrations: [Registration] = []
    private var holder: DiskKey?
    private var sessions: [ReservationParty: Int] = [:]

    init(_ fault: Fault? = nil) { self.fault = fault }

    static let run = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    static func parties(_ count: Int) -> [ReservationParty] {
        (1...count).map { ReservationParty(NodeName(unchecked: "n\($0)"), key: DiskKey(run: run, node: $0, number: $0)) }
    }

    /// Carries a script out as a stage does: no further than the disk answers as it has to.
    mutating func perform(_ script: ReservationScript) -> [ReservationEntry] {
        var entries: [ReservationEntry] = []
        for phase in script.phases {
            let done = phase.map { line in
                let answer = perform(line.act, line.party)
                return ReservationEntry(line, answers: [answer], milliseconds: answer.milliseconds)
            }
            entries += done
            guard done.allSatisfy(\.isAsExpected) else { break }
        }
        return entries
    }

    mutating func perform(_ act: ReservationAct, _ party: ReservationParty) -> ReservationAnswer {
        let session = sessions[party, default: 0]
        let isRegistered = registrations.contains { $0.party == party && $0.session == session }
        let milliseconds = fault == .isSlow ? 2_000.0 : 1
        func answer(_ isDone: Bool) -> ReservationAnswer {
            isDone
                ? ReservationAnswer(milliseconds: milliseconds)
                : ReservationAnswer(.conflict, "It was refused.", milliseconds: milliseconds)
        }
        if fault == .fails, case .reserve = act { return ReservationAnswer(.failed, "There was no answer within 4.0 seconds.") }
        switch act {
        case .look:
            return ReservationAnswer(
                milliseconds: milliseconds, keys: registrations.map(\.key).sorted(), holder: fault == .hidesHolder ? nil : holder)
        case .register:
            if fault == .takesOneKey, !registrations.isEmpty, !isRegistered { return answer(false) }
            registrations.removeAll { $0.party == party && $0.session == session }
            registrations.append(Registration(party: party, session: session, key: party.key))
        case .unregister:
            guard isRegistered else { return answer(false) }
            registrations.removeAll { $0.party == party && $0.session == session }
            if holder == party.key { holder = nil }
        case .reserve:
            guard isRegistered, holder == nil || holder == party.key || fault == .reservesForAll else { return answer(false) }
            holder = party.key
        case .release: if holder == party.key { holder = nil }
        case .clear:
            guard isRegistered else { return answer(false) }
            if fault != .keepsCleared { registrations = [] }
            holder = nil
        case .preempt(let victim), .fence(let victim):
            guard isRegistered, registrations.contains(where: { $0.key == victim }) else { return answer(false) }
            if fault != .keepsVictim { registrations.removeAll { $0.key == victim } }
            if holder == victim { holder = fault == .forgetsHolder ? nil : party.key }
            var done = answer(true)
            if case .fence = act { done.barrier = .reset }
            return done
        case .write: return answer(holder == nil || isRegistered || fault == .ignoresReservations)
        case .drop: sessions[party] = session + 1
        default: break
        }
        return answer(true)
    }
}
