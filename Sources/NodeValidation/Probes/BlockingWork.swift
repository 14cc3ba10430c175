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

    /// Work that may never end, because a file server that is gone never answers: it is left alone then.
    ///
    /// - Parameters:
    ///   - abandoned: Called with what the work came to when nobody waits for it any more.
    /// - Throws: What the work throws, ``ProbeProblem`` when it did not end in time, `CancellationError`.
    static func run<Value: Sendable>(
        _ what: String, within limit: Duration, abandoned: @escaping @Sendable (Value) -> Void = { _ in },
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let (answers, continuation) = AsyncStream.makeStream(of: Result<Value, any Error>.self)
        let thread = Thread {
            let result = Result { try work() }
            if case .terminated = continuation.yield(result), case .success(let value) = result { abandoned(value) }
            continuation.finish()
        }
        thread.name = "file share"
        thread.start()
        return try await withThrowingTaskGroup(of: Result<Value, any Error>?.self) { group in
            group.addTask {
                for await answer in answers { return answer }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: limit)
                return .failure(ProbeProblem("\(what) did not end within \(limit.components.seconds) s; the file server does not answer."))
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let answer = first else { throw CancellationError() }
            return try answer.get()
        }
    }
}
