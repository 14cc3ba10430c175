import ClusterModel

/// One session: what was said in it so far. All of it was ordered, so all members have the same; only what each has made durable itself
/// it counts before the others hear of it.
struct LogSession: Sendable {
    let tag: SessionTag
    let leftOut: [NodeID]
    var hellos: [NodeID: Hello] = [:]
    /// What each node that takes itself for the holder of a witness read from it. One of them may not know yet that it lost it.
    var witnesses: [NodeID: WitnessReport] = [:]
    /// An operator's order to go on without a majority.
    var force: Proposal?
    var begin: Begin?
    var promised: Set<NodeID> = []
    var witnessPromised = false
    /// A majority promised ``begin``'s epoch, so no other log can ever have its number.
    var isPromised = false
    var acknowledged: [NodeID: UInt64] = [:]
    /// By the number of the witness.
    var witnessAcknowledged: [UInt64: UInt64] = [:]
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

    /// The report to go by: of the witness that the best log's table names, and the newest, since the real holder has read after all others.
    var witness: (holder: NodeID, report: WitnessReport)? {
        guard !witnesses.isEmpty else { return nil }
        let named = coordinator.flatMap { hellos[$0]?.replica.tables.last?.witnessID } ?? 0
        func rank(_ report: WitnessReport) -> (Int, Int, UInt64, UInt64, UInt64) {
            let position = report.replica.position
            return (
                report.witnessID == named ? 1 : 0, report.replica.counts ? 1 : 0, position.promised, position.adopted, position.lastIndex
            )
        }
        var best: (holder: NodeID, report: WitnessReport)?
        for node in witnesses.keys.sorted() {
            guard let report = witnesses[node] else { continue }
            if let current = best, rank(current.report) >= rank(report) { continue }
            best = (node, report)
        }
        return best
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
        var highest: UInt64 = 0
        for report in witnesses.values { highest = max(highest, report.replica.position.promised) }
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
        guard let best else { return self }
        let strangers = witnesses.keys.filter { holder in best.replica.tables.allSatisfy { $0.nodes[holder] == nil } }
        guard !strangers.isEmpty else { return self }
        var session = self
        for holder in strangers { session.witnesses[holder] = nil }
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
        if table.witness > 0, let index = witnessAcknowledged[table.witnessID] {
            marks.append((index, table.witness))
        }
        marks.sort { $0.index > $1.index }
        var votes = 0
        for mark in marks {
            votes += mark.votes
            if votes >= table.majority { return mark.index }
        }
        return nil
    }
}

extension VoteTable {
    func votes(of present: some Sequence<NodeID>, witnessID: UInt64?) -> Int {
        votes(of: present, withWitness: witness > 0 && witnessID == self.witnessID)
    }
}
