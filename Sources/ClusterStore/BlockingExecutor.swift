import Dispatch

/// Runs an actor on a serial queue of its own, where its calls may block: a sync takes milliseconds, on a busy disk seconds, and Swift's
/// shared threads are as few as there are cores.
final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
