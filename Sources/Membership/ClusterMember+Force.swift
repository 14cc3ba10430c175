import ClusterModel
import ClusterRules
import Logging

/// Quorum by an operator's order.
extension ClusterMember {
    /// How long the witness may take to change hands: it has to be silent for some seconds before its vote counts here
    /// (``ArbitrationTimings/silence``), and is read before the log goes on.
    private static let takeoverLimit = Duration.seconds(10)
    /// For how long a witness must not answer to be taken for out of reach.
    private static let unreachableAfter = Duration.seconds(3)

    /// Makes the partition of this node go on, although it has no majority.
    ///
    /// The witness comes first, taken from a holder that lives too: with its vote the partition may have a majority, and then nothing that
    /// was acknowledged is lost. Only otherwise the log goes on with those who are present. See Docs/decisions/0004-commit-rule.md for
    /// what may be lost then.
    ///
    /// - Throws: ``MembershipError/refused(_:)`` with ``Refusal/notNeeded`` where nothing is to be forced.
    public func forceQuorum(reason: String, requestedBy: String) async throws(MembershipError) {
        guard !standing.log.isOpen else { throw .refused(.notNeeded) }
        let facts: Logger.Metadata = ["by": "\(requestedBy)", "reason": "\(reason)"]
        logger.warning("an operator forces quorum on this partition", metadata: facts)
        if await !takeWitness() {
            let nodes = standing.members.sorted()
            let command = ClusterCommand.recordForcedQuorum(
                table: VoteRules.forcedTable(for: configuration, nodes: nodes), nodes: nodes, reason: reason)
            do throws(MembershipError) {
                _ = try await force(command, requestedBy: requestedBy)
                logger.warning("quorum was forced without a majority", metadata: facts)
                return
            } catch .refused(.notNeeded) {
                // The witness, or somebody who came back, was quicker.
            }
        }
        logger.warning("quorum was forced by taking over the witness", metadata: facts)
        let sentence =
            "Quorum was forced on \(settings.name), which was to take over the witness from whoever held it. It has the majority with it: "
            + "nothing that was acknowledged is lost."
        _ = try await propose(
            .noteEvent(note: EventNote(node: settings.node, severity: .warning, cause: reason, sentence: sentence)),
            requestedBy: requestedBy)
    }

    /// - Returns: Whether the log opened, because the witness gave this partition a majority.
    private func takeWitness() async -> Bool {
        guard let witnessPort else { return false }
        witnessPort.force()
        let end = ContinuousClock.now + Self.takeoverLimit
        var troubledSince: ContinuousClock.Instant?
        while ContinuousClock.now < end, !Task.isCancelled, self.witnessPort != nil {
            if standing.log.isOpen { return true }
            // Its vote is counted, and it is not enough; or it has none. It is taken all the same, in the background.
            if case .waitingForMajority(_, _, _, _, witnessMissing: false) = standing.log.phase { return false }
            if standing.witnessProblem == nil {
                troubledSince = nil
            } else if let since = troubledSince {
                if ContinuousClock.now - since > Self.unreachableAfter { return false }
            } else {
                troubledSince = .now
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(50))
        }
        return standing.log.isOpen
    }

    /// What this replica had stored and the cluster went on without: told in the node's log now, and in the history as soon as
    /// that can be written.
    func reportDropped(_ entries: [LogEntry], _ acknowledged: Int) {
        var words: [String] = []
        for entry in entries {
            let command = (try? ClusterCoding.proposal(from: entry.payload))?.command.phrase ?? "an unreadable change"
            words.append(command)
            logger.warning(
                "a change that this node had stored is dropped: the cluster went on without it",
                metadata: [
                    "index": "\(entry.index)", "epoch": "\(entry.epoch)", "change": "\(command)", "acknowledged": "\(acknowledged > 0)",
                ])
        }
        // What was never acknowledged may be dropped; nobody was told that it had happened.
        guard acknowledged > 0 else { return }
        let listed = words.prefix(8).joined(separator: ", ") + (words.count > 8 ? ", and \(words.count - 8) more" : "")
        notes.append(
            EventNote(
                node: settings.node, severity: .error, cause: "Quorum was forced on the other side.",
                sentence:
                    "\(settings.name) gave way and dropped \(entries.count == 1 ? "a change" : "\(entries.count) changes") that it had made "
                    + "without the others, \(acknowledged) of them acknowledged: \(listed)."))
    }
}

extension ClusterCommand {
    /// What it is, in words: "set quorum options".
    var phrase: String {
        // A case with values is reflected as one child that bears the name of the case.
        let name = Mirror(reflecting: self).children.first?.label ?? "\(self)"
        return name.reduce(into: "") { $0 += $1.isUppercase ? " " + $1.lowercased() : String($1) }
    }
}
