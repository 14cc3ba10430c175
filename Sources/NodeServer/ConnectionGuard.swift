import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Closes connections that were accepted but never handled.
///
/// A server that is cancelled stops taking connections from its queue; SwiftNIO ends the process when one that is still in there goes
/// away without its writer having been finished. A connection arriving in the moment of shutdown must not do that.
struct ConnectionGuard<Base: ServerChildChannel, Inbound: Sendable, Outbound: Sendable>: ServerChildChannel
where Base.Value == NIOAsyncChannel<Inbound, Outbound> {
    private let base: Base
    init(_ base: Base) { self.base = base }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<GuardedConnection<Inbound, Outbound>> {
        base.setup(channel: channel, logger: logger).map { GuardedConnection($0) }
    }

    func handle(value: GuardedConnection<Inbound, Outbound>, logger: Logger) async {
        guard let connection = value.take() else { return }
        await base.handle(value: connection, logger: logger)
    }
}

final class GuardedConnection<Inbound: Sendable, Outbound: Sendable>: ServerChildChannelValue {
    typealias Connection = NIOAsyncChannel<Inbound, Outbound>
    let channel: any Channel
    private let waiting: Mutex<Connection?>

    init(_ connection: Connection) {
        channel = connection.channel
        waiting = Mutex(connection)
    }

    /// The connection, for whoever handles it; nil the second time.
    func take() -> Connection? {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
    }

    deinit {
        guard let connection = take() else { return }
        // Ends by itself at once; an error only says that the other side was quicker.
        Task { try? await connection.executeThenClose { _, _ in } }
    }
}
