import ClusterModel

/// One session: what was said in it so far. All of it was ordered, so all members have the same.
struct LogSession: Sendable {
    let tag: SessionTag
    let leftOut: [NodeID]
    var hellos: [NodeID: Hello] = [:]
    /// The newest report of a witness, and who made it.
    var witness: (holder: NodeID, report: WitnessReport)?
    /// An operator's order to go on without a majority.
    var force: Proposal?
    var begin: Begin?
    var promised: Set<NodeID> = []
    var witnessPromised = false
    /// A majority promised ``begin``'s epoch, so no other log can ever have its number.
    var isPromised = false
    var acknowledged: [NodeID: UInt64] = [:]
    var witnessAcknowledged: UInt64?
    /// A majority adopted the log.
    var isOpen = false
    /// Delivered proposals that are in no entry yet.
    var proposals: [RequestID: Proposal] = [:]

    static func tag(round: UInt64, members: [GroupMember], leftOut: [NodeID]) -> SessionTag {
        var hash = DifferenceHash(from: round)
        for member in members {
            hash.combine(UInt64(member.node.rawValue) << 32 | UInt64(member.process))
        }
        hash.combine(UInt64(leftOut.count))
        for node in leftOut { hash.combine(UInt64(node.rawValue)) }
        return SessionTag(round: round, membership: hash.value)
    }

    /// Who has the best log among the members: it decides how the session goes on, and leads it.
    ///
    /// Among equals one whose replica counts and which has a vote, then the lowest number.
    var coordinator: NodeID? {
        var best: (node: NodeID, rank: (Int, UInt64, UInt64, Int, Int))?
        for node in hellos.keys.sorted() {
            guard let replica = hellos[node]?.replica else { continue }
            let votes = replica.tables.last?.nodes[node]
            let rank = (
                replica.position.adopted > 0 ? 1 : 0, replica.position.adopted, replica.position.lastIndex, replica.counts ? 1 : 0,
                votes.map { $0 > 0 ? 2 : 1 } ?? 0
            )
            if let current = best, current.rank >= rank { continue }
            best = (node, rank)
        }
        return best?.node
    }

    /// The best log of all, the witness's included.
    var best: (leader: NodeID, replica: ReplicaReport, isWitness: Bool)? {
        guard let coordinator, let replica = hellos[coordinator]?.replica else { return nil }
        if let witness, witness.report.replica.counts, witness.report.replica.position.isAhead(of: replica.position) {
            return (witness.holder, witness.report.replica, true)
        }
        return replica.position.adopted > 0 ? (coordinator, replica, false) : nil
    }

    /// The highest epoch that anybody here ever promised.
    var highestPromise: UInt64 {
        var highest = witness?.report.replica.position.promised ?? 0
        for hello in hellos.values { highest = max(highest, hello.replica.position.promised) }
        return highest
    }
    /// A forced epoch that somebody here promised and whose log nobody here has: older logs have to yield to it, so none may go on.
    var lineageElsewhere: UInt64? {
        guard let best, best.replica.position.adopted >> 32 < highestPromise >> 32 else { return nil }
        return highestPromise
    }

    /// The session without a witness that is in the hands of a node which is no member: it cannot take over the log, so not write it either.
    var withUsableWitness: LogSession {
        guard let witness, let best, best.replica.tables.allSatisfy({ $0.nodes[witness.holder] == nil }) else { return self }
        var session = self
        session.witness = nil
        return session
    }

    /// The table among some that is furthest from its majority, or nil when each has it.
    static func lacking(_ tables: [VoteTable], nodes: some Sequence<NodeID>, witnessID: UInt64?) -> (table: VoteTable, present: Int)? {
        let nodes = Array(nodes)
        for table in tables {
            let present = table.votes(of: nodes, witnessID: witnessID)
            if present < table.majority { return (table, present) }
        }
        return nil
    }

    /// The highest entry that a majority of a table acknowledged; nil while none adopted the log.
    func reached(_ table: VoteTable) -> UInt64? {
        var marks: [(index: UInt64, votes: Int)] = []
        marks.reserveCapacity(acknowledged.count + 1)
        for (node, index) in acknowledged {
            if let votes = table.nodes[node], votes > 0 { marks.append((index, votes)) }
        }
        if let witnessAcknowledged, table.witness > 0, witnessAcknowledgedID == table.witnessID {
            marks.append((witnessAcknowledged, table.witness))
        }
        marks.sort { $0.index > $1.index }
        var votes = 0
        for mark in marks {
            votes += mark.votes
            if votes >= table.majority { return mark.index }
        }
        return nil
    }
    /// Which witness ``witnessAcknowledged`` is about.
    var witnessAcknowledgedID: UInt64?
}

extension VoteTable {
    func votes(of present: some Sequence<NodeID>, witnessID: UInt64?) -> Int {
        votes(of: present, withWitness: witness > 0 && witnessID == self.witnessID)
    }
}
