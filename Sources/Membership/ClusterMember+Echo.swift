import ClusterRules
import Logging

/// Whether Corosync on this node is alive, told by messages that this node sends to itself through the group.
///
/// A Corosync that is stopped or starved says nothing: no ring ends here, while the others form one without this node and go on. What it
/// said last must not be believed for longer than they need for that.
extension ClusterMember {
    private static let echoInterval = Duration.milliseconds(500)
    /// Less than what ends the old ring everywhere: token 1.0 s and consensus 1.2 s, counted from the last message that came through.
    private static let echoLimit = Duration.seconds(2)
    /// While a new ring is decided about Corosync holds back all messages, for as long as votequorum waits for its device (`sync_timeout`, 5 s), and
    /// rings may follow one another. Nothing is believed in that time anyway.
    private static let syncLimit = Duration.seconds(15)

    struct Echo: Sendable {
        var number: UInt64 = 0
        /// When the one under way was sent.
        var sentAt: ContinuousClock.Instant?
        /// When the last one that came back was sent: at that time, or later, Corosync ordered messages in a ring with this node.
        var provenAt = ContinuousClock.now
        /// When votequorum last decided. What was sent before may not have come back yet.
        var decidedAt = ContinuousClock.now
        /// Whether the witness was told that this node is in no ring.
        var isRingGone = false
    }

    /// Called all the time.
    func listenToCorosync() {
        let now = ContinuousClock.now
        if !standing.members.isEmpty, echo.sentAt == nil, now - echo.provenAt >= Self.echoInterval {
            echo.number += 1
            echo.sentAt = now
            send(.echo(number: echo.number))
        }
        let limit = standing.isRingDecided ? Self.echoLimit : Self.syncLimit
        let isSilent = !standing.members.isEmpty && now - echo.provenAt > limit
        tellWitness(isRingGone: isSilent && now - echo.decidedAt > limit)
        guard isSilent != standing.isCorosyncSilent else { return }
        standing.isCorosyncSilent = isSilent
        if isSilent {
            logger.warning("Corosync does not deliver messages on this node", metadata: ["seconds": "\(limit.components.seconds)"])
        } else {
            logger.notice("Corosync delivers messages again")
        }
        publish()
    }

    /// A holder that hangs must let the witness go; one whose new ring was decided about a moment ago does not hang.
    private func tellWitness(isRingGone: Bool) {
        guard isRingGone != echo.isRingGone else { return }
        echo.isRingGone = isRingGone
        if isRingGone {
            witnessPort?.ringGone()
        } else if let arbitrationRing {
            witnessPort?.newRing(arbitrationRing)
        }
    }

    func heardEcho(_ number: UInt64, from member: ClusterRules.GroupMember) {
        guard member == ownMember, number == echo.number, let sentAt = echo.sentAt else { return }
        echo.sentAt = nil
        echo.provenAt = sentAt
        provenAlive(until: sentAt + Self.echoLimit)
        listenToCorosync()
    }

    /// The group has changed, so Corosync is alive; what was under way may have gone with the group before.
    func groupIsAlive() {
        echo.sentAt = nil
        echo.provenAt = .now
        provenAlive(until: echo.provenAt + Self.echoLimit)
    }
}
