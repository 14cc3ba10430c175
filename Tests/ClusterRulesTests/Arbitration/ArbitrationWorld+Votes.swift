import ClusterModel

@testable import ClusterRules

extension ArbitrationWorld {
    /// The votes a node's Corosync counts, as votequorum does: the members of its ring, and the device if this node cast for this ring
    /// within the poll timeout. A ring for which nothing was polled yet is not decided: it counts as not quorate.
    func isQuorate(_ id: NodeID) -> (isQuorate: Bool, needsWitness: Bool) {
        guard let node = nodes[id], !node.isDown, let ring = node.ring else { return (false, false) }
        let alone = votes.votes(of: ring.members, withWitness: false)
        var device = false
        if let polled = node.polled, polled.ring == ring, polled.isYes, now - polled.at < timings.pollTimeout { device = true }
        guard let polled = node.polled, polled.ring == ring else {
            // In the old ring's time the service was started anew, or the new ring is undecided.
            return (alone >= votes.majority && now - node.ringAt > .seconds(5), false)
        }
        if mode == .diskOnly { return (device, true) }
        return (alone + (device ? votes.witness : 0) >= votes.majority, alone < votes.majority && device)
    }

    /// A member of the node's ring has gone on to another one, and the node has not noticed.
    func isStale(_ id: NodeID) -> Bool {
        guard let ring = nodes[id]?.ring else { return true }
        return ring.members.contains { nodes[$0]?.ring != ring }
    }

    /// What must never be, in words; nil when all is well.
    func violation() -> String? {
        let quorate = ids.compactMap { id -> (NodeID, Bool)? in
            let state = isQuorate(id)
            return state.isQuorate ? (id, state.needsWitness) : nil
        }
        for (one, oneNeeds) in quorate {
            for (two, twoNeeds) in quorate where one < two {
                guard let first = nodes[one]?.ring, let second = nodes[two]?.ring, first != second else { continue }
                // Two rings that both know of each other's absence, both with the witness's vote.
                if oneNeeds, twoNeeds, !isStale(one), !isStale(two) {
                    return "nodes \(one) and \(two) both count the witness in different rings"
                }
                // Who takes the witness has waited until nobody can still believe in the ring before.
                for (taker, needs, other) in [(one, oneNeeds, two), (two, twoNeeds, one)] {
                    let (ring, otherRing) = taker == one ? (first, second) : (second, first)
                    // A later ring is a merger that the taker is about to see.
                    let wasTaken = nodes.values.contains { $0.tookIn == ring }
                    if needs, wasTaken, otherRing.sequence < ring.sequence, !ring.members.contains(other) {
                        return "node \(taker) counts the witness taken in its ring while node \(other) is quorate in another one"
                    }
                }
            }
        }
        return nil
    }

    /// Runs on and returns the first violation.
    mutating func run(for duration: Duration) -> String? {
        let end = now + duration
        // Between two events votes only time out, which makes nobody quorate.
        while step(until: end) { if let found = violation() { return "\(found) at \(now)" } }
        return nil
    }
}
