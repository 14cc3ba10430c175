import Foundation
import Glibc

/// Finds out whether QEMU has built its machine: it answers a command only then (its monitor greets long before).
///
/// Three lines of QMP, on a socket of their own, and no more: all else about machines is said through the target `QMP`.
struct MonitorHandshake: ~Copyable {
    enum Answer { case answered, closed, deadline }

    private let descriptor: Int32

    /// - Returns: nil while nobody listens at that path.
    init?(socket path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Asks, and waits for the answer. Blocks until then, until the process ends, or until the deadline.
    func waitForAnswer(of process: ProcessHandle, until deadline: ContinuousClock.Instant) -> Answer {
        // Fits into any socket's buffer, so it is written whole or not at all. The reader being gone must not raise SIGPIPE.
        let question = Array(#"{"execute":"qmp_capabilities"}{"execute":"query-status","id":"apus-ready"}"#.utf8)
        guard send(descriptor, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else { return .closed }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while ContinuousClock.now < deadline, received.count < 1 << 20 {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, 20)
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 {
                received += buffer.prefix(count)
                // QEMU writes members with one space after the colon (json-writer.c); nothing else here bears this name.
                if String(decoding: received, as: UTF8.self).contains(#""id": "apus-ready""#) { return .answered }
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) || process.hasEnded {
                return .closed
            }
        }
        return .deadline
    }
}
