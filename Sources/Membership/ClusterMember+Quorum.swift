import ClusterModel
import ClusterRules
import Corosync
import Logging

/// Votequorum: rings, their quorum, and the vote of the witness that this node casts.
extension ClusterMember {
    /// A third of the device's timeout (``ArbitrationTimings/pollTimeout``).
    private static let pollInterval = Duration.milliseconds(500)

    /// Connects whenever Corosync is there.
    func followQuorum() async {
        while !Task.isCancelled {
            do throws(CorosyncError) {
                let votequorum = try await Votequorum.connect(within: .seconds(10))
                self.votequorum = votequorum
                await follow(votequorum)
                self.votequorum = nil
                votequorum.close()
            } catch {
                logger.debug("votequorum cannot be reached", metadata: ["reason": "\(error)"])
            }
            ringLost()
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func follow(_ votequorum: Votequorum) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.receive(from: votequorum) }
            tasks.addTask { await self.castVotes(with: votequorum) }
            await tasks.next()
            tasks.cancelAll()
            // Wakes the reader, which waits for an event.
            votequorum.close()
        }
    }

    private func receive(from votequorum: Votequorum) async {
        for await event in votequorum.events {
            switch event {
            case .ring(let ring, let nodes): newRing(ring, nodes)
            case .quorum(let isQuorate, let nodes): decided(isQuorate, nodes)
            case .expectedVotes: break
            case .lost: return
            }
            if Task.isCancelled { return }
        }
    }

    private func newRing(_ ring: RingID, _ nodes: [CorosyncNodeID]) {
        standing.ring = nodes.compactMap(NodeID.init).sorted()
        standing.isRingDecided = false
        currentRing = ring
        if let arbitrationRing { witnessPort?.newRing(arbitrationRing) }
        wakeVoter.put(())
        publish()
    }

    /// The current ring as the witness's arbitration knows it.
    var arbitrationRing: ArbitrationRing? {
        currentRing.map {
            ArbitrationRing(representative: $0.representative.rawValue, sequence: $0.sequence, members: Set(standing.ring))
        }
    }

    private func decided(_ isQuorate: Bool, _ nodes: [VotequorumNode]) {
        if isQuorate != standing.isQuorate {
            logger.notice(isQuorate ? "this partition is quorate" : "this partition has no quorum")
        }
        standing.isQuorate = isQuorate
        standing.isRingDecided = true
        echo.decidedAt = .now
        publish()
    }

    private func ringLost() {
        currentRing = nil
        standing.ring = []
        standing.isRingDecided = false
        standing.isQuorate = false
        witnessPort?.ringGone()
        publish()
    }

    /// Registers the device while there is a witness, and casts its vote for every ring as the witness's arbitration says.
    private func castVotes(with votequorum: Votequorum) async {
        var isRegistered = false
        wakeVoter = Mailbox(keepsLast: true)
        let pace = wakeVoter
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.pollInterval)
                    pace.put(())
                }
            }
            for await _ in pace.items {
                if Task.isCancelled { break }
                do throws(CorosyncError) {
                    if !isRegistered {
                        guard configuration.witness.witness != .none else { continue }
                        try await votequorum.registerDevice(CorosyncConfiguration.deviceModel)
                        isRegistered = true
                    }
                    guard let ring = currentRing, let vote = voteToCast(for: ring) else { continue }
                    try await votequorum.poll(device: CorosyncConfiguration.deviceModel, castsVote: vote, for: ring)
                } catch .staleRing {
                    // The next ring is on its way.
                    continue
                } catch {
                    logger.warning("the witness's vote could not be cast", metadata: ["reason": "\(error)"])
                    break
                }
            }
            tasks.cancelAll()
        }
    }

    /// - Returns: Nil while arbitration has not decided about this ring: the poll is held back, so that votequorum waits.
    private func voteToCast(for ring: RingID) -> Bool? {
        // Without a vote in the log nothing that the arbitration finds out changes what is polled, so nobody has to wait for it.
        guard VotequorumTarget(of: configuration).isDeviceCounted else { return false }
        guard let witnessPort else { return configuration.witness.witness == .none ? nil : false }
        guard let decision = witnessPort.vote, decision.representative == ring.representative.rawValue, decision.sequence == ring.sequence
        else {
            return nil
        }
        return decision.isYes && ContinuousClock.now < decision.validUntil
    }
}

extension NodeID {
    /// - Returns: Nil for 0, which is the quorum device, and for numbers that no node of ours can have.
    init?(_ id: CorosyncNodeID) {
        guard let number = UInt16(exactly: id.rawValue) else { return nil }
        self.init(rawValue: number)
    }
}
