import Glibc

/// A text file with a line for each answer: monotonic time, wall-clock time and round trip, all in nanoseconds.
///
/// Lines are gathered and written a few times a second, so that writing them does not disturb what is measured.
struct Trace: ~Copyable {
    private let file: Int32
    private var text: [UInt8] = []
    private var written: UInt64 = 0

    init(path: String) throws(SystemError) {
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw SystemError("write \(path)") }
    }
    deinit { _ = close(file) }

    mutating func answered(at time: UInt64, roundTrip: UInt64) throws(SystemError) {
        text += Array("\(time) \(Clock.realtime()) \(roundTrip)\n".utf8)
        if time - min(written, time) > 200_000_000 {
            try flush()
            written = time
        }
    }

    mutating func flush() throws(SystemError) {
        while !text.isEmpty {
            let count = write(file, text, text.count)
            guard count >= 0 || errno == EINTR else { throw SystemError("write the trace") }
            if count > 0 { text.removeFirst(count) }
        }
    }
}
