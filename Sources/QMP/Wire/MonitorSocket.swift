import Glibc
import NIOCore

/// Opens the client's end of QEMU's monitor socket.
///
/// The socket is made here and not by SwiftNIO because SwiftNIO does not set `SOCK_CLOEXEC` (socket(2)): a QEMU started later
/// would inherit the connection, and its monitor would stay occupied after this process is gone.
enum MonitorSocket {
    /// Why a connection could not be made.
    enum Failure: Error {
        /// The socket is not there yet, nobody listens on it yet, or its queue is full: worth another try.
        case notYet(errno: CInt)
        case final(errno: CInt)
    }

    /// Connects without blocking: a Unix socket connects at once or not at all (unix(7), connect(2)).
    ///
    /// - Returns: A connected, non-blocking file descriptor that the caller owns.
    static func open(_ path: String) throws(Failure) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard !bytes.isEmpty, bytes.count <= room, !bytes.contains(0) else { throw .final(errno: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }

        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .final(errno: errno) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return descriptor }
        let code = errno
        Glibc.close(descriptor)
        switch code {
        case ENOENT, ECONNREFUSED, EAGAIN, EINTR: throw .notYet(errno: code)
        default: throw .final(errno: code)
        }
    }
}

extension Duration {
    /// This duration, at least zero and at most a year, so that arithmetic on it cannot overflow.
    var boundedForWaiting: Duration { min(max(self, .zero), .seconds(366 * 86_400)) }

    /// As SwiftNIO counts time; bounded like ``boundedForWaiting``.
    var timeAmount: TimeAmount {
        let (seconds, attoseconds) = boundedForWaiting.components
        return .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
