import ClusterModel

/// A seat at disks, as the tests of reservations know it.
public struct ReservationParty: Hashable, Sendable {
    public var node: NodeName
    /// From 0; where several must try at once a node has a second seat.
    public var number: Int
    public var key: DiskKey
    public init(_ node: NodeName, number: Int = 0, key: DiskKey) {
        self.node = node
        self.number = number
        self.key = key
    }
    /// `n1`, `n1's second session`.
    public var name: String { number == 0 ? node.rawValue : "\(node)'s second session" }
}

/// What is done at the disks, in order, and what they have to answer.
public struct ReservationScript: Hashable, Sendable {
    public enum Expectation: Hashable, Sendable {
        case done
        /// A conflict, or the news of having been fenced. The clause tells why: "it is not registered".
        case refused(because: String)
        case state(keys: Set<DiskKey>, holder: DiskKey?)
    }
    public struct Line: Hashable, Sendable {
        public var party: ReservationParty
        public var act: ReservationAct
        public var expected: Expectation
        /// The time it took belongs into the report, under this name.
        public var figure: String?
        public init(_ party: ReservationParty, _ act: ReservationAct, _ expected: Expectation = .done, figure: String? = nil) {
            self.party = party
            self.act = act
            self.expected = expected
            self.figure = figure
        }
    }
    /// The lines of a phase are carried out at the same time.
    public var phases: [[Line]]
    public init(_ phases: [[Line]]) { self.phases = phases }
}

/// What came of a line, on each disk.
public struct ReservationEntry: Hashable, Sendable {
    public var line: ReservationScript.Line
    public var answers: [ReservationAnswer]
    /// For all disks together.
    public var milliseconds: Double
    public init(_ line: ReservationScript.Line, answers: [ReservationAnswer], milliseconds: Double) {
        self.line = line
        self.answers = answers
        self.milliseconds = milliseconds
    }
    /// Whether every disk answered as it had to. If not, what follows in the script would tell nothing new.
    public var isAsExpected: Bool { answers.allSatisfy { line.deviation(of: $0) == nil } }
}

/// What one seat did besides a script, and what the disk answered.
public struct ReservationAttempt: Hashable, Sendable {
    public var party: ReservationParty
    public var answer: ReservationAnswer
    public init(_ party: ReservationParty, _ answer: ReservationAnswer) {
        self.party = party
        self.answer = answer
    }
}

extension ReservationScript.Line {
    /// What is wrong with the answer, in sentences; nil when nothing is.
    func deviation(of answer: ReservationAnswer) -> String? {
        let words = answer.words.isEmpty ? "" : " " + answer.words
        switch (expected, answer.result) {
        case (.done, .done): return nil
        case (.done, _): return "\(party.name) could not \(act.phrase).\(words)"
        case (.refused, .conflict), (.refused, .preempted): return nil
        case (.refused(let reason), .done): return "\(party.name) could \(act.phrase) although \(reason)."
        case (.refused, .failed): return "\(party.name) could not \(act.phrase), but it was no reservation that kept it from that.\(words)"
        case (.state(let keys, let holder), .done):
            let found = Set(answer.keys)
            guard found != keys || answer.holder != holder else { return nil }
            var parts: [String] = []
            if found != keys { parts.append("the keys \(Self.list(found)) in place of \(Self.list(keys))") }
            if answer.holder != holder {
                parts.append("\(answer.holder?.description ?? "nobody") as the holder in place of \(holder?.description ?? "nobody")")
            }
            return "\(party.name) reads \(parts.joined(separator: ", and ")); its own key is \(party.key)."
        case (.state, _): return "\(party.name) could not \(act.phrase).\(words)"
        }
    }

    private static func list(_ keys: Set<DiskKey>) -> String {
        keys.isEmpty ? "none" : keys.sorted().map(\.description).joined(separator: ", ")
    }
}

extension ReservationAct {
    /// After "could" or "could not".
    var phrase: String {
        switch self {
        case .look: "read keys and reservation"
        case .capabilities: "read what the disk can do with reservations"
        case .register: "register its key"
        case .unregister: "take its key back"
        case .reserve: "reserve the disk"
        case .release: "release the disk"
        case .clear: "clear all keys"
        case .preempt: "preempt the holder"
        case .fence: "fence the holder"
        case .write: "write to the disk"
        case .read: "read from the disk"
        case .drop: "drop its session"
        case .login: "log in again"
        case .adopt: "take over what its last session left"
        case .expel: "remove what another session left"
        case .borrow: "read the scratch area"
        case .beat: "hold the disk"
        case .watch: "watch the owner of the disk"
        case .challenge: "challenge the owner of the disk"
        case .stream: "write to the disk without a pause"
        case .fenceAndWatch: "fence a writer"
        }
    }
}
