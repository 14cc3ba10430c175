import ClusterModel

/// The witness while this node holds it.
struct HeldWitness: Sendable {
    let id: UInt64
    /// What is on it, as read or written last; nil when it has nothing valid.
    var image: ReplicaImage?
    var isKnown = false
    var token: UInt64?
    var writing: ReplicaImage?
    var retryAt: Duration?
    var failure: String?
    /// The session that was told of it.
    var toldIn: SessionTag?
    /// The epoch to promise on it.
    var promise: UInt64?
    /// It has less than this node knows.
    var isStale = true
    /// Both slots have the same: a slot that is damaged later costs nothing.
    var isMirrored = false
    var writtenAt = Duration.zero
    /// The epoch and the last entry on it.
    var stored: (epoch: UInt64, index: UInt64)?

    var isBusy: Bool { token != nil }
    /// What a session is told; nil while that is not certain.
    var report: WitnessReport? {
        guard isKnown, !isBusy else { return nil }
        let replica = image.map { ReplicaReport(position: $0.position, counts: true, tables: $0.tables) }
        return WitnessReport(
            witnessID: id, replica: replica ?? ReplicaReport(position: ReplicaPosition(), counts: false, tables: []),
            requests: image.map { ReplicatedLog($0).requests.last } ?? [])
    }
    mutating func endSession() {
        toldIn = nil
        promise = nil
        stored = nil
        isStale = true
    }
}

extension ConfigurationLog {
    mutating func witnessHeld(_ id: UInt64) {
        if witness?.toldIn != nil { send(.witness(nil)) }
        witness = HeldWitness(id: id)
        readWitness()
    }
    mutating func witnessLost() {
        if witness?.toldIn != nil { send(.witness(nil)) }
        witness = nil
    }
    private mutating func readWitness() {
        let token = token()
        witness?.isKnown = false
        witness?.token = token
        witness?.retryAt = nil
        effects.append(.readWitness(token: token))
    }
    mutating func witnessRead(_ token: UInt64, _ image: ReplicaImage?) {
        guard witness?.token == token, witness?.writing == nil else { return }
        witness?.token = nil
        witness?.image = image
        witness?.isKnown = true
        witness?.failure = nil
        reportWitness()
    }
    mutating func witnessFailed(_ token: UInt64, _ reason: String) {
        guard let held = witness, held.token == token else { return }
        if held.toldIn != nil { send(.witness(nil)) }
        witness?.token = nil
        witness?.writing = nil
        // What is on it now is not known: read it before anything else.
        witness?.isKnown = false
        witness?.toldIn = nil
        witness?.promise = nil
        witness?.stored = nil
        witness?.failure = reason
        witness?.retryAt = now + settings.retryWait
    }
    mutating func retryWitness() {
        if let retryAt = witness?.retryAt, now >= retryAt { readWitness() }
    }

    /// Tells the session what the witness has, once.
    mutating func reportWitness() {
        guard let session, isComplete(session), !session.leftOut.contains(me), let report = witness?.report, witness?.toldIn != session.tag
        else { return }
        witness?.toldIn = session.tag
        send(.witness(report))
    }

    mutating func witnessReported(_ report: WitnessReport?, by node: NodeID) {
        guard let current = session else { return }
        guard let report else {
            session?.witnesses[node] = nil
            // Whoever holds it now told of it before, and was not asked.
            if let begin = current.begin, begin.witnessHolder == node, !current.isPromised, current.witnesses.count > 1, begin.leader == me
            {
                startRound(leavingOut: current.leftOut)
            }
            return
        }
        session?.witnesses[node] = report
        guard let begin = current.begin else {
            considerBegin()
            return
        }
        // A witness that comes late may help a majority that is not there yet, or may have promised more than this epoch: a new round
        // takes it in. One that comes late to an epoch that was promised without it just gets the log.
        let mayHelp = !current.isPromised && report.replica.counts && begin.tables.contains { $0.witnessID == report.witnessID }
        let isAhead = report.replica.position.promised > begin.epoch
        let isUsable = begin.tables.contains { $0.nodes[node] != nil }
        if mayHelp || isAhead, isUsable, begin.leader == me { startRound(leavingOut: current.leftOut) }
    }

    /// The holder whose report was considered does not get its promise onto the witness, and another node takes itself for the holder.
    mutating func lookForTheHolder() {
        guard isLeader, let session, session.begin != nil, !session.isPromised, session.witnesses.count > 1,
            now - gatheringSince >= settings.leaderDeadline
        else { return }
        startRound(leavingOut: session.leftOut)
    }

    /// The witness's promise, if the session considered what it has.
    mutating func promiseOnWitness() {
        guard let begin = session?.begin, let held = witness, held.isKnown, !held.isBusy, held.toldIn == session?.tag,
            begin.witnessHolder == me, begin.witnessID == held.id, let image = held.image, image.position.promised < begin.epoch
        else { return }
        witness?.promise = begin.epoch
    }

    /// At most one write is on its way; what comes meanwhile goes into the next.
    mutating func writeWitnessIfNeeded() {
        guard let held = witness, held.isKnown, !held.isBusy, let session, held.toldIn == session.tag, session.witnesses[me] != nil,
            let begin = session.begin, awaitedHello == nil
        else { return }
        if let epoch = held.promise, var image = held.image {
            image.position.promised = epoch
            write(image)
            return
        }
        guard follows, (held.image?.position.promised ?? 0) <= begin.epoch else { return }
        let isBehind = held.stored.map { $0.index < log.lastIndex } ?? true
        let isNeeded = isBehind && (!session.isOpen || isWitnessNeeded(session))
        let isDue = (isBehind || held.isStale || !held.isMirrored) && now - held.writtenAt >= settings.witnessInterval
        if isNeeded || held.stored == nil || isDue { write(log.image(committed: committed)) }
    }
    /// Whether the nodes that follow the epoch are no majority without it.
    private func isWitnessNeeded(_ session: LogSession) -> Bool {
        LogSession.lacking(log.tables(committed: committed), nodes: session.acknowledged.keys, witnessID: nil) != nil
    }
    private mutating func write(_ image: ReplicaImage) {
        let token = token()
        let isRepeated = witness?.isStale == false && witness?.image == image
        witness?.isMirrored = isRepeated
        witness?.isStale = false
        witness?.promise = nil
        witness?.token = token
        witness?.writing = image
        witness?.writtenAt = now
        effects.append(.writeWitness(image, token: token))
    }

    mutating func witnessWritten(_ token: UInt64) {
        guard let held = witness, held.token == token, let image = held.writing else { return }
        witness?.token = nil
        witness?.writing = nil
        witness?.image = image
        guard let session, held.toldIn == session.tag, let begin = session.begin, image.position.promised == begin.epoch else {
            // Written for a session that is over.
            reportWitness()
            return
        }
        if image.position.adopted == begin.epoch {
            witness?.stored = (begin.epoch, image.position.lastIndex)
            if image.position.lastIndex < log.lastIndex { witness?.isStale = true }
            acknowledge(epoch: begin.epoch, index: image.position.lastIndex, witness: true)
        } else {
            send(.promised(epoch: begin.epoch, witness: true))
        }
    }
}
