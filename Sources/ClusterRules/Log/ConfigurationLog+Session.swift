import ClusterModel

// Sessions: who is there, and where each stands.
extension ConfigurationLog {
    mutating func membershipChanged(_ list: [GroupMember]) {
        members = list
        endSession()
        awaitedHello = nil
        gatheringSince = now
        rejoinAt = nil
        guard members.contains(settings.member) else { return }
        startRound(leavingOut: [])
    }

    /// Asks all members for a new session. It begins for everybody, this node included, when the first hello of the round is delivered.
    mutating func startRound(leavingOut: [NodeID]) {
        guard awaitedHello == nil else { return }
        // No process uses a round twice: a round and its members name one set of hellos, also when one of them comes late.
        awaitedHello = (max(round, saidHello?.round ?? 0) + 1, leavingOut)
    }

    private mutating func endSession() {
        session = nil
        fetching = nil
        mustFetch = false
        outgoing = [:]
        heldBack = []
        heldBackBytes = 0
        toOrder = []
        appendInFlight = false
        didBegin = false
        hasAdopted = false
        turnedAway = nil
        disk.acknowledgement = nil
        witness?.endSession()
    }

    /// A hello tells what is durable, so it waits for the disk: nothing that this replica stores afterwards belongs to the session before.
    mutating func sendHelloIfReady() {
        guard let awaited = awaitedHello, disk.inFlight == nil, disk.failure != nil || !hasDiskWork else { return }
        awaitedHello = nil
        guard awaited.round > saidHello?.round ?? 0 else { return }
        let tag = LogSession.tag(round: awaited.round, members: members, leftOut: awaited.leftOut)
        // What is delivered from here on belongs to the session before, of which this hello tells the end.
        if session?.tag != tag {
            endSession()
            // From here the others have time for theirs.
            gatheringSince = now
        }
        saidHello = tag
        let report = ReplicaReport(
            position: log.position, counts: remembers && disk.failure == nil, tables: log.tables(committed: committed))
        let hello = Hello(
            members: members, leftOut: awaited.leftOut, incarnation: settings.incarnation, replica: report, witness: witness?.report)
        lastSentAt = now
        effects.append(.send(LogMessage(tag: tag, body: .hello(hello))))
    }

    mutating func heard(_ hello: Hello, round: UInt64, from: GroupMember) {
        // Said before the last change of the group; or it leaves out so many that it makes no sense.
        guard hello.members == members, members.contains(settings.member), round < UInt64.max >> 1, !hello.leftOut.contains(from.node),
            Set(hello.leftOut).count == hello.leftOut.count, hello.leftOut.allSatisfy({ node in members.contains { $0.node == node } })
        else { return }
        let tag = LogSession.tag(round: round, members: members, leftOut: hello.leftOut)
        if round > self.round { begin(tag, leavingOut: hello.leftOut) }
        guard session?.tag == tag else { return }
        session?.hellos[from.node] = hello
        if let report = hello.witness {
            session?.witnesses[from.node] = report
            if from == settings.member, witness?.report == report { witness?.toldIn = tag }
        }
        if let session, isComplete(session) {
            leaderHeardAt = now
            reportWitness()
            considerBegin()
            sendForce()
        }
    }

    private mutating func begin(_ tag: SessionTag, leavingOut: [NodeID]) {
        endSession()
        round = tag.round
        session = LogSession(tag: tag, leftOut: leavingOut)
        gatheringSince = now
        if leavingOut.contains(me) {
            awaitedHello = nil
            if rejoinAt == nil {
                rejoinAt = now + rejoinWait + patience
                rejoinWait = min(rejoinWait * 2, settings.longestRejoinWait)
            }
        } else {
            rejoinAt = nil
            let said = saidHello?.round ?? 0
            if let awaitedHello, awaitedHello.round > tag.round { return }
            awaitedHello = nil
            if said < tag.round {
                awaitedHello = (tag.round, leavingOut)
            } else if said == tag.round, saidHello != tag {
                // Two asked for different rounds of this number at once, and the other one came first.
                startRound(leavingOut: leavingOut)
            }
        }
    }

    func isComplete(_ session: LogSession) -> Bool { session.hellos.count + session.leftOut.count == members.count }

    /// Members that have not said hello.
    var silent: [NodeID] {
        guard let session else { return members.map(\.node) }
        return members.map(\.node).filter { session.hellos[$0] == nil && !session.leftOut.contains($0) }
    }

    /// Members ask one after the other, so that usually one does: of two different rounds that are asked for at once one leaves out who
    /// asked for the other.
    private var patience: Duration { settings.pulseInterval * (members.firstIndex(of: settings.member) ?? 0) }

    /// A member that hangs must not hold up the others: after a deadline somebody asks for a round without it. That is a message like any
    /// other, so all members agree on who takes part.
    mutating func leaveOutTheSilent() {
        guard members.contains(settings.member), awaitedHello == nil, session?.leftOut.contains(me) != true else { return }
        let leftOut = session?.leftOut ?? []
        if session.map({ !isComplete($0) }) ?? true {
            let silent = silent.filter { $0 != me }
            if !silent.isEmpty, now - gatheringSince >= settings.helloDeadline + patience {
                gatheringSince = now
                startRound(leavingOut: (leftOut + silent).sorted())
            }
        } else if let leader, leader != me, now - leaderHeardAt >= settings.leaderDeadline + patience {
            leaderHeardAt = now
            startRound(leavingOut: (leftOut + [leader]).sorted())
        }
    }

    mutating func askToBeLetIn() {
        if session?.begin != nil, hasAdopted, now - gatheringSince > settings.longestRejoinWait { rejoinWait = settings.rejoinWait }
        guard let rejoinAt, now >= rejoinAt, let session, disk.inFlight == nil else { return }
        self.rejoinAt = now + rejoinWait + patience
        startRound(leavingOut: session.leftOut.filter { $0 != me })
    }
}
