import ClusterModel

// From a complete session to an open epoch.
extension ConfigurationLog {
    var isLeader: Bool { session?.begin?.leader == me }
    /// This node follows the session's epoch with a log of it.
    var follows: Bool { hasAdopted && session?.isPromised == true }

    /// The coordinator begins an epoch as soon as the replicas that count make a majority under every table of the best log.
    mutating func considerBegin() {
        guard let session = session?.withUsableWitness, isComplete(session), session.begin == nil, !didBegin, session.coordinator == me,
            let best = session.best
        else { return }
        let highest = session.highestPromise
        let counting = session.hellos.filter(\.value.replica.counts).keys
        let witnessID = session.witness.flatMap { $0.report.replica.counts ? $0.report.witnessID : nil }

        var begin = Begin(
            epoch: 0, leader: best.leader, base: best.replica.position, baseIsWitness: best.isWitness, tables: best.replica.tables,
            witnessID: session.witness?.report.witnessID, witnessHolder: session.witness?.holder, forced: nil)
        let epoch: UInt64?
        if session.lineageElsewhere == nil, LogSession.lacking(best.replica.tables, nodes: counting, witnessID: witnessID) == nil {
            epoch = Epoch.next(after: highest)
        } else if let force = session.force, let table = forcedTable(from: best.replica.tables, session), table.total > 0,
            // It may be in the log already: then its table is in force, and this partition lacks the majority of that one.
            session.hellos[me]?.replica.counts == true,
            (best.isWitness ? RequestLedger(session.witness?.report.requests ?? []) : log.requests).isNew(force.request)
        {
            epoch = Epoch.forced(after: highest, on: me.rawValue)
            begin.tables = [table]
            begin.forced = Proposal(request: force.request, payload: force.payload, votes: table)
        } else {
            return
        }
        guard let epoch else {
            epochsExhausted = true
            return
        }
        begin.epoch = epoch
        didBegin = true
        send(.begin(begin))
    }

    /// The newest table with the votes of those that are absent taken away. Present ones without any get one if nobody has.
    private func forcedTable(from tables: [VoteTable], _ session: LogSession) -> VoteTable? {
        guard var table = tables.last, let highest = tables.map(\.version).max() else { return nil }
        let present = session.hellos.filter { $0.value.replica.counts && table.nodes[$0.key] != nil }.keys
        for node in table.nodes.keys where !present.contains(node) { table.nodes[node] = 0 }
        if session.witness?.report.witnessID != table.witnessID || session.witness?.report.replica.counts != true {
            table.witness = 0
            table.witnessID = 0
        }
        if table.total == 0 { for node in present { table.nodes[node] = 1 } }
        // Two further, not one: that is how a log tells a forced table.
        table.version = highest &+ 2
        return table
    }

    mutating func begun(_ begin: Begin, by node: NodeID) {
        guard let current = session, current.begin == nil, node == current.coordinator, begin.epoch > log.promised else { return }
        session?.begin = begin
        leaderHeardAt = now
        turnedAway = begin.tables.allSatisfy { $0.nodes[me] == nil } ? begin.tables.last?.version : nil
        if remembers, disk.failure == nil {
            log.promised = begin.epoch
            disk.promise = begin.epoch
        }
        promiseOnWitness()
    }

    mutating func promised(_ epoch: UInt64, by node: NodeID, witness: Bool) {
        guard let begin = session?.begin, begin.epoch == epoch else { return }
        if !witness {
            session?.promised.insert(node)
        } else if node == begin.witnessHolder {
            session?.witnessPromised = true
        }
        guard let session, !session.isPromised,
            LogSession.lacking(begin.tables, nodes: session.promised, witnessID: session.witnessPromised ? begin.witnessID : nil) == nil
        else { return }
        // A forced epoch has no majority that makes its number unique. It bears the coordinator's, which promises it but once.
        if begin.forced != nil, session.coordinator.map(session.promised.contains) != true { return }
        self.session?.isPromised = true
        adopt(begin)
    }

    /// A majority promised: the log of this epoch is the leader's, for good.
    private mutating func adopt(_ begin: Begin) {
        guard begin.epoch >= log.promised else { return }
        if begin.leader == me {
            if begin.baseIsWitness {
                guard let image = witness?.image, image.position.isSameLog(as: begin.base) else {
                    // The holder changed since it told about this log.
                    startRound(leavingOut: session?.leftOut ?? [])
                    return
                }
                install(image)
            }
            guard log.position.isSameLog(as: begin.base) else { return }
            if let forced = begin.forced {
                log.append(
                    .chained(
                        after: log.lastChain, index: log.lastIndex + 1, epoch: begin.epoch, request: forced.request,
                        payload: forced.payload, votes: forced.votes))
            }
            takeUp(begin)
            orderedRequests = log.requests
        } else if begin.forced == nil, log.lastIndex == begin.base.lastIndex, log.lastChain == begin.base.chain, log.adopted > 0 {
            takeUp(begin)
        } else {
            mustFetch = true
            fetchLog()
        }
    }

    /// From here on this replica holds the log of the epoch; durable with the next step of the disk.
    mutating func takeUp(_ begin: Begin) {
        log.promised = begin.epoch
        log.adopted = begin.epoch
        disk.adopt = true
        disk.promise = nil
        hasAdopted = true
        turnedAway = nil
        advance()
    }

    /// The last entry of the epoch's first log.
    func baseIndex(_ begin: Begin) -> UInt64 { begin.base.lastIndex + (begin.forced == nil ? 0 : 1) }

    mutating func install(_ image: ReplicaImage) {
        let old = log
        log.replace(with: image)
        settle(old)
    }

    /// After the log was exchanged: what went with the old one, and whether the owner's state is still right.
    mutating func settle(_ old: ReplicatedLog) {
        let stale = old.entries.drop { log.chain(at: $0.index) == $0.chain || $0.index <= log.snapshotIndex }
        let isCut = committed > log.lastIndex || (committed >= log.snapshotIndex && log.chain(at: committed) != committedChain)
        if !stale.isEmpty {
            effects.append(.dropped(Array(stale), acknowledged: stale.count { $0.index <= committed }))
        }
        // Forced quorum on the other side: what we told to be committed is not in the log that goes on.
        if isCut { disk.replaces = true }
        if isCut || committed < log.snapshotIndex {
            effects.append(.restore(state: log.snapshotState, index: log.snapshotIndex))
            committed = log.snapshotIndex
            committedChain = log.snapshotChain
            answerAfterRestore()
        }
    }

    /// Counts what was acknowledged: is the epoch open, how far is the log committed?
    mutating func advance() {
        guard let session, session.isPromised, let begin = session.begin else { return }
        if !session.isOpen {
            guard begin.tables.allSatisfy({ session.reached($0).map { $0 >= baseIndex(begin) } ?? false }) else { return }
            self.session?.isOpen = true
            resendWaiting()
        }
        guard follows else { return }
        commit(through: min(baseIndex(begin), log.lastIndex))
        settleForce()
        guard committed >= baseIndex(begin), let session = self.session else { return }
        while true {
            let votes = log.votes(committed: committed)
            var reached = min(session.reached(votes.inForce) ?? 0, log.lastIndex)
            if let next = votes.next, next.index <= reached {
                // A change of the votes, and what comes after it, needs both majorities.
                let other = session.reached(next.table) ?? 0
                reached = other >= next.index ? min(reached, other) : next.index - 1
            }
            guard reached > committed else { break }
            commit(through: reached)
        }
        orderNext()
    }

    mutating func force(_ proposal: Proposal) {
        if session?.isOpen == true {
            effects.append(.answer(proposal.request, .refused(.notNeeded)))
        } else if remember(proposal) {
            pendingForce = proposal
            sendForce()
        }
    }
    mutating func sendForce() {
        guard let pendingForce, let session, isComplete(session), session.begin == nil, !session.leftOut.contains(me) else { return }
        send(.force(pendingForce))
    }

    /// The order reached everybody; the coordinator carries it out.
    mutating func forced(_ proposal: Proposal) {
        guard session?.begin == nil else { return }
        session?.force = proposal
        considerBegin()
    }
}

extension ReplicaPosition {
    func isSameLog(as other: ReplicaPosition) -> Bool {
        lastIndex == other.lastIndex && chain == other.chain
    }
}
