import ClusterModel
import ClusterRules
import Corosync
import Logging

/// The witness: opened as the configuration says, replaced when that changes.
extension ClusterMember {
    func followWitness() async {
        while !Task.isCancelled {
            let wanted = configuration.witness
            if wanted.witness != .none, mayUseWitness {
                do {
                    if let port = try await delegate.openWitness(wanted.witness, cluster: settings.cluster) { await use(port, for: wanted) }
                } catch { report(problem: "\(error)") }
            } else {
                report(problem: nil)
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func report(problem: String?) {
        guard standing.witnessProblem != problem else { return }
        if let problem { logger.warning("the witness cannot be opened; trying again", metadata: ["reason": "\(problem)"]) }
        standing.witnessProblem = problem
        publish()
    }

    /// In maintenance nobody touches it, from when its vote has been taken.
    private var mayUseWitness: Bool { configuration.witness.condition != .maintenance || committedVotes.witness > 0 }

    /// The witness alone decides where no node has a vote.
    private var witnessMode: ArbitrationMode {
        if !mayUseWitness { return .maintenance }
        return committedVotes.witness > 0 && committedVotes.total == committedVotes.witness ? .diskOnly : .majority
    }

    /// The votes that arbitration goes by: the log's, but without this node where a newer log is known to have evicted it. It may not write
    /// the witness then, and has to let it go for those who may.
    private var witnessVotes: VoteTable {
        var table = committedVotes
        if let turnedAwayAt, turnedAwayAt >= table.version {
            table.version = turnedAwayAt
            table.nodes[settings.node] = nil
        }
        return table
    }

    private func use(_ port: any WitnessPort, for witness: WitnessStatus) async {
        opened(port)
        let work = witnessWork
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.receive(from: port) }
            tasks.addTask { await self.carryOut(work, at: port) }
            tasks.addTask { await self.awaitOther(than: witness) }
            await tasks.next()
            tasks.cancelAll()
            await port.close()
        }
        closed()
    }

    private func opened(_ port: any WitnessPort) {
        witnessPort = port
        witnessWork = Mailbox()
        port.newVotes(witnessVotes)
        port.newMode(witnessMode)
        if let arbitrationRing, !echo.isRingGone { port.newRing(arbitrationRing) } else { port.ringGone() }
    }

    private func closed() {
        witnessPort = nil
        standing.witnessHolder = nil
        standing.witnessProblem = nil
        feed(.witnessLost)
        publish()
    }

    private func receive(from port: any WitnessPort) async {
        for await change in port.changes {
            if Task.isCancelled { return }
            switch change {
            case .held(let id): feed(.witnessHeld(id: id))
            case .notHeld: feed(.witnessLost)
            case .holder(let node): standing.witnessHolder = node
            case .problem(let problem): standing.witnessProblem = problem
            }
            wakeVoter.put(())
            publish()
        }
    }

    private func carryOut(_ work: Mailbox<WitnessWork>, at port: any WitnessPort) async {
        for await item in work.items {
            switch item {
            case .read(let token):
                do { feed(.witnessRead(token: token, try await port.read())) } catch {
                    feed(.witnessFailed(token: token, reason: "\(error)"))
                }
            case .write(let image, let token):
                do {
                    try await port.write(image)
                    feed(.witnessWritten(token: token))
                } catch { feed(.witnessFailed(token: token, reason: "\(error)")) }
            }
        }
    }

    /// How long a holder may take to give the witness back before it goes into maintenance.
    private static let releaseLimit = Duration.seconds(5)

    /// Returns when the configuration wants another witness, or none; tells the one that is used what has changed.
    private func awaitOther(than witness: WitnessStatus) async {
        var (votes, mode) = (witnessVotes, witnessMode)
        var maintainedSince: ContinuousClock.Instant?
        var nextPeek = ContinuousClock.now
        // The number: the same disk may have been initialised anew.
        while !Task.isCancelled, configuration.witness.witness == witness.witness, configuration.witness.number == witness.number {
            if witnessVotes != votes {
                votes = witnessVotes
                witnessPort?.newVotes(votes)
            }
            // A node that lost power while the votes changed may have a table in which it may not even take the witness, where the newer
            // one knows that it may. The log counts by what it reads once it holds it.
            if !standing.log.isOpen, nextPeek <= .now {
                nextPeek = .now + .seconds(2)
                if let table = await witnessPort?.peek(), table.version > votes.version { witnessPort?.newVotes(table) }
            }
            if witnessMode != mode {
                mode = witnessMode
                witnessPort?.newMode(mode)
            }
            if mode == .maintenance {
                let since = maintainedSince ?? .now
                maintainedSince = since
                if standing.witnessHolder != settings.node || ContinuousClock.now - since > Self.releaseLimit { return }
            } else {
                maintainedSince = nil
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
