import ClusterModel

extension ConfigurationLog {
    mutating func reportStatus() {
        let status = LogStatus(phase: phase, storageFailure: disk.failure, witnessFailure: witness?.failure)
        guard status != lastStatus else { return }
        lastStatus = status
        effects.append(.status(status))
    }

    private var phase: LogStatus.Phase {
        guard members.contains(settings.member) else { return .apart }
        guard let session = session?.withUsableWitness else { return .gathering(waitingFor: members.map(\.node)) }
        guard !session.leftOut.contains(me) else { return .leftOut }
        guard isComplete(session) else { return .gathering(waitingFor: silent) }
        if let turnedAway { return .turnedAway(tableVersion: turnedAway) }
        if epochsExhausted { return .epochsExhausted }
        if let begin = session.begin {
            return session.isOpen ? .open(epoch: begin.epoch, leader: begin.leader, behind: !follows) : .opening(epoch: begin.epoch)
        }
        // The newest log of all decides who is a member, also when it is on a witness that this node holds and must not write: it is told
        // to let go, since nobody else can go on.
        if let tables = self.session?.best?.replica.tables, let table = tables.last, tables.allSatisfy({ $0.nodes[me] == nil }) {
            return .turnedAway(tableVersion: table.version)
        }
        guard let best = session.best else { return .empty }
        if let epoch = session.lineageElsewhere { return .forcedElsewhere(epoch: epoch) }
        let counting = session.hellos.filter(\.value.replica.counts).keys.sorted()
        let witnessID = session.witness.flatMap { $0.report.replica.counts ? $0.report.witnessID : nil }
        guard let (table, present) = LogSession.lacking(best.replica.tables, nodes: counting, witnessID: witnessID) else {
            return .opening(epoch: 0)
        }
        return .waitingForMajority(
            present: present, needed: table.majority, of: table.total,
            missing: table.nodes.filter { $0.value > 0 && !counting.contains($0.key) }.keys.sorted(),
            witnessMissing: table.witness > 0 && witnessID != table.witnessID)
    }
}
