import Validation

extension NodeProbes {
    /// What tests of reservations ask of a node.
    static let storageReservations: [NodeProbe] = [
        NodeProbe(ReservationSeatQuestion.self) { question, context in try await ReservationSeat.take(question, context) },
        NodeProbe(ReservationActQuestion.self) { question, _ in try await ReservationSeat.taken(question.seat).perform(question.act) },
        NodeProbe(ReservationKeepQuestion.self) { question, _ in
            await (try ReservationSeat.taken(question.seat)).keep()
            return .init()
        },
        NodeProbe(ReservationStopQuestion.self) { question, _ in
            await (try ReservationSeat.taken(question.seat)).stop()
            return .init()
        },
        NodeProbe(ReservationLeaveQuestion.self) { question, context in
            let seat = try ReservationSeat.taken(question.seat)
            if let held = await seat.resource { try await context.held.giveBack(held) }
            return .init()
        },
    ]
}

extension StepWorks {
    /// How the steps of tests of reservations are carried out.
    static let storageReservations: [ValidationTestID: StepWork] = [
        StorageCatalogue.register.id: script(ReservationScript.register, .register),
        StorageCatalogue.reserve.id: script(ReservationScript.reserve, .reserve),
        StorageCatalogue.conflict.id: script(ReservationScript.conflict, .conflict),
        StorageCatalogue.preempt.id: script(ReservationScript.preempt, .preempt),
        StorageCatalogue.preemptAndAbort.id: script(ReservationScript.preemptAndAbort, .preemptAndAbort),
        StorageCatalogue.clear.id: script(ReservationScript.clear, .clear),
        StorageCatalogue.arbitration.id: script(ReservationScript.arbitration, .arbitration),
        StorageCatalogue.failover.id: script(ReservationScript.failover, .failover),
        StorageCatalogue.simultaneousFailover.id: script(ReservationScript.failover, .failover),
        StorageCatalogue.persistence.id: { step, context in
            try await ReservationStage.with(step, context) { try await ReservationWorks.persistence($0) }
        },
        StorageCatalogue.defence.id: { step, context in
            try await ReservationStage.with(step, context) { stage in
                // Another node on each disk, so that all of them are owners where there are disks enough.
                let place = stage.disks.first.flatMap { context.subject.testableDisks.firstIndex(of: $0) } ?? 0
                return try await ReservationWorks.defence(stage, owner: stage.parties[place % stage.parties.count])
            }
        },
        StorageCatalogue.contest.id: { step, context in
            try await ReservationStage.with(step, context, seatsPerNode: 2) { try await ReservationWorks.contest($0) }
        },
        StorageCatalogue.fencedWrites.id: { step, context in
            try await ReservationStage.with(step, context) { try await ReservationWorks.fencedWrites($0) }
        },
    ]

    private static func script(
        _ script: @escaping @Sendable ([ReservationParty]) -> ReservationScript, _ wording: ScriptJudge.Wording
    ) -> StepWork {
        { step, context in
            try await ReservationStage.with(step, context) { stage in
                ScriptJudge.judge(try await stage.perform(script(stage.parties)), on: stage.disks, wording)
            }
        }
    }
}
