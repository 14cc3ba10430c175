import ClusterModel

/// A replica with a vote.
public enum Voter: Hashable, Sendable, Codable {
    case node(NodeID)
    case witness
}

/// How a partition stands, and what may fail next without stopping it: the content of `apus cluster quorum`.
public struct QuorumStanding: Hashable, Sendable {
    public var votesPresent: Int
    public var votesTotal: Int
    public var votesNeeded: Int
    /// Those that are here and have votes: nodes by number, then the witness.
    public var voters: [Voter]
    /// Those that have votes and are not here.
    public var missing: [Voter]
    /// The node that holds the witness.
    public var witnessHolder: NodeID?
    /// How many of ``voters`` may fail at the same instant, whichever they are.
    public var mayFailAtOnce: Int
    /// Each of these, alone, would stop the cluster.
    public var fatal: [Voter]
    /// In plain words.
    public var sentence: String

    public var isQuorate: Bool { votesPresent >= votesNeeded }

    /// - Parameters:
    ///   - present: The members of this partition.
    ///   - witnessHolder: Who holds the witness, when that is known and it can be read and written. It counts only if the holder is present.
    public init(of state: ClusterState, present: some Sequence<NodeID>, witnessHolder: NodeID?) {
        let table = state.votes
        let here = Set(present)
        let hasWitness = witnessHolder.map { here.contains($0) } ?? false
        self.witnessHolder = witnessHolder
        let all =
            table.nodes.filter { $0.value > 0 }.keys.sorted().map {
                (voter: Voter.node($0), votes: table.nodes[$0, default: 0], isHere: here.contains($0))
            }
            + (table.witness > 0 ? [(voter: .witness, votes: table.witness, isHere: hasWitness)] : [])
        voters = all.filter(\.isHere).map(\.voter)
        missing = all.filter { !$0.isHere }.map(\.voter)
        votesPresent = table.votes(of: here, withWitness: hasWitness)
        votesTotal = table.total
        votesNeeded = table.majority
        guard votesPresent >= votesNeeded else {
            mayFailAtOnce = 0
            fatal = []
            sentence = ""
            sentence = lostSentence(state)
            return
        }
        let spare = votesPresent - votesNeeded
        fatal = all.filter { $0.isHere && $0.votes > spare }.map(\.voter)
        // The worst that can happen to a number of failures is that they take the largest votes.
        var left = spare
        var count = 0
        for votes in all.filter(\.isHere).map(\.votes).sorted(by: >) {
            guard votes <= left else { break }
            left -= votes
            count += 1
        }
        mayFailAtOnce = count
        sentence = ""
        sentence = tolerance(state)
    }

    private func lostSentence(_ state: ClusterState) -> String {
        let words = missing.map { name($0, state) }
        let wait =
            words.isEmpty
            ? "Set the votes right." : "Nothing runs here until enough of \(joined(words, "and")) \(words.count == 1 ? "is" : "are") back."
        return "No quorum: \(votesPresent) of \(votesTotal) votes here, \(votesNeeded) needed. \(wait)"
    }

    private func tolerance(_ state: ClusterState) -> String {
        let nodes = voters.filter { $0 != .witness }
        let hasWitness = voters.contains(.witness)
        guard fatal.isEmpty else {
            let stops = joined(fatal.map { name($0, state) }, "or")
            let safe = voters.filter { !fatal.contains($0) }.map { name($0, state) }
            if nodes.isEmpty, hasWitness {
                return "The witness alone decides: any node may fail while another one reaches it; if the witness goes, the cluster stops."
            }
            guard !safe.isEmpty else {
                return "Nothing more may fail: if \(stops) goes, the cluster stops."
            }
            return "\(joined(safe, "or").capitalizedFirst) may fail; if \(stops) goes, the cluster stops."
        }
        let more = state.quorum.isDynamic && state.quorum.model != .diskOnly
        let after = more && nodes.count > 2 ? " The votes are counted anew after each loss, so more may follow one after another." : ""
        if mayFailAtOnce == 1 {
            return (hasWitness ? "One more node, or the witness, may fail." : "One more node may fail.") + after
        }
        return "Any \(mayFailAtOnce) of the nodes\(hasWitness ? " and the witness" : "") may fail at once." + after
    }

    private func name(_ voter: Voter, _ state: ClusterState) -> String {
        switch voter {
        case .node(let id): state.name(of: id)
        case .witness: "the witness"
        }
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
