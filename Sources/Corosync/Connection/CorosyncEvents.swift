import Synchronization

/// The events of one connection, in the order in which Corosync delivered them. For one reader.
///
/// None is ever left out: when more wait than the limits allow, those that wait are still delivered and then the sequence ends with
/// the event `lost`. It also ends so when Corosync is gone, and ends without that event when the connection was closed on purpose.
public struct CorosyncEvents<Event: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Event
    public typealias Failure = Never
    fileprivate let stream: AsyncStream<(Event, Int)>
    fileprivate let backlog: EventBacklog

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: AsyncStream<(Event, Int)>.Iterator
        fileprivate let backlog: EventBacklog

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
            guard let (event, byteCount) = await base.next(isolation: actor) else { return nil }
            backlog.remove(byteCount)
            return event
        }
        public mutating func next() async -> Event? { await next(isolation: nil) }
    }
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: stream.makeAsyncIterator(), backlog: backlog) }
}

/// How many events may wait for their reader.
public struct EventLimits: Hashable, Sendable {
    public var count: Int
    /// Of messages.
    public var byteCount: Int
    public init(count: Int = 65_536, byteCount: Int = 128 << 20) {
        self.count = count
        self.byteCount = byteCount
    }
}

private final class EventBacklog: Sendable {
    private let waiting = Mutex((count: 0, bytes: 0))

    func add(_ byteCount: Int, limits: EventLimits) -> (fits: Bool, count: Int) {
        waiting.withLock { waiting in
            guard waiting.count < limits.count, waiting.bytes <= limits.byteCount - byteCount else { return (false, waiting.count) }
            waiting.count += 1
            waiting.bytes += byteCount
            return (true, waiting.count)
        }
    }
    func remove(_ byteCount: Int) {
        waiting.withLock { waiting in
            waiting.count -= 1
            waiting.bytes -= byteCount
        }
    }
}

/// Where the C callbacks put events. Belongs to the queue of its connection.
final class EventOutlet<Event: Sendable>: Sendable {
    let events: CorosyncEvents<Event>
    private let continuation: AsyncStream<(Event, Int)>.Continuation
    private let limits: EventLimits
    private let overflow = Mutex<CorosyncError?>(nil)

    init(limits: EventLimits) {
        let (stream, continuation) = AsyncStream.makeStream(of: (Event, Int).self, bufferingPolicy: .unbounded)
        events = CorosyncEvents(stream: stream, backlog: EventBacklog())
        self.continuation = continuation
        self.limits = limits
    }

    // A connection that was dropped without being closed: its reader must not wait for ever.
    deinit { continuation.finish() }

    /// Set once an event did not fit; from then on nothing more is delivered.
    var failure: CorosyncError? { overflow.withLock { $0 } }

    func deliver(_ event: Event, byteCount: Int = 0) {
        guard failure == nil else { return }
        let (fits, count) = events.backlog.add(byteCount, limits: limits)
        guard fits else { return overflow.withLock { $0 = .readerTooSlow(waitingEvents: count) } }
        continuation.yield((event, byteCount))
    }

    /// - Parameter event: The last one, beyond all limits.
    func finish(_ event: Event?) {
        if let event, events.backlog.add(0, limits: EventLimits(count: .max, byteCount: .max)).fits { continuation.yield((event, 0)) }
        continuation.finish()
    }
}
