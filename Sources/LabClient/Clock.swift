import Glibc
import Synchronization

/// Time in nanoseconds. The monotonic clock is the machine's own, alike in every namespace, so traces of several programs compare.
enum Clock {
    static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }
    static func realtime() -> UInt64 { read(CLOCK_REALTIME) }

    /// Sleeps to a point of the monotonic clock. An absolute time does not drift, and a signal ends the sleep early.
    static func sleep(until nanoseconds: UInt64) {
        var point = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &point, nil)
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var now = timespec()
        _ = clock_gettime(clock, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}

/// Whether somebody asked this process to come to an end.
enum Stop {
    private static let requested = Atomic(false)

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// SIGTERM and SIGINT end the measurement, not the process: the result is still printed. Without `SA_RESTART`, so that a
    /// blocked call returns (sigaction(2)). A peer that goes away must not end the process either.
    static func onSignals() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in Stop.requested.store(true, ordering: .relaxed) }
        _ = sigaction(SIGTERM, &action, nil)
        _ = sigaction(SIGINT, &action, nil)
        _ = signal(SIGPIPE, SIG_IGN)
    }
}

/// When a measurement ends: at a deadline or on request.
struct Deadline {
    private let end: UInt64

    /// - Parameter seconds: nil means only on request.
    init(seconds: Double?) {
        end = seconds.map { Clock.monotonic() + UInt64($0 * 1e9) } ?? .max
    }
    var isReached: Bool { Stop.isRequested || Clock.monotonic() >= end }
    /// Nanoseconds from now to `point` or the end, whichever is first; zero when either is past.
    func remaining(until point: UInt64) -> UInt64 {
        let now = Clock.monotonic()
        let nearest = min(point, end)
        return nearest > now ? nearest - now : 0
    }
}
