/// The sending end of one subscriber's stream of events.
///
/// At most ``limit`` events wait for a slow reader. What comes while the queue is full is dropped, and the reader learns about
/// it: before the next event that finds room it gets one ``QMPEvent/Kind/eventsLost(_:)`` with their number.
struct EventSubscriber {
    static let limit = 512

    let continuation: AsyncStream<QMPEvent>.Continuation
    /// Dropped since the last event that was delivered.
    private(set) var lost = 0

    static func make() -> (AsyncStream<QMPEvent>, EventSubscriber) {
        // The oldest are kept: a gap at the end can be reported in its place, one at the front could not.
        let (stream, continuation) = AsyncStream.makeStream(of: QMPEvent.self, bufferingPolicy: .bufferingOldest(limit))
        return (stream, EventSubscriber(continuation: continuation))
    }

    mutating func deliver(_ event: QMPEvent) {
        if lost > 0 {
            guard case .enqueued = continuation.yield(.eventsLost(lost, before: event)) else {
                lost += 1
                return
            }
            lost = 0
        }
        if case .dropped = continuation.yield(event) { lost = 1 }
    }

    func finish() { continuation.finish() }
}
