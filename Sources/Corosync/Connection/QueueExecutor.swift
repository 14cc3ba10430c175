import Dispatch

/// Runs an actor on a serial dispatch queue of its own.
///
/// A client handle of libqb belongs to one thread at a time, and its calls block until Corosync answers; so neither Swift's pool nor
/// another connection's queue may run them. Two threads on one handle get each other's replies.
final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue
    init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
