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

    struct Echo: Sendable {
        var number: UInt64 = 0
        /// When the one under way was sent.
        var sentAt: ContinuousClock.Instant?
        /// When the last one that came back was sent: at that time, or later, Corosync ordered messages in a ring with this node.
        var provenAt = ContinuousClock.now
    }

    /// Called all the time.
    func listenToCorosync() {
        let now = ContinuousClock.now
        if !standing.members.isEmpty, echo.sentAt == nil, now - echo.provenAt >= Self.echoInterval {
            echo.number += 1
            echo.sentAt = now
            send(.echo(number: echo.number))
        }
        let isSilent = !standing.members.isEmpty && now - echo.provenAt > Self.echoLimit
        guard isSilent != standing.isCorosyncSilent else { return }
        standing.isCorosyncSilent = isSilent
        if isSilent {
            witnessPort?.ringGone()
            logger.warning("Corosync does not deliver messages on this node", metadata: ["seconds": "2"])
        } else {
            if let arbitrationRing { witnessPort?.newRing(arbitrationRing) }
            logger.notice("Corosync delivers messages again")
        }
        publish()
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
