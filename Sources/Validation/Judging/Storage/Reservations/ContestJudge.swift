import ClusterModel

/// One race for a disk: all challengers fence the owner as soon as they read that it holds the disk.
public struct ContestRound: Hashable, Sendable {
    public var owner: ReservationParty
    public var challenges: [ReservationAttempt]
    /// What each node read afterwards.
    public var readings: [ReservationAttempt]
    public init(owner: ReservationParty, challenges: [ReservationAttempt], readings: [ReservationAttempt]) {
        self.owner = owner
        self.challenges = challenges
        self.readings = readings
    }
}

/// `storage/contest`
public enum ContestJudge {
    public static func judge(_ rounds: [ContestRound], on disk: DiskID) -> TestOutcome {
        var problems: [(node: NodeName?, sentence: String)] = []
        var wins: [NodeName: Int] = [:]
        for (index, round) in rounds.enumerated() {
            for attempt in round.challenges where attempt.answer.result == .failed {
                problems.append(
                    (attempt.party.node, "In round \(index + 1) \(attempt.party.name) could not take part. \(attempt.answer.words)"))
            }
            let winners = round.challenges.filter { $0.answer.result == .done }
            guard let winner = winners.first, winners.count == 1 else {
                let names = NodeList.text(winners.map(\.party.name))
                problems.append(
                    (
                        nil,
                        winners.isEmpty
                            ? "In round \(index + 1) nobody won the disk of \(round.owner.name), although \(round.challenges.count) tried."
                            : "In round \(index + 1) \(names) were all told that they had won."
                    ))
                continue
            }
            wins[winner.party.node, default: 0] += 1
            for reading in round.readings where reading.answer.holder != winner.party.key {
                let read = reading.answer.result == .done ? reading.answer.holder?.description ?? "nobody" : reading.answer.words
                problems.append(
                    (
                        reading.party.node,
                        "In round \(index + 1) \(winner.party.name) won with the key \(winner.party.key), but \(reading.party.name) reads as the holder: \(read)."
                    ))
            }
        }
        guard problems.isEmpty, !rounds.isEmpty else {
            return TestOutcome(
                problems.map { ValidationFinding(.failure, .disk(disk, node: $0.node), reason: $0.sentence) },
                headline: "disk \(disk) does not have one winner when several nodes challenge its owner")
        }
        let nodes = rounds.flatMap(\.challenges).map(\.party.node).reduce(into: [NodeName]()) { if !$0.contains($1) { $0.append($1) } }
        let most = rounds.map(\.challenges.count).max() ?? 0
        return TestOutcome(
            nodes.map { node in
                ValidationFinding(
                    .pass, .disk(disk, node: node),
                    reason: "In \(rounds.count) rounds with \(most) challengers exactly one won each time; \(node) won \(wins[node] ?? 0).",
                    figures: [Figure("Rounds won", Double(wins[node] ?? 0), .count)])
            })
    }
}
