import ClusterModel

extension WitnessArbitration {
    // MARK: What comes next

    mutating func nextOperation(_ now: Duration, _ effects: inout [ArbitrationEffect]) -> ArbitrationOperation? {
        guard mode != .maintenance || claims || lastObservation?.holder == key else { return nil }
        if !hasSession { return now >= nextRound ? .openSession : nil }
        if !isRegistered { return now >= nextRound ? .register : nil }
        if lastObservedAt == now, let take = taking(now, &effects) { return take }
        guard now >= nextRound else { return nil }
        counter += 1
        let beat = ArbitrationBeat(incarnation: incarnation, counter: counter, claims: claims)
        writtenBeat = beat
        // The holder may be a node that is no longer configured.
        let nodes = Set(votes.nodes.keys).union([node]).union(holder.map { [$0] } ?? [])
        return .observe(heartbeat: beat, nodes: nodes.sorted())
    }

    /// What the round that just ended calls for.
    private mutating func taking(_ now: Duration, _ effects: inout [ArbitrationEffect]) -> ArbitrationOperation? {
        guard let seen = lastObservation else { return nil }
        guard let held = seen.holder else {
            let isRestoring = claimConfirmed.map { now < $0 + timings.lease } ?? false
            return isRestoring && mode != .maintenance || mayReserve(now) ? .reserve : nil
        }
        guard held.belongs(to: cluster), let holder = held.node else {
            guard isForced, let ring, ringVotes(ring) > 0 else {
                effects.append(.event(.foreignReservation(held)))
                return nil
            }
            return .preempt(held)
        }
        if holder == node {
            if !isAdopted || held != key { return .adopt(held) }
            return mustRelease(now) && !claims && writtenBeat?.claims == false ? .release : nil
        }
        return mayPreempt(holder, now, &effects) ? .preempt(held) : nil
    }

    /// A holder whose ring cannot be quorate with the witness's vote lets others have it; in maintenance, if the ring can do without.
    ///
    /// With exactly half of the votes it does not: the other half could take the witness while members of this ring still count its vote.
    func mustRelease(_ now: Duration) -> Bool {
        guard let ring else {
            // Its service lives, its Corosync does not: nobody can count the vote by it, and while it claims nobody else may take it.
            return ringGoneSince.map { now - $0 >= ringAge } ?? false
        }
        if mode == .maintenance { return isEnoughAlone(ring) || votes.isMajority(ring.members, withWitness: false) }
        if !isMember { return now - ringSince >= ringAge && !isForced }
        return mode == .majority && !mayTake(ring) && now - ringSince >= ringAge && !isForced
    }

    // MARK: May this node take the witness?

    /// Whether this node is the one of its ring to act, and the ring old enough that every node outside has noticed it.
    private func isChallenger(_ now: Duration) -> Bool {
        guard let ring, mode != .maintenance, ring.members.contains(node) else { return false }
        if isForced { return true }
        guard isMember, mayTake(ring), hasEverybody(ring) || now - ringSince >= ringAge else { return false }
        let lowest = ring.members.filter { other in
            other == node || tracks[other].map { $0.beat != nil && $0.writtenAfter != nil && now - $0.seenAt < timings.lease } ?? false
        }.min()
        guard lowest == node else { return false }
        // The nodes before this one need some rounds to show that they live.
        let known = max(watchingSince ?? now, ringSince)
        return node == ring.members.min() || now - known >= timings.interval * 3
    }

    private func mayReserve(_ now: Duration) -> Bool { isChallenger(now) && (isForced || isQuiet(now)) }

    private mutating func mayPreempt(_ holder: NodeID, _ now: Duration, _ effects: inout [ArbitrationEffect]) -> Bool {
        guard isChallenger(now), let ring else {
            challenged = nil
            return false
        }
        let isSilent = tracks[holder].map { now - $0.seenAt >= timings.silence } ?? false
        let isOutvoted = isEnoughAlone(ring) && !ring.members.contains(holder)
        if isSilent || isOutvoted || isForced { return true }
        let isMoving = tracks[holder].map { now - $0.seenAt < timings.interval * 3 } ?? false
        if ring.members.contains(holder) || isMoving {
            if challenged == holder { effects.append(.event(.holderAnswered(holder))) }
            challenged = nil
        } else if challenged != holder {
            challenged = holder
            effects.append(.event(.challenging(holder)))
        }
        return false
    }

    /// No node outside of the ring has claimed the witness for so long that a vote cast on its strength could still count.
    ///
    /// A node that has only just begun to watch does not know; unless everybody is in its ring.
    func isQuiet(_ now: Duration) -> Bool {
        guard let ring else { return false }
        if !hasEverybody(ring) {
            guard let watchingSince, now - watchingSince >= timings.silence else { return false }
        }
        return tracks.allSatisfy { other, track in
            other == node || ring.members.contains(other) || track.claimSeenAt.map { now - $0 >= timings.silence } ?? true
        }
    }

    // MARK: What came of it

    mutating func finish(
        _ done: ArbitrationOperation, _ result: ArbitrationResult, _ now: Duration, _ effects: inout [ArbitrationEffect]
    ) {
        nextRound = now
        switch (done, result) {
        case (_, .sessionLost):
            dropSession()
            retry(now, &effects)
        case (.openSession, .done):
            dropSession()
            hasSession = true
        case (.register, .done): isRegistered = true
        case (.observe, .observed(let seen)): observed(seen, now, &effects)
        case (.observe, .excluded):
            // Somebody took the witness. A new session, so that nothing this one has under way can land once it is registered again.
            giveUp()
            dropSession()
            nextRound = now + timings.interval / 2
        case (.reserve, .done): effects.append(.event(claims ? .restored : .took(from: nil)))
        case (.preempt(let victim), .done):
            challenged = nil
            effects.append(.event(.took(from: victim.node)))
        case (.adopt, .done):
            isAdopted = true
            effects.append(.event(.adopted))
        case (.release, .done): effects.append(.event(.released))
        case (.reserve, .conflict), (.preempt, .conflict), (.adopt, .conflict), (.release, .conflict), (.register, .conflict),
            (_, .excluded):
            // Not registered any more, or too late. Registering again does no harm, and the next round shows who has it.
            isRegistered = false
            nextRound = now + timings.interval / 4
        default: retry(now, &effects)
        }
    }

    private mutating func retry(_ now: Duration, _ effects: inout [ArbitrationEffect]) {
        nextRound = now + timings.interval / 2
        if isReachable, lastObservedAt.map({ now - $0 >= timings.lease }) ?? true {
            isReachable = false
            effects.append(.event(.unreachable))
        }
    }

    private mutating func dropSession() {
        hasSession = false
        isRegistered = false
        isAdopted = false
    }

    private mutating func giveUp() {
        claims = false
        claimConfirmed = nil
        roundsHeld = 0
    }

    private mutating func observed(_ seen: WitnessObservation, _ now: Duration, _ effects: inout [ArbitrationEffect]) {
        if !isReachable { effects.append(.event(.reachable)) }
        isReachable = true
        // A gap in watching: what happened in it is not known.
        if watchingSince == nil || lastObservedAt.map({ now - $0 >= timings.lease }) ?? true { watchingSince = now }
        // A round that began before the ring formed says nothing about it.
        nextRound = seen.reservationReadAt < ringSince ? now : now + timings.interval
        // To take the witness from a silent holder as soon as it may be taken.
        if let held = seen.holder?.node, let track = tracks[held], ring != nil {
            for due in [track.seenAt + timings.silence, ringSince + ringAge] where due > now { nextRound = min(nextRound, due) }
        }
        for other in Set(votes.nodes.keys).union(seen.beats.keys) where other != node {
            let beat = seen.beats[other]
            tracks[other, default: HeartbeatTrack(beat, readAt: seen.readAt, completedAt: now)].update(
                beat, readAt: seen.readAt, completedAt: now)
        }
        let before = lastObservation?.holder
        lastObservation = seen
        lastObservedAt = now
        guard seen.holder == key, isAdopted else {
            if let held = seen.holder, held.node != node || !held.belongs(to: cluster) {
                if claims || before == key { effects.append(.event(.lost(to: held.node))) }
                giveUp()
                // Nothing of this node is there to be adopted.
                isAdopted = true
            } else if seen.holder == nil {
                isAdopted = true
                roundsHeld = 0
                if claimConfirmed.map({ now >= $0 + timings.lease }) ?? true { giveUp() }
            } else {
                roundsHeld = 0
            }
            return
        }
        roundsHeld += 1
        if claims, let sent = seen.writtenAt, writtenBeat?.claims == true { claimConfirmed = sent }
        updateClaim(now)
    }

    private mutating func updateClaim(_ now: Duration) {
        if mode == .maintenance || mustRelease(now) {
            if claims { nextRound = now }
            claims = false
            claimConfirmed = nil
        } else if !claims {
            // The first round may have read the heartbeats before a late PREEMPT was done; the second one has not.
            if roundsHeld < 2 || isQuiet(now) { nextRound = now }
            if roundsHeld >= 2, isQuiet(now) { claims = true }
            if roundsHeld >= 2, !claims { nextRound = now + timings.interval }
        }
    }
}
