import ClusterAPI
import Foundation
import NIOCore
import NIOPosix

/// Measures the migration network by using it: the receiver opens a port that swallows what comes, the sender fills it for a moment.
package enum LinkTest {
    /// Long enough for TCP to open its window, short enough to wait for.
    static let duration = Duration.milliseconds(300)
    static let receiverLifetime = TimeAmount.seconds(2)

    /// Opens the receiving side; it closes by itself after ``receiverLifetime``.
    package static func receive(on address: String) async throws -> LinkTestReady {
        let group = NIOSingletons.posixEventLoopGroup
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1)
            .childChannelInitializer { child in
                child.eventLoop.scheduleTask(in: receiverLifetime) { child.close(promise: nil) }
                return child.eventLoop.makeCompletedFuture { try child.pipeline.syncOperations.addHandler(Swallow()) }
            }
            .bind(host: address, port: 0).get()
        channel.eventLoop.scheduleTask(in: receiverLifetime) { channel.close(promise: nil) }
        guard let port = channel.localAddress?.port else {
            throw APIError(.failed, "The link test could not find out its own port on \(address).")
        }
        return LinkTestReady(address: address, port: port)
    }

    /// A TCP port that nobody listens on now. Somebody else may take it before it is used; whoever asked then tries again.
    static func freePort(on address: String) async throws -> Int {
        let channel = try await ServerBootstrap(group: NIOSingletons.posixEventLoopGroup).bind(host: address, port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw APIError(.failed, "No free port was found on \(address).") }
        return port
    }

    /// Only finds out whether the receiver can be reached.
    static func connect(to ready: LinkTestReady) async throws {
        let channel = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .connectTimeout(.seconds(2))
            .connect(host: ready.address, port: ready.port).get()
        try await channel.close()
    }

    /// - Parameter duration: Less than ``receiverLifetime``.
    /// - Returns: Bytes a second that the receiver acknowledged.
    package static func send(to ready: LinkTestReady, for duration: Duration = duration) async throws -> UInt64 {
        let sender = Sender()
        let channel = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .connectTimeout(.seconds(1))
            // A small buffer, so that what was written and what was delivered differ little.
            .channelOption(.socketOption(.so_sndbuf), value: 256 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(sender) }
            }
            .connect(host: ready.address, port: ready.port).get()
        try await Task.sleep(for: duration)
        let (bytes, elapsed) = try await channel.eventLoop.submit { sender.measure() }.get()
        try? await channel.close()
        guard elapsed > 0, bytes > 0 else {
            throw APIError(.unreachable, "Nothing crossed the migration network to \(ready.address) within \(duration).")
        }
        return UInt64(Double(bytes) / elapsed)
    }

    private final class Swallow: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    // Touched on its channel's event loop only, once connected; `measure` is submitted there.
    private final class Sender: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var block = ByteBuffer(repeating: 0xA5, count: 256 << 10)
        private var acknowledged = 0
        private var began = NIODeadline.now()

        func channelActive(context: ChannelHandlerContext) {
            began = .now()
            write(context)
        }
        private func write(_ context: ChannelHandlerContext) {
            let count = block.readableBytes
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(block)).assumeIsolated().whenSuccess { [weak self] in
                guard let self else { return }
                acknowledged += count
                write(bound.value)
            }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
        func measure() -> (bytes: Int, seconds: Double) {
            (acknowledged, Double((NIODeadline.now() - began).nanoseconds) / 1e9)
        }
    }
}
