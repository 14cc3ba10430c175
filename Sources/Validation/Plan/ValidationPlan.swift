import ClusterModel

/// What a run does, before it does anything: the steps in their order, and the tests that do not apply.
public struct ValidationPlan: Hashable, Sendable {
    public var subject: ValidationSubject
    /// The chosen tests in the order of the catalogue, the ones that do not apply included.
    public var tests: [ValidationTest]
    public var notApplicable: [ValidationTestID: ValidationNeed]
    /// Readers first, what breaks sessions last; otherwise in the order of the catalogue.
    public var steps: [ValidationStep]

    public init(_ tests: [ValidationTest], for subject: ValidationSubject) {
        self.subject = subject
        self.tests = tests
        notApplicable = [:]
        var ordered: [(test: ValidationTest, steps: [ValidationStep])] = []
        for test in tests {
            if let need = subject.unmetNeed(of: test) {
                notApplicable[test.id] = need
            } else {
                ordered.append((test, Self.targets(of: test.scope, in: subject).map { ValidationStep(test.id, $0) }))
            }
        }
        let byRank = Dictionary(grouping: ordered) { $0.test.disturbance.rank }
        steps = byRank.keys.sorted().flatMap { rank in (byRank[rank] ?? []).flatMap(\.steps) }
    }

    private static func targets(of scope: TestScope, in subject: ValidationSubject) -> [ValidationStep.Target] {
        switch scope {
        case .whole: [.whole]
        case .eachNode: subject.nodes.map { .node($0) }
        case .eachPair: pairs(subject.nodes).map { .pair($0, $1) }
        case .eachDisk: subject.testableDisks.map { .disk($0) }
        case .eachShare: subject.shares.map { .share($0) }
        }
    }

    /// Every two nodes once, in rounds in which each node appears at most once: a round can run side by side.
    ///
    /// The circle method of round-robin tournaments: one stays, the others move on by one place each round.
    static func pairs(_ nodes: [NodeName]) -> [(NodeName, NodeName)] {
        var seats: [NodeName?] = nodes
        if seats.count % 2 == 1 { seats.append(nil) }
        guard seats.count >= 2 else { return [] }
        var pairs: [(NodeName, NodeName)] = []
        for _ in 1..<seats.count {
            for index in 0..<seats.count / 2 {
                guard let one = seats[index], let other = seats[seats.count - 1 - index] else { continue }
                pairs.append((one, other))
            }
            seats.insert(seats.removeLast(), at: 1)
        }
        return pairs
    }
}

extension Disturbance {
    /// Lower ones come first: an early failure shows before anything was disturbed.
    var rank: Int {
        switch self {
        case .none: 0
        case .networkLoad, .diskLoad, .scratch, .guest: 1
        case .sessionLoss: 2
        }
    }
}
