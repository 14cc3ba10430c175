import Foundation
import Glibc
import QEMU
import Synchronization

/// Listens to what a ``PulseGuest`` sends out of its serial port, and notes when.
final class GuestPulse: Sendable {
    /// What came so far.
    struct Signs: Sendable {
        var count = 0
        var first: (sign: UInt8, at: ContinuousClock.Instant)?
        var last: (sign: UInt8, at: ContinuousClock.Instant)?
        /// The guest said that its memory is not what it wrote.
        var hasBrokenMemory = false
        /// QEMU closed the port: it ended.
        var isOver = false
    }
    private let signs = Mutex(Signs())
    private let isWanted = Mutex(true)

    /// Connects to the port of a guest that has not run yet, and listens on a thread of its own until ``stop()`` or QEMU's end.
    ///
    /// - Throws: ``ProbeProblem``.
    init(socket path: String) throws(ProbeProblem) {
        let descriptor = try Self.connect(path)
        let thread = Thread { [weak self] in
            defer { close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                // Held only while it works, so that nobody who forgets to stop it keeps a thread for ever.
                guard let self, self.isWanted.withLock({ $0 }) else { return }
                guard self.read(descriptor, &buffer) else { return }
            }
        }
        thread.name = "guest pulse"
        thread.start()
    }

    private static func connect(_ path: String) throws(ProbeProblem) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw ProbeProblem("\(path) is too long for a socket.") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ProbeProblem("No socket can be made: \(String(cString: strerror(errno))).") }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw ProbeProblem("The guest's serial port cannot be listened to: \(reason).")
        }
        return descriptor
    }

    /// - Returns: false when nothing more will come.
    private func read(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 100) > 0 else { return true }
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return true }
        let now = ContinuousClock.now
        return signs.withLock { signs in
            guard count > 0 else {
                signs.isOver = true
                return false
            }
            for sign in buffer.prefix(count) {
                if sign == PulseGuest.brokenSign {
                    signs.hasBrokenMemory = true
                    continue
                }
                signs.count += 1
                signs.first = signs.first ?? (sign, now)
                signs.last = (sign, now)
            }
            return true
        }
    }

    var now: Signs { signs.withLock { $0 } }

    /// Waits for so many signs.
    ///
    /// - Returns: What had come by then, or until the deadline.
    func wait(for count: Int, within deadline: Duration) async -> Signs {
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end, !Task.isCancelled {
            let now = now
            if now.count >= count || now.isOver || now.hasBrokenMemory { return now }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return now
    }

    func stop() { isWanted.withLock { $0 = false } }
}
