import ClusterModel
import Foundation

/// What waits for one reader, in order. Whoever puts never waits; how much may pile up is bounded by the log, which has one write of each
/// kind under way and refuses changes beyond its limits.
///
/// A reader that is cancelled ends the mailbox, so each reader gets a new one.
struct Mailbox<Item: Sendable>: Sendable {
    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation

    /// - Parameter keepsLast: Only the last item waits: for items that say no more than that there is something to do.
    init(keepsLast: Bool = false) {
        (items, continuation) = AsyncStream.makeStream(of: Item.self, bufferingPolicy: keepsLast ? .bufferingNewest(1) : .unbounded)
    }
    func put(_ item: Item) { continuation.yield(item) }
}

/// The clock that the log is told. It goes on while the machine sleeps, and nobody can set it.
enum MonotonicClock {
    private static let start = ContinuousClock.now
    static var now: Duration { ContinuousClock.now - start }
}
