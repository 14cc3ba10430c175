import Glibc
import Synchronization

/// A thread that can be waited for. Blocking reads must not occupy a thread of Swift's pool.
final class ReaderThread: Sendable {
    private let handle = Mutex<pthread_t?>(nil)

    /// Boxed for the C entry point.
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: 0, or the errno of pthread_create(3).
    func start(_ run: @escaping @Sendable () -> Void) -> Int32 {
        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard result == 0 else {
            body.release()
            return result
        }
        handle.withLock { $0 = thread }
        return 0
    }

    /// Waits until it has ended.
    func join() {
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        guard let thread else { return }
        pthread_join(thread, nil)
    }
}
