import ClusterModel

/// The replicas that a partition with an open epoch can count on now.
public struct VotersPresent: Hashable, Sendable {
    /// Members that adopted the epoch and hold every committed entry.
    public var nodes: Set<NodeID>
    /// Whether one of them holds the witness and has written it in this epoch.
    public var witness: Bool
    public init(nodes: some Sequence<NodeID>, witness: Bool) {
        self.nodes = Set(nodes)
        self.witness = witness
    }
    /// Whether they are a majority of a table.
    public func isMajority(of table: VoteTable) -> Bool { table.isMajority(nodes, withWitness: witness) }
}

/// A change of the votes that the coordinator should propose.
public struct VoteProposal: Hashable, Sendable {
    public var table: VoteTable
    /// A sentence for the history.
    public var reason: String
    public init(table: VoteTable, reason: String) {
        self.table = table
        self.reason = reason
    }
    public var command: ClusterCommand { .changeVotes(table: table, reason: reason) }
}

/// Who should have votes. The argument for each rule is decision 0005, "Dynamic quorum".
public enum VoteRules {
    /// The first table of a cluster: every node is there, and so is the witness if there is one.
    ///
    /// - Parameter witnessID: ``VoteTable/witnessID`` of the witness; zero without one.
    public static func foundingTable(
        nodes: [NodeID], witness: Witness, witnessID: UInt64 = 0, quorum: QuorumSettings
    ) -> VoteTable {
        let hasWitness = witness != .none && mayCountWitness(quorum)
        let votes: (nodes: [NodeID: Int], witness: Int)
        if quorum.model == .diskOnly {
            votes = (Dictionary(nodes.map { ($0, 0) }, uniquingKeysWith: max), 1)
        } else if quorum.isDynamic {
            votes = dynamic(voters: nodes.sorted(), all: nodes, hasWitness: hasWitness)
        } else {
            votes = (Dictionary(nodes.map { ($0, 1) }, uniquingKeysWith: max), hasWitness && quorum.model.countsWitness ? 1 : 0)
        }
        return VoteTable(version: 1, nodes: votes.nodes, witness: votes.witness, witnessID: witnessID)
    }

    /// The change of votes that is due, if one is.
    ///
    /// - Returns: Nil when the votes are as they should be, or when the replicas present are not a majority of both tables: such a
    ///   change could not be committed, and would stand in the way of one that can.
    public static func change(due state: ClusterState, present: VotersPresent) -> VoteProposal? {
        guard state.identity != nil, state.destroyedAt == nil, state.votes.version < .max,
            let target = target(state, present: present)
        else { return nil }
        let current = state.votes
        // A witness without a vote is still named: only the one that is can be written, and get its vote back.
        let table = VoteTable(
            version: current.version + 1, nodes: target.nodes, witness: target.witness, witnessID: state.witness.number)
        guard table.nodes != current.nodes || table.witness != current.witness || table.witnessID != current.witnessID else { return nil }
        guard table.total > 0, present.isMajority(of: current), present.isMajority(of: table) else { return nil }
        return VoteProposal(table: table, reason: reason(state, table))
    }

    /// The table with which quorum is forced on some nodes: only they vote, and the witness does not until it is found in order.
    public static func forcedTable(for state: ClusterState, nodes present: [NodeID]) -> VoteTable {
        let votes = dynamic(voters: present.sorted(), all: state.nodes.keys.sorted(), hasWitness: false)
        return VoteTable(version: state.votes.version + 1, nodes: votes.nodes, witness: 0, witnessID: state.witness.number)
    }

    private static func target(_ state: ClusterState, present: VotersPresent) -> (nodes: [NodeID: Int], witness: Int)? {
        let leaving = Set(state.operations.values.filter { $0.kind == .evictNode }.compactMap(\.subject))
        let members = state.nodes.keys.sorted()
        let remaining = members.filter { !leaving.contains($0) }
        // A vote is given only to a copy that is there; a vote held is kept until the state says that the witness is lost.
        let isReplaced = state.operations.values.contains { $0.kind == .replaceWitness }
        let hasWitness =
            state.witness.isUsable && !isReplaced && mayCountWitness(state.quorum) && (state.votes.witness > 0 || present.witness)
            // Another witness is named by a table first, and votes by the next: before that, nobody counts what is written on it.
            && state.votes.witnessID == state.witness.number

        if state.quorum.model == .diskOnly {
            guard hasWitness else { return nil }
            return (Dictionary(members.map { ($0, 0) }, uniquingKeysWith: max), 1)
        }
        let here = remaining.filter { present.nodes.contains($0) && state.nodes[$0]?.presence == .up }
        guard state.quorum.isDynamic else {
            // A member keeps the vote it has while it is away. A new one gets its first when it holds the configuration.
            let votes = members.map { ($0, remaining.contains($0) && (state.votes.nodes[$0, default: 0] > 0 || here.contains($0)) ? 1 : 0) }
            let isAway = state.witness.condition == .lost && state.votes.witness > 0 && !isReplaced
            return (Dictionary(votes, uniquingKeysWith: max), state.quorum.model.countsWitness && (hasWitness || isAway) ? 1 : 0)
        }
        guard let last = here.first else { return nil }
        if here.count == 1, hasWitness, state.votes.witness > 0,
            remaining.contains(where: { $0 != last && state.votes.nodes[$0, default: 0] > 0 })
        {
            // The last node and the witness are two of three votes. So are the other node and the witness, and the witness has every
            // acknowledged change: either node can start alone tomorrow. Taking the vote away would lose that and gain nothing.
            return nil
        }
        return dynamic(voters: here, all: members, hasWitness: hasWitness)
    }

    /// An odd number of votes wherever that can be: an even one is a tie waiting to happen.
    private static func dynamic(voters: [NodeID], all: [NodeID], hasWitness: Bool) -> (nodes: [NodeID: Int], witness: Int) {
        var nodes = Dictionary(all.map { ($0, 0) }, uniquingKeysWith: max)
        for voter in voters { nodes[voter] = 1 }
        guard voters.count.isMultiple(of: 2) else { return (nodes, 0) }
        if hasWitness { return (nodes, 1) }
        // Nobody to break the tie, so one node gives its vote up: the highest number, so that the coordinator keeps its own.
        if let highest = voters.max() { nodes[highest] = 0 }
        return (nodes, 0)
    }

    private static func mayCountWitness(_ quorum: QuorumSettings) -> Bool {
        quorum.model.countsWitness || (quorum.isModelAutomatic && quorum.isDynamic)
    }

    private static func reason(_ state: ClusterState, _ table: VoteTable) -> String {
        let ids = Set(table.nodes.keys).union(state.votes.nodes.keys).sorted()
        let gains = ids.filter { table.nodes[$0, default: 0] > state.votes.nodes[$0, default: 0] }.map { state.name(of: $0) }
        let losses = ids.filter { table.nodes[$0, default: 0] < state.votes.nodes[$0, default: 0] }.map { state.name(of: $0) }
        let gained = gains + (table.witness > state.votes.witness ? ["the witness"] : [])
        let lost = losses + (table.witness < state.votes.witness ? ["the witness"] : [])
        let parts = [
            lost.isEmpty ? nil : "\(joined(lost, "and")) \(lost.count == 1 ? "has" : "have") no vote now",
            gained.isEmpty ? nil : "\(joined(gained, "and")) \(gained.count == 1 ? "has" : "have") one",
        ]
        let text = parts.compactMap { $0 }.joined(separator: ", ")
        return text.isEmpty ? "the list of members changed" : text
    }
}

/// "a", "a or b", "a, b or c".
func joined(_ words: [String], _ conjunction: String) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) \(last)"
}
