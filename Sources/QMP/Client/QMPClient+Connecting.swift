import Logging
import NIOCore
import NIOPosix

extension QMPClient {
    /// A thread of their own for all monitors of the process, so that a switchover never waits for HTTP or TLS work. It lives as
    /// long as the process.
    private static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Connects to QEMU's monitor socket, reads the greeting and negotiates the capabilities.
    ///
    /// A socket that is missing, refuses or has a full queue is tried again until the deadline: QEMU may be just starting. QEMU
    /// sends events from the end of the negotiation on; ``events()`` called first thing misses none of them.
    /// - Parameter deadline: For all of it together.
    public static func connect(
        to socketPath: String, within deadline: Duration = .seconds(5), logger: Logger
    ) async throws(QMPError) -> QMPClient {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: deadline.boundedForWaiting)
        let descriptor = try await open(socketPath, within: deadline, until: end)
        let client = try await greet(descriptor, socketPath: socketPath, within: deadline, until: end, logger: logger)
        do throws(QMPError) {
            let capabilities = client.greeting.offersOutOfBand ? ["oob"] : []
            try await client.execute(
                QMPCommands.NegotiateCapabilities(enable: capabilities), within: clock.now.duration(to: end),
                keepingEarlyEvents: true)
            return client
        } catch {
            await client.close()
            throw error
        }
    }

    /// Tries until somebody listens.
    private static func open(
        _ path: String, within deadline: Duration, until end: ContinuousClock.Instant
    ) async throws(QMPError) -> CInt {
        var pause = Duration.milliseconds(2)
        while true {
            do throws(MonitorSocket.Failure) {
                return try MonitorSocket.open(path)
            } catch {
                switch error {
                case .final(let code): throw .cannotConnect(socketPath: path, .system(errno: code))
                case .notYet(let code):
                    guard ContinuousClock.now.advanced(by: pause) < end else {
                        throw .cannotConnect(socketPath: path, .noListener(within: deadline, errno: code))
                    }
                }
            }
            do { try await Task.sleep(for: pause) } catch { throw .cancelled(command: "connecting to \(path)") }
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    private static func greet(
        _ descriptor: CInt, socketPath: String, within deadline: Duration, until end: ContinuousClock.Instant, logger: Logger
    ) async throws(QMPError) -> QMPClient {
        let eventLoop = eventLoops.next()
        let greeted = eventLoop.makePromise(of: QMPClient.self)
        let connecting = ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(QMPLineDecoder()),
                        QMPChannelHandler(greeted: greeted, socketPath: socketPath, logger: logger),
                    ])
                }
            }
            .withConnectedSocket(descriptor)
        connecting.whenFailure { greeted.fail($0) }
        // A promise keeps its first outcome, so a greeting that comes with the deadline is either taken or its connection closed.
        greeted.futureResult.whenFailure { _ in connecting.whenSuccess { $0.close(promise: nil) } }
        let timer = eventLoop.scheduleTask(in: ContinuousClock.now.duration(to: end).timeAmount) { greeted.fail(NoGreeting.deadline) }
        defer { timer.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await greeted.futureResult.get()
            } onCancel: {
                greeted.fail(NoGreeting.cancelled)
            }
        } catch NoGreeting.deadline {
            throw .cannotConnect(socketPath: socketPath, .noGreeting(within: deadline))
        } catch NoGreeting.cancelled {
            throw .cancelled(command: "connecting to \(socketPath)")
        } catch let ended as QMPChannelHandler.EndedBeforeGreeting {
            throw .cannotConnect(socketPath: socketPath, .ended(ended.reason))
        } catch {
            throw .cannotConnect(socketPath: socketPath, .ended(.failed("\(error)")))
        }
    }

    private enum NoGreeting: Error { case deadline, cancelled }
}

extension QMPGreeting {
    /// Whether commands can overtake one that QEMU is busy with (qmp-spec.txt, section 2.3.1).
    var offersOutOfBand: Bool { capabilities.contains("oob") }
}
