import Synchronization

/// A flag that one taker gets.
final class Armed: Sendable {
    private let flag = Mutex(false)
    func set() { flag.withLock { $0 = true } }
    func take() -> Bool {
        flag.withLock { flag in
            defer { flag = false }
            return flag
        }
    }
}

/// Progress as it was reported.
final class Steps: Sendable {
    private let values = Mutex<[UInt64]>([])
    func add(_ done: UInt64, _ total: UInt64) { values.withLock { $0.append(done) } }
    var last: UInt64? { values.withLock { $0.last } }
    var isRising: Bool { values.withLock { values in zip(values, values.dropFirst()).allSatisfy { $0 < $1 } } }
}
