import ClusterAPI
import Foundation

/// Where the command line writes: results to standard output, errors and progress to standard error.
enum Console {
    static func print(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO) }

    static func print(json value: some Encodable) throws {
        print(String(decoding: try APICoding.readableEncoder.encode(value), as: UTF8.self))
    }

    static func complain(_ message: String) { write("apus: \(message.hasSuffix("\n") ? message : message + "\n")", to: STDERR_FILENO) }

    /// Text for people who watch, without a line end of its own.
    static func progress(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Whether progress goes to somebody's eyes rather than to a file or a pipe.
    static var isWatched: Bool { isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

    /// Columns of the terminal on standard error; 80 when it does not say.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return 80 }
        return Int(size.ws_col)
    }

    /// Asks on the terminal. Answers yes without asking where nobody can answer.
    static func confirm(_ question: String) -> Bool {
        guard canAsk else { return true }
        progress("\(question) [y/N] ")
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }

    /// Whether somebody is there to be asked.
    static var canAsk: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    private static func write(_ text: String, to descriptor: CInt) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // Somebody made the terminal non-blocking; wait until it takes more.
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&wait, 1, 10_000) > 0 { continue }
            }
            // A reader that went away (`| head`) is no failure of ours; there is nobody left to tell.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
