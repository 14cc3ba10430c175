import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// HTTP over TLS whose certificates can change between connections.
///
/// Hummingbird's own TLS channel takes its certificates once, when the server starts.
struct ChangingTLSChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let identity: ListenerIdentity

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(try identity.handler(for: channel))
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
