import Validation

extension NodeProbes {
    /// What the tests of reservations ask of a node.
    static let reservations: [NodeProbe] = [
        NodeProbe(ReservationSeatQuestion.self) { question, context in try await ReservationSeat.take(question, context) },
        NodeProbe(ReservationActQuestion.self) { question, _ in try await ReservationSeat.taken(question.seat).perform(question.act) },
        NodeProbe(ReservationLeaveQuestion.self) { question, context in
            let seat = try ReservationSeat.taken(question.seat)
            if let held = await seat.resource { try await context.held.giveBack(held) }
            return .init()
        },
    ]
}
