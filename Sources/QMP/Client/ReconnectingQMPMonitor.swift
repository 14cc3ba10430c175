import Logging

/// Follows one QEMU over as many monitor connections as it takes.
///
/// While no connection is there QEMU's events are lost, for QEMU keeps none. So after each ``Report/connected(_:afterHole:)`` with a
/// hole, ask for the state (`queryStatus`, `queryMigrate`) before trusting what earlier events said.
public struct ReconnectingQMPMonitor: Sendable {
    public enum Report: Sendable {
        /// A new connection; send commands through it until the next report of this kind. `afterHole` says why the one before
        /// ended; nil for the first.
        case connected(QMPClient, afterHole: QMPDisconnection?)
        /// In order; ``QMPEvent/Kind/eventsLost(_:)`` when reports are handled too slowly.
        case event(QMPEvent)
        case disconnected(QMPDisconnection)
    }

    /// Why ``run(_:)`` returned.
    public enum End: Hashable, Sendable {
        /// QEMU is gone; how its last connection ended, if there was one.
        case qemuEnded(QMPDisconnection?)
        /// The client was closed on this side.
        case closed
    }

    public var socketPath: String
    /// For one attempt to connect.
    public var attemptDeadline: Duration
    /// Pause before the first new attempt; it doubles up to ``longestPause``.
    public var firstPause: Duration
    public var longestPause: Duration
    private let logger: Logger
    private let isQEMUAlive: @Sendable () async -> Bool

    /// - Parameter isQEMUAlive: Whether the process still exists. Asked after each failure, before the next attempt.
    public init(
        socketPath: String, attemptDeadline: Duration = .seconds(5), firstPause: Duration = .milliseconds(20),
        longestPause: Duration = .seconds(5), logger: Logger, isQEMUAlive: @escaping @Sendable () async -> Bool
    ) {
        self.socketPath = socketPath
        self.attemptDeadline = attemptDeadline
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.logger = logger
        self.isQEMUAlive = isQEMUAlive
    }

    /// Connects and reports until QEMU ends, the client is closed, or the task is cancelled.
    ///
    /// - Parameter report: Called for one report after the other; the next waits until it returns.
    /// - Throws: ``QMPError/cancelled(command:)`` only. Failures to connect are logged and tried again while QEMU lives.
    public func run(_ report: (Report) async -> Void) async throws(QMPError) -> End {
        var hole: QMPDisconnection?
        var pause = firstPause
        while true {
            do throws(QMPError) {
                let client = try await QMPClient.connect(to: socketPath, within: attemptDeadline, logger: logger)
                let events = await client.events()
                pause = firstPause
                await report(.connected(client, afterHole: hole))
                for await event in events { await report(.event(event)) }
                if Task.isCancelled {
                    // The stream ended because of that; free the monitor for whoever comes next.
                    await client.close()
                    throw .cancelled(command: "following the monitor at \(socketPath)")
                }
                let ending = try await client.whenClosed()
                await report(.disconnected(ending))
                if ending == .closedByClient { return .closed }
                hole = ending
            } catch {
                if case .cancelled = error { throw error }
                logger.warning("No monitor connection.", metadata: ["monitor": "\(socketPath)", "error": "\(error)"])
            }
            guard await isQEMUAlive() else { return .qemuEnded(hole) }
            do { try await Task.sleep(for: pause) } catch { throw .cancelled(command: "following the monitor at \(socketPath)") }
            pause = min(pause * 2, longestPause)
        }
    }
}
