import Dispatch

/// Runs an actor on a serial dispatch queue of its own, where its calls may block.
///
/// Swift's shared threads are as few as there are cores, so a call that waits for a disk, a library or another process must not stand on
/// one of them, and work that must not be late must not queue for one.
public final class QueueExecutor: SerialExecutor {
    /// For callers that do not come as jobs of an actor, such as the sources of events on a descriptor.
    public let queue: DispatchQueue

    /// - Parameter qos: `userInteractive` for what others depend on within fractions of a second.
    public init(label: String, qos: DispatchQoS = .userInitiated) { queue = DispatchQueue(label: label, qos: qos) }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
    public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
