import Foundation

/// Runs work that blocks on a thread of its own, so that it keeps no thread of Swift's pool from other tasks.
///
/// Cancellation does not reach the work: it must have a deadline itself.
func onOwnThread<Success: Sendable, Failure: Error>(
    _ name: String, _ work: @escaping @Sendable () throws(Failure) -> Success
) async throws(Failure) -> Success {
    let result: Result<Success, Failure> = await withCheckedContinuation { continuation in
        let thread = Thread {
            do throws(Failure) { continuation.resume(returning: .success(try work())) } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        thread.name = name
        thread.start()
    }
    return try result.get()
}
