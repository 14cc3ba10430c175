import ClusterModel

/// What became of one entry of the log.
public enum EntryOutcome: Hashable, Sendable {
    case applied([ClusterEffect])
    /// Refused: only the place in the log moved on.
    case rejected(CommandRejection)
    /// The same request was applied or refused before; nothing was done.
    case repeated
}

/// An entry that cannot be applied: nothing changed, and the node must not go on to the next one.
public enum UnusableEntry: Error, Hashable, CustomStringConvertible {
    case coding(ClusterCodingError)
    case gap(expected: UInt64, found: UInt64)
    /// The entry carries other votes than its command: it was made by something that does not follow the rules.
    case votesDiffer(index: UInt64)

    public var description: String {
        switch self {
        case .coding(let error): error.description
        case .gap(let expected, let found):
            "Entry \(found) of the log came where \(expected) was due. The node fetches the configuration from another one."
        case .votesDiffer(let index):
            "Entry \(index) of the log carries other votes than its command. The node stops here; report this."
        }
    }
}

/// Applies one committed entry: decodes it, ignores it if its request was seen, else applies its command.
///
/// However it ends, ``ClusterState/appliedIndex`` moves on, and ``ClusterState/votes`` is the table that the log counts with from
/// this entry on: the log does not know whether a command was refused.
///
/// - Throws: ``UnusableEntry``; the state is untouched.
public func apply(_ entry: LogEntry, to state: inout ClusterState) throws(UnusableEntry) -> EntryOutcome {
    guard entry.index == state.appliedIndex + 1 else { throw .gap(expected: state.appliedIndex + 1, found: entry.index) }
    let proposal: CommandProposal
    do { proposal = try ClusterCoding.proposal(from: entry.payload) } catch { throw .coding(error) }
    var command = proposal.command
    if case .recordForcedQuorum(_, let nodes, let reason) = command, let votes = entry.votes {
        // The log makes this table itself, from who was present when the order was carried out.
        command = .recordForcedQuorum(table: votes, nodes: nodes, reason: reason)
    }
    guard entry.votes == command.votes else { throw .votesDiffer(index: entry.index) }

    let before = MembershipParts(of: state)
    state.appliedIndex = entry.index
    defer {
        if let votes = entry.votes { state.votes = votes }
        if MembershipParts(of: state).differ(from: before) {
            state.membershipVersion = max(entry.index, state.membershipVersion + 1)
            if case .recordForcedQuorum = command { state.membershipVersion += forcedStep }
        }
    }

    // A request is sent again after a ring change, and may then be in the log twice.
    if let last = state.lastRequests[entry.request.node], last.incarnation == entry.request.incarnation, entry.request.number <= last.number
    {
        return .repeated
    }
    state.lastRequests[entry.request.node] = RequestMark(incarnation: entry.request.incarnation, number: entry.request.number)
    let place = CommandPlace(
        index: entry.index, time: proposal.time, proposer: entry.request.node, requestedBy: proposal.requestedBy)
    do { return .applied(try apply(command, at: place, to: &state)) } catch { return .rejected(error) }
}

/// How far a forced quorum moves the version of corosync.conf: beyond all that the other side can have reached, whose file would else be
/// taken for the newer one when it returns.
private let forcedStep: UInt64 = 1 << 20

/// What Corosync's configuration file is made of. Holding on to it copies nothing.
private struct MembershipParts {
    var nodes: [NodeID: ClusterNode]
    var votes: VoteTable
    var witness: Witness
    var key: Secret?

    init(of state: ClusterState) {
        nodes = state.nodes
        votes = state.votes
        witness = state.witness.witness
        key = state.corosyncKey
    }

    /// Whether the file says something else now. Most entries touch none of it, which is told at once.
    func differ(from other: MembershipParts) -> Bool {
        votes.nodes != other.votes.nodes || votes.witness != other.votes.witness || witness != other.witness || key != other.key
            || (nodes != other.nodes
                && (nodes.mapValues(\.addresses.rings) != other.nodes.mapValues(\.addresses.rings)
                    || nodes.mapValues(\.name) != other.nodes.mapValues(\.name)))
    }
}
