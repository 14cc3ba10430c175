import Foundation
import Glibc
import Logging
import NIOCore

/// Turns lines into messages and gives them, in order and on the event loop, to the client. The greeting makes the client.
final class QMPChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Kept while the greeting is awaited; nil afterwards, because a promise keeps what it was fulfilled with alive.
    private var greeted: EventLoopPromise<QMPClient>?
    /// Weak: the connection lives as long as somebody holds the client, and not the other way round.
    private weak var client: QMPClient?
    private let socketPath: String
    private let logger: Logger
    private var early: [QMPEvent] = []

    init(greeted: EventLoopPromise<QMPClient>, socketPath: String, logger: Logger) {
        self.greeted = greeted
        self.socketPath = socketPath
        self.logger = logger
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let line = Data(unwrapInboundIn(data).readableBytesView)
        do throws(QMPMessage.Invalid) {
            let message = try QMPMessage(line: line)
            if greeted != nil {
                try open(with: message, context: context)
            } else {
                try client?.assumeIsolated { client in
                    // Isolation cannot be assumed with a typed throw, so the outcome is carried out as a value.
                    Result { () throws(QMPMessage.Invalid) in try client.receive(message, line: line) }
                }.get()
            }
        } catch {
            end(.protocolViolation(error.reason), context: context)
        }
    }

    private func open(with message: QMPMessage, context: ChannelHandlerContext) throws(QMPMessage.Invalid) {
        switch message {
        case .event(let event):
            guard early.count < EventSubscriber.limit else {
                throw QMPMessage.Invalid(reason: "\(early.count) events came before the greeting")
            }
            early.append(event)
        case .greeting(let greeting):
            let client = QMPClient(
                greeting: greeting, channel: context.channel, socketPath: socketPath, logger: logger, early: early)
            self.client = client
            early = []
            greeted?.succeed(client)
            greeted = nil
        case .success, .failure:
            throw QMPMessage.Invalid(reason: "a reply came before the greeting")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is QMPLineDecoder.LineTooLong:
            end(.protocolViolation("a message is longer than \(QMPLineDecoder.maximumLineBytes >> 20) MiB"), context: context)
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            // QEMU left with something of ours unread: the same end as an orderly one.
            end(.closedByQEMU, context: context)
        default:
            end(.failed("\(error)"), context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closedByQEMU, context: context)
        context.fireChannelInactive()
    }

    /// The first reason given counts.
    private func end(_ reason: QMPDisconnection, context: ChannelHandlerContext) {
        greeted?.fail(EndedBeforeGreeting(reason: reason))
        greeted = nil
        client?.assumeIsolated { $0.end(reason) }
        context.close(promise: nil)
    }

    /// What ``greeted`` fails with.
    struct EndedBeforeGreeting: Error {
        var reason: QMPDisconnection
    }
}
