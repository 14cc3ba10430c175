import Foundation
import Logging
import NIOCore
import Synchronization

/// One connection to the monitor of one QEMU: sends commands, matches replies, hands out events.
///
/// The actor runs on the event loop of its connection, so messages are handled in the order in which they arrive and without a
/// change of thread. The connection lives as long as the client or one of its streams of events is held, or until ``close()``.
/// A monitor serves one client at a time: whoever connects meanwhile waits.
public actor QMPClient {
    public nonisolated let greeting: QMPGreeting
    public nonisolated let socketPath: String
    /// Commands without a reply at which no more are sent. A QEMU that hangs must not make this process grow.
    static let maximumUnanswered = 256
    /// Commands that QEMU may have at a time, those out of band not counted. It stops reading a monitor on which eight wait their turn
    /// (QMP_REQ_QUEUE_LEN_MAX, monitor/qmp.c), and would then not hear a command out of band either, which may be the only one that helps.
    static let maximumInBand = 6

    private struct Waiting {
        var command: String
        var continuation: CheckedContinuation<Result<Data, QMPError>, Never>
        var deadline: Scheduled<Void>
    }

    private nonisolated let executor: any SerialExecutor
    private nonisolated let channel: any Channel
    private nonisolated let logger: Logger
    /// Starts the id of every command. QEMU may owe the monitor's previous client a reply, which must not be taken for ours.
    private nonisolated let idPrefix: String
    private nonisolated let lastID = Atomic<UInt64>(0)
    private var waiting: [String: Waiting] = [:]
    /// Timed out or cancelled; their replies are still to come.
    private var abandoned: Set<String> = []
    /// Sent and not answered, without those out of band.
    private var inBand: Set<String> = []
    /// Not sent yet, because QEMU has as many as it may have.
    private var unsent: [(id: String, line: Data)] = []
    private var subscribers: [Int: EventSubscriber] = [:]
    private var lastSubscriber = 0
    /// Holds the events since the connection was made, until the first subscription or command.
    private var early: (stream: AsyncStream<QMPEvent>, key: Int)?
    private var ending: QMPDisconnection?
    private var endWaiters: [Int: AsyncStream<QMPDisconnection>.Continuation] = [:]
    private var lastEndWaiter = 0

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Called on the event loop of the channel, when the greeting has come.
    init(greeting: QMPGreeting, channel: any Channel, socketPath: String, logger: Logger, early events: [QMPEvent]) {
        executor = channel.eventLoop.executor
        self.greeting = greeting
        self.channel = channel
        self.socketPath = socketPath
        self.logger = logger
        idPrefix = "apus-\(UInt32.random(in: .min ... .max))-"
        var (stream, subscriber) = EventSubscriber.make()
        for event in events { subscriber.deliver(event) }
        subscribers = [0: subscriber]
        early = (stream, 0)
    }

    deinit {
        for subscriber in subscribers.values { subscriber.finish() }
        channel.close(promise: nil)
    }

    /// Runs one command and waits for its reply.
    ///
    /// Commands may be given side by side; QEMU runs them in order, except those that are out of band.
    /// - Throws: ``QMPError``. After a timeout, a cancellation or a lost connection the command may still be carried out;
    ///   its late reply is recognised by its id and dropped.
    @discardableResult
    public nonisolated func execute<C: QMPCommand>(
        _ command: C, within deadline: Duration = .seconds(5)
    ) async throws(QMPError) -> C.Reply {
        try await execute(command, within: deadline, keepingEarlyEvents: false)
    }

    @discardableResult
    nonisolated func execute<C: QMPCommand>(
        _ command: C, within deadline: Duration, keepingEarlyEvents: Bool
    ) async throws(QMPError) -> C.Reply {
        let id = "\(idPrefix)\(lastID.add(1, ordering: .relaxed).newValue)"
        let outOfBand = C.isOutOfBand && greeting.offersOutOfBand
        let line = try QMPRequest.line(command, id: id, outOfBand: outOfBand)
        let reply = await request(
            line, id: id, command: C.name, outOfBand: outOfBand, deadline: deadline, keepingEarlyEvents: keepingEarlyEvents)
        do {
            return try JSONDecoder().decode(QMPReturn<C.Reply>.self, from: reply.get()).value
        } catch let error as QMPError {
            throw error
        } catch {
            throw .protocolViolation(DecodingProblem.describe(error), command: C.name)
        }
    }

    private func request(
        _ line: Data, id: String, command: String, outOfBand: Bool, deadline: Duration, keepingEarlyEvents: Bool
    ) async -> Result<Data, QMPError> {
        if !keepingEarlyEvents { forgetEarlyEvents() }
        if let ending { return .failure(.disconnected(ending, command: command)) }
        if Task.isCancelled { return .failure(.cancelled(command: command)) }
        let unanswered = waiting.count + abandoned.count
        guard unanswered < Self.maximumUnanswered else {
            return .failure(.tooManyUnanswered(unanswered, command: command))
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let timer = channel.eventLoop.scheduleTask(in: deadline.timeAmount) { [weak self] in
                    guard let self else { return }
                    assumeIsolated { $0.abandon(id, because: .timeout(command: command, deadline: deadline)) }
                }
                waiting[id] = Waiting(command: command, continuation: continuation, deadline: timer)
                if outOfBand {
                    write(line)
                } else {
                    unsent.append((id, line))
                    sendWhatMayBeSent()
                }
            }
        } onCancel: {
            // Queued on the event loop, so it runs after the lines above even when the task was cancelled before them.
            channel.eventLoop.execute { self.assumeIsolated { $0.abandon(id, because: .cancelled(command: command)) } }
        }
    }

    /// A failed write ends the connection, and that answers whatever waits.
    private func write(_ line: Data) { channel.writeAndFlush(channel.allocator.buffer(bytes: line), promise: nil) }

    private func sendWhatMayBeSent() {
        while inBand.count < Self.maximumInBand, !unsent.isEmpty {
            let (id, line) = unsent.removeFirst()
            inBand.insert(id)
            write(line)
        }
    }

    private func abandon(_ id: String, because error: QMPError) {
        guard let request = waiting.removeValue(forKey: id) else { return }
        var reason = error
        if let place = unsent.firstIndex(where: { $0.id == id }) {
            unsent.remove(at: place)
            if case .timeout = error { reason = .tooManyUnanswered(inBand.count, command: request.command) }
        } else {
            abandoned.insert(id)
        }
        request.deadline.cancel()
        request.continuation.resume(returning: .failure(reason))
    }

    /// Every event from now on; finishes when the connection ends.
    ///
    /// The first call, if it comes before the first command, also yields what arrived since the connection was made. At most
    /// 512 events wait for a slow reader; later ones are dropped and counted in one ``QMPEvent/Kind/eventsLost(_:)`` that stands
    /// where they would have stood.
    public func events() -> AsyncStream<QMPEvent> {
        if let early {
            self.early = nil
            forgetWhenDone(early.key)
            return early.stream
        }
        let (stream, subscriber) = EventSubscriber.make()
        if ending != nil {
            subscriber.finish()
            return stream
        }
        lastSubscriber += 1
        subscribers[lastSubscriber] = subscriber
        forgetWhenDone(lastSubscriber)
        return stream
    }

    /// Frees the subscriber when its reader leaves. Until then the reader keeps the client, and so the connection, alive.
    private func forgetWhenDone(_ key: Int) {
        subscribers[key]?.continuation.onTermination = { _ in
            self.channel.eventLoop.execute { self.assumeIsolated { $0.subscribers[key] = nil } }
        }
    }

    private func forgetEarlyEvents() {
        guard let early else { return }
        self.early = nil
        subscribers[early.key] = nil
    }

    /// Waits until the connection has ended and tells why.
    ///
    /// - Parameter deadline: nil waits as long as the connection lasts, or until the task is cancelled.
    /// - Throws: ``QMPError/timeout(command:deadline:)`` or ``QMPError/cancelled(command:)``.
    public func whenClosed(within deadline: Duration? = nil) async throws(QMPError) -> QMPDisconnection {
        if let ending { return ending }
        lastEndWaiter += 1
        let key = lastEndWaiter
        let (stream, continuation) = AsyncStream.makeStream(of: QMPDisconnection.self)
        endWaiters[key] = continuation
        let timer = deadline.map { channel.eventLoop.scheduleTask(in: $0.timeAmount) { continuation.finish() } }
        defer {
            timer?.cancel()
            endWaiters[key] = nil
        }
        for await reason in stream { return reason }
        let wait = "the end of the monitor connection"
        throw if let deadline, !Task.isCancelled { .timeout(command: wait, deadline: deadline) } else { .cancelled(command: wait) }
    }

    /// Ends the connection. Commands that wait fail, streams of events finish. Returns when the monitor is free again.
    public func close() async {
        end(.closedByClient)
        channel.close(promise: nil)
        await withCheckedContinuation { continuation in
            channel.closeFuture.whenComplete { _ in continuation.resume() }
        }
    }

    // MARK: - From the channel

    /// - Throws: when the message has no place here; the connection then ends.
    func receive(_ message: QMPMessage, line: Data) throws(QMPMessage.Invalid) {
        switch message {
        case .event(let event):
            for key in subscribers.keys {
                let hadLost = subscribers[key]?.lost ?? 0
                subscribers[key]?.deliver(event)
                if hadLost == 0, let lost = subscribers[key]?.lost, lost > 0 {
                    logger.warning("A reader of QMP events is too slow; events are dropped.", metadata: ["monitor": "\(socketPath)"])
                }
            }
        case .success(.text(let id)): finish(id, with: .success(line))
        case .failure(.text(let id), let kind, let text):
            finish(id, with: .failure(.refused(class: kind, text: text, command: waiting[id]?.command ?? "")))
        case .success(.foreign), .failure(.foreign, _, _): reportUnasked()
        case .failure(.absent, _, let text):
            // QEMU answers so when it cannot read what it was sent: which command was lost is unknown.
            throw QMPMessage.Invalid(reason: "an error names no command: \(text)")
        case .success(.absent): throw QMPMessage.Invalid(reason: "a reply names no command")
        case .greeting: throw QMPMessage.Invalid(reason: "a second greeting came")
        }
    }

    private func finish(_ id: String, with result: Result<Data, QMPError>) {
        inBand.remove(id)
        defer { sendWhatMayBeSent() }
        if let request = waiting.removeValue(forKey: id) {
            request.deadline.cancel()
            request.continuation.resume(returning: result)
        } else if abandoned.remove(id) != nil {
            logger.debug("A reply came after its command was given up.", metadata: ["monitor": "\(socketPath)"])
        } else {
            reportUnasked()
        }
    }

    /// Most likely the reply was owed to the client that was connected before.
    private func reportUnasked() {
        logger.warning("A reply to a command that was never sent was dropped.", metadata: ["monitor": "\(socketPath)"])
    }

    /// The first reason given counts.
    func end(_ reason: QMPDisconnection) {
        guard ending == nil else { return }
        ending = reason
        logger.debug("The monitor connection ended.", metadata: ["monitor": "\(socketPath)", "reason": "\(reason)"])
        for request in waiting.values {
            request.deadline.cancel()
            request.continuation.resume(returning: .failure(.disconnected(reason, command: request.command)))
        }
        waiting = [:]
        abandoned = []
        inBand = []
        unsent = []
        for subscriber in subscribers.values { subscriber.finish() }
        subscribers = [:]
        for waiter in endWaiters.values {
            waiter.yield(reason)
            waiter.finish()
        }
        endWaiters = [:]
    }
}
