/// Which numbered questions were answered, and how: lost, twice, out of order.
struct Tally {
    private var answers: [UInt8] = []
    private var highest: Int?
    private(set) var answered = 0
    private(set) var duplicated = 0
    private(set) var reordered = 0
    private(set) var roundTripMaxNanoseconds: UInt64 = 0

    var sent: Int { answers.count }

    /// - Returns: The number of the next question.
    mutating func ask() -> UInt64 {
        answers.append(0)
        return UInt64(answers.count - 1)
    }

    /// - Returns: False when no such question was asked: not ours.
    mutating func answer(_ number: UInt64, sentAt: UInt64, now: UInt64) -> Bool {
        guard let index = Int(exactly: number), answers.indices.contains(index) else { return false }
        guard answers[index] == 0 else {
            duplicated += 1
            return true
        }
        answers[index] = 1
        answered += 1
        if let highest, index < highest { reordered += 1 }
        highest = max(highest ?? 0, index)
        if now >= sentAt { roundTripMaxNanoseconds = max(roundTripMaxNanoseconds, now - sentAt) }
        return true
    }

    func summary(_ gaps: GapSummary) -> TallySummary {
        TallySummary(
            sent: sent, answered: answered, lost: sent - answered, duplicated: duplicated, reordered: reordered,
            roundTripMaxMs: (Double(roundTripMaxNanoseconds) / 1e4).rounded() / 100, gapMaxMs: gaps.gapMaxMs, gap2Ms: gaps.gap2Ms,
            gapMedianMs: gaps.gapMedianMs)
    }
}

struct TallySummary: Encodable {
    var sent: Int
    var answered: Int
    var lost: Int
    var duplicated: Int
    var reordered: Int
    var roundTripMaxMs: Double
    var gapMaxMs: Double
    var gap2Ms: Double
    var gapMedianMs: Double
}
