import ClusterModel

// Changes: asked for on any node, ordered by the leader, committed by a majority.
extension ConfigurationLog {
    mutating func propose(_ proposal: Proposal) {
        if let refusal = acceptance(of: proposal) {
            effects.append(.answer(proposal.request, .refused(refusal)))
        } else if remember(proposal), session?.isOpen == true {
            sendProposal(proposal)
        }
    }

    private func acceptance(of proposal: Proposal) -> Refusal? {
        if proposal.payload.count > LogLimits.payloadBytes { return .tooLarge }
        if waiting.count >= LogLimits.waitingRequests || waitingBytes + proposal.payload.count > LogLimits.waitingBytes { return .busy }
        let request = proposal.request
        let isOurs = request.node == me && request.incarnation == settings.incarnation
        return isOurs && request.number > highestNumber ? nil : .numberNotRising
    }

    /// Keeps a proposal until it is answered.
    mutating func remember(_ proposal: Proposal) -> Bool {
        if let refusal = acceptance(of: proposal) {
            effects.append(.answer(proposal.request, .refused(refusal)))
            return false
        }
        highestNumber = proposal.request.number
        waiting.append(proposal)
        waitingBytes += proposal.payload.count
        return true
    }

    mutating func giveUp(_ request: RequestID) {
        if pendingForce?.request == request { pendingForce = nil }
        _ = forget(request)
    }
    private mutating func forget(_ request: RequestID) -> Bool {
        guard let place = waiting.firstIndex(where: { $0.request == request }) else { return false }
        waitingBytes -= waiting.remove(at: place).payload.count
        return true
    }
    private mutating func answer(_ request: RequestID, _ result: ProposalResult) {
        if pendingForce?.request == request { pendingForce = nil }
        if forget(request) { effects.append(.answer(request, result)) }
    }

    private mutating func sendProposal(_ proposal: Proposal) {
        if isLeader {
            // The leader's own need not go round before they are ordered.
            order(.proposal(proposal))
        } else {
            send(.propose(proposal))
        }
    }

    /// What was not answered before the epoch opened goes out again, in order, before anything new. The log takes each request once.
    mutating func resendWaiting() {
        for proposal in waiting where proposal.request != pendingForce?.request { sendProposal(proposal) }
    }

    /// An epoch opened without the operator's order.
    mutating func settleForce() {
        guard let force = pendingForce, log.requests.isNew(force.request) else { return }
        answer(force.request, .refused(.notNeeded))
    }

    mutating func proposed(_ proposal: Proposal, by node: NodeID) {
        guard proposal.request.node == node, proposal.payload.count <= LogLimits.payloadBytes,
            session?.hellos[node]?.incarnation == proposal.request.incarnation
        else { return }
        if isLeader {
            order(.delivered(proposal.request), proposal)
        }
        session?.proposals[proposal.request] = proposal
    }

    private mutating func order(_ item: Append.Item, _ delivered: Proposal? = nil) {
        guard let proposal = delivered ?? item.proposal else { return }
        guard orderedRequests.isNew(proposal.request) else { return }
        guard log.newestVotes.nodes[proposal.request.node] != nil else {
            send(.refused(proposal.request, .notAMember))
            return
        }
        if let votes = proposal.votes, let refusal = acceptance(of: votes) {
            send(.refused(proposal.request, refusal))
            return
        }
        orderedRequests.record(proposal.request)
        toOrder.append(item)
        orderNext()
    }

    /// Whether the votes may change so: one step at a time, and only to a table under which those who are here can go on.
    private func acceptance(of votes: VoteTable) -> Refusal? {
        guard let session, follows else { return .votesInProgress }
        let current = log.votes(committed: committed)
        let isOrdered = toOrder.contains { ($0.proposal ?? $0.request.flatMap { session.proposals[$0] })?.votes != nil }
        guard current.next == nil, !isOrdered, !appendInFlight || orderedVotesVersion == nil else { return .votesInProgress }
        guard votes.version == current.inForce.version &+ 1 else { return .votesOutOfDate }
        if current.inForce.witness > 0, votes.witness > 0, votes.witnessID != current.inForce.witnessID { return .twoWitnesses }
        // A witness in the hands of a node that is no member any more cannot be written. One that was not written yet has no memory: were
        // the cluster to lose power before it is, its promise would not count, and nobody could go on.
        let witness = session.witness.flatMap {
            votes.nodes[$0.holder] != nil && session.witnessAcknowledged[$0.report.witnessID] != nil ? $0.report.witnessID : nil
        }
        let following = session.acknowledged.keys.filter { votes.nodes[$0] != nil }
        guard votes.nodes.values.allSatisfy({ 0...1000 ~= $0 }), 0...1000 ~= votes.witness, votes.total > 0, !following.isEmpty,
            LogSession.lacking([votes], nodes: following, witnessID: witness) == nil
        else { return .votesWithoutMajority }
        return nil
    }

    /// Sends the next entries. What comes in while the ones before are on their way to a majority goes together into the next message, and
    /// with it into one sync of each disk: with many writers that is worth more than a second message under way.
    mutating func orderNext() {
        guard isLeader, follows, let session, session.isOpen, !appendInFlight, !toOrder.isEmpty, let begin = session.begin,
            committed >= baseIndex(begin), committed == log.lastIndex || toOrder.count >= LogLimits.proposalsHeldBack
        else { return }
        var items: [Append.Item] = []
        var bytes = 0
        orderedVotesVersion = nil
        for item in toOrder {
            let size = (item.proposal?.payload.count ?? 0) + 64
            if !items.isEmpty, bytes + size > LogLimits.appendBytes { break }
            bytes += size
            items.append(item)
            let votes = (item.proposal ?? item.request.flatMap { session.proposals[$0] })?.votes
            if let votes { orderedVotesVersion = votes.version }
        }
        toOrder.removeFirst(items.count)
        appendInFlight = true
        send(.append(Append(epoch: begin.epoch, firstIndex: log.lastIndex + 1, previousChain: log.lastChain, items: items)))
    }

    mutating func appended(_ append: Append, by node: NodeID) {
        guard let current = session, let begin = current.begin, current.isPromised, node == begin.leader, append.epoch == begin.epoch else {
            return
        }
        if node == me { appendInFlight = false }
        guard !mustFetch || fetching != nil else { return }
        var entries: [LogEntry] = []
        entries.reserveCapacity(append.items.count)
        var (index, chain) = (append.firstIndex, append.previousChain)
        for item in append.items {
            guard let proposal = item.proposal ?? item.request.flatMap({ session?.proposals.removeValue(forKey: $0) }) else {
                loseTrack()
                return
            }
            entries.append(
                .chained(
                    after: chain, index: index, epoch: begin.epoch, request: proposal.request, payload: proposal.payload,
                    votes: proposal.votes))
            (index, chain) = (index &+ 1, entries[entries.count - 1].chain)
        }
        if hasAdopted {
            add(entries, after: append.previousChain)
        } else if fetching != nil {
            holdBack(entries)
        }
        if node == me { orderNext() }
    }

    mutating func add(_ entries: [LogEntry], after chain: UInt64) {
        guard let first = entries.first else { return }
        guard first.index == log.lastIndex + 1, chain == log.lastChain else {
            loseTrack()
            return
        }
        for entry in entries { log.append(entry) }
        advance()
    }

    /// Something of the session did not reach this node. That can only be at its end; until then the log is fetched anew.
    private mutating func loseTrack() {
        guard !isLeader else { return }
        hasAdopted = false
        mustFetch = true
        fetchLog()
    }

    /// Tells what is durable here, and counts it at once: only the others have to hear of it first.
    mutating func acknowledge(epoch: UInt64, index: UInt64, witness: Bool) {
        send(.acknowledged(epoch: epoch, index: index, witness: witness))
        guard let session, !session.leftOut.contains(me) else { return }
        acknowledged(epoch, index, by: me, witness: witness)
    }

    mutating func acknowledged(_ epoch: UInt64, _ index: UInt64, by node: NodeID, witness: Bool) {
        guard let current = session, let begin = current.begin, current.isPromised, epoch == begin.epoch, index >= baseIndex(begin) else {
            return
        }
        if witness {
            guard let id = current.witnesses[node]?.witnessID else { return }
            session?.witnessAcknowledged[id] = max(current.witnessAcknowledged[id] ?? 0, index)
        } else {
            session?.acknowledged[node] = max(current.acknowledged[node] ?? 0, index)
        }
        advance()
    }

    mutating func refused(_ request: RequestID, _ reason: Refusal) {
        guard request.node == me, request.incarnation == settings.incarnation else { return }
        answer(request, .refused(reason))
    }

    /// Gives the owner what is committed now, and the askers their answers.
    mutating func commit(through index: UInt64) {
        let entries = log.entries(after: committed, through: index)
        guard let last = entries.last else { return }
        committed = last.index
        committedChain = last.chain
        effects.append(.committed(Array(entries)))
        for entry in entries where entry.request.node == me && entry.request.incarnation == settings.incarnation {
            // An earlier one that is not in the log by now can never be: its number is too low.
            for earlier in waiting.prefix(while: { $0.request.number < entry.request.number }) {
                answer(earlier.request, .refused(.passedOver))
            }
            answer(entry.request, .committed(index: entry.index))
        }
        witness?.isStale = true
        askForSnapshot()
    }

    /// Entries between the old state and the new one were not seen.
    mutating func answerAfterRestore() {
        let inLog = log.snapshotRequests
        for proposal in waiting where !inLog.isNew(proposal.request) { answer(proposal.request, .unknown) }
    }

    private mutating func askForSnapshot() {
        let isDue =
            committed - log.snapshotIndex >= UInt64(settings.entriesPerSnapshot)
            || (log.bytes >= settings.bytesPerSnapshot && committed > log.snapshotIndex)
        let step = UInt64(max(settings.entriesPerSnapshot / 4, 1))
        guard isDue, committed >= snapshotAskedAt + step || snapshotAskedAt <= log.snapshotIndex else { return }
        snapshotAskedAt = committed
        effects.append(.takeSnapshot(after: committed))
    }

    mutating func snapshotReady(_ state: [UInt8], _ index: UInt64) {
        // Only what is stored can be left out; else it is asked for again.
        guard index > log.snapshotIndex, index <= committed, index <= disk.storedIndex, !disk.adopt, disk.failure == nil,
            disk.inFlight == nil || disk.carriesOnlyEntries, let snapshot = log.compact(to: index, state: state)
        else { return }
        disk.snapshot = (snapshot, index)
    }
}

extension Append.Item {
    var proposal: Proposal? {
        if case .proposal(let proposal) = self { proposal } else { nil }
    }
    var request: RequestID? {
        if case .delivered(let request) = self { request } else { nil }
    }
}
