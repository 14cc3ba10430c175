import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Validation

/// Ports that answer, and the sender that counts the answers.
enum EchoProbe {
    /// Longer than any step that uses one.
    private static let lifetime = Duration.seconds(30)
    private static let counters = Mutex<[UUID: Counter]>([:])

    private final class Counter: Sendable {
        private let value = Mutex(0)
        func add() { value.withLock { $0 += 1 } }
        var count: Int { value.withLock { $0 } }
    }

    static func listen(_ question: EchoListenQuestion, _ context: ProbeContext) async throws -> EchoListenQuestion.Evidence {
        let counter = Counter()
        var last: (any Error)?
        for port in question.ports.prefix(64) where (0...65_535).contains(port) {
            let channel: any Channel
            do {
                channel = try await open(question.transport, question.address, port, counter)
            } catch {
                last = error
                continue
            }
            let number = channel.localAddress?.port ?? port
            do {
                let id = try await context.held.hold(
                    for: context.run, lifetime: lifetime,
                    "closed the \(question.transport.rawValue.uppercased()) port \(number) of \(question.address)"
                ) {
                    try? await channel.close()
                }
                counters.withLock { $0[id] = counter }
                return .init(listener: id, port: number)
            } catch {
                try? await channel.close()
                throw error
            }
        }
        throw ProbeProblem("No port of \(question.address) could be opened\(last.map { ": \($0)" } ?? "").")
    }

    private static func open(_ transport: EchoTransport, _ address: String, _ port: Int, _ counter: Counter) async throws -> any Channel {
        let group = NIOSingletons.posixEventLoopGroup
        switch transport {
        case .udp:
            return try await DatagramBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Answer(counter: counter)) }
                }
                .bind(host: address, port: port).get()
        case .tcp:
            return try await ServerBootstrap(group: group)
                .childChannelInitializer { child in
                    counter.add()
                    return child.close()
                }
                .bind(host: address, port: port).get()
        }
    }

    static func tally(_ question: EchoTallyQuestion, _ context: ProbeContext) async throws -> EchoTallyQuestion.Evidence {
        let counter = counters.withLock { $0.removeValue(forKey: question.listener) }
        guard try await context.held.giveBack(question.listener), let counter else {
            throw ProbeProblem("The port was closed before; the run took too long.")
        }
        return .init(received: counter.count)
    }

    private final class Answer: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let counter: Counter
        init(counter: Counter) { self.counter = counter }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            counter.add()
            context.writeAndFlush(data, promise: nil)
        }
        // One datagram that cannot be answered must not end the port.
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    // MARK: Sending

    static let mostPackets = 1_000
    /// Until the next packet is sent without an answer to this one, which may still come.
    private static let patience = TimeAmount.milliseconds(250)
    /// After the last one, for answers that are late: on a busy node they are late, and not lost.
    private static let lateness = TimeAmount.seconds(2)
    /// So many without an answer in a row: nothing passes, and waiting for the rest tells no more.
    private static let mostSilence = 8

    static func send(_ question: EchoSendQuestion) async throws -> EchoSendQuestion.Evidence {
        guard (1...mostPackets).contains(question.count), (8...65_000).contains(question.payloadBytes), (1...65_535).contains(question.port)
        else { throw ProbeProblem("\(question.count) packets of \(question.payloadBytes) bytes are not sent.") }
        let target = try SocketAddress(ipAddress: question.to, port: question.port)
        let own = try SocketAddress(ipAddress: question.from, port: 0)
        switch question.transport {
        case .udp: return try await sendDatagrams(question, own, target)
        case .tcp: return await connect(question, own, target)
        }
    }

    private static func connect(
        _ question: EchoSendQuestion, _ own: SocketAddress, _ target: SocketAddress
    ) async -> EchoSendQuestion.Evidence {
        var evidence = EchoSendQuestion.Evidence(sent: 0, answers: [])
        for _ in 0..<question.count where !Task.isCancelled {
            evidence.sent += 1
            let begin = ContinuousClock.now
            do {
                let channel = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
                    .connectTimeout(.seconds(4)).bind(to: own).connect(to: target).get()
                evidence.answers.append((ContinuousClock.now - begin) / .milliseconds(1))
                try? await channel.close()
            } catch {
                evidence.problem = "\(error)"
                return evidence
            }
        }
        return evidence
    }

    private static func sendDatagrams(
        _ question: EchoSendQuestion, _ own: SocketAddress, _ target: SocketAddress
    ) async throws -> EchoSendQuestion.Evidence {
        let loop = NIOSingletons.posixEventLoopGroup.next()
        let done = loop.makePromise(of: EchoSendQuestion.Evidence.self)
        var bootstrap = DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Sender(target: target, count: question.count, bytes: question.payloadBytes, done: done))
                }
            }
        if question.isWhole {
            // ip(7), IP_MTU_DISCOVER: IP_PMTUDISC_PROBE sets "don't fragment" and ignores what was learned about the path.
            let option =
                own.protocol == .inet6
                ? ChannelOptions.Types.SocketOption(level: .init(rawValue: 41), name: .init(rawValue: 23))
                : ChannelOptions.Types.SocketOption(level: .init(rawValue: 0), name: .init(rawValue: 10))
            bootstrap = bootstrap.channelOption(option, value: 3)
        }
        let channel: any Channel
        do { channel = try await bootstrap.bind(to: own).get() } catch {
            done.succeed(.init(sent: 0, answers: []))
            throw ProbeProblem("\(question.from) cannot be sent from: \(error)")
        }
        let evidence = try await withTaskCancellationHandler {
            try await done.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        try? await channel.close()
        return evidence
    }

    /// One packet under way at a time, all on the event loop, so that what is measured is the network and not our own scheduling.
    // Touched on its channel's event loop only.
    private final class Sender: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let target: SocketAddress
        private let count: Int
        private let bytes: Int
        private let done: EventLoopPromise<EchoSendQuestion.Evidence>
        private var evidence = EchoSendQuestion.Evidence(sent: 0, answers: [])
        private var number: UInt64 = 0
        /// Packets that were not answered yet, and when they were sent.
        private var underWay: [UInt64: NIODeadline] = [:]
        /// Whether nothing more is sent.
        private var isLast = false
        private var silence = 0
        private var timeout: Scheduled<Void>?
        private var isDone = false

        init(target: SocketAddress, count: Int, bytes: Int, done: EventLoopPromise<EchoSendQuestion.Evidence>) {
            self.target = target
            self.count = count
            self.bytes = bytes
            self.done = done
        }

        func channelActive(context: ChannelHandlerContext) { next(context) }
        func channelInactive(context: ChannelHandlerContext) { finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { evidence.problem = "\(error)" }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard envelope.remoteAddress == target, let answered = envelope.data.getInteger(at: 0, as: UInt64.self),
                let sentAt = underWay.removeValue(forKey: answered)
            else { return }
            evidence.answers.append(Double((NIODeadline.now() - sentAt).nanoseconds) / 1e6)
            silence = 0
            if isLast {
                if underWay.isEmpty { finish() }
            } else if answered == number {
                next(context)
            }
        }

        private func next(_ context: ChannelHandlerContext) {
            timeout?.cancel()
            timeout = nil
            guard evidence.sent < count, silence < EchoProbe.mostSilence else {
                guard !underWay.isEmpty else { return finish() }
                isLast = true
                let late = NIOLoopBound(self, eventLoop: context.eventLoop)
                timeout = context.eventLoop.assumeIsolated().scheduleTask(in: EchoProbe.lateness) { late.value.finish() }
                return
            }
            evidence.sent += 1
            number += 1
            var buffer = context.channel.allocator.buffer(capacity: bytes)
            buffer.writeInteger(number)
            buffer.writeRepeatingByte(0xA5, count: bytes - 8)
            underWay[number] = .now()
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let failed = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(AddressedEnvelope(remoteAddress: target, data: buffer))).whenFailure { error in
                failed.value.evidence.problem = "\(error)"
            }
            timeout = context.eventLoop.assumeIsolated().scheduleTask(in: EchoProbe.patience) {
                failed.value.silence += 1
                failed.value.next(bound.value)
            }
        }

        private func finish() {
            guard !isDone else { return }
            isDone = true
            timeout?.cancel()
            timeout = nil
            // What cannot be sent closes the channel while it is written, before the write tells why; that comes next.
            done.futureResult.eventLoop.execute { self.done.succeed(self.evidence) }
        }
    }
}
