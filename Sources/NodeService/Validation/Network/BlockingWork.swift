import Foundation

/// Work that waits in the kernel, on a thread of its own.
enum BlockingWork {
    /// - Parameter work: Ends by itself within seconds; it is asked now and then whether anybody still waits.
    static func run<Value: Sendable>(
        _ name: String, _ work: @escaping @Sendable (_ isCancelled: @Sendable () -> Bool) throws -> Value
    ) async throws -> Value {
        let flag = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let thread = Thread { continuation.resume(with: Result { try work { flag.isSet } }) }
                thread.name = name
                thread.start()
            }
        } onCancel: {
            flag.set()
        }
    }
}
