import Foundation

/// Asks a node service whether it is there.
enum ServiceProbe {
    /// Whether an HTTP server answers on a Unix socket. Takes at most a second or two.
    static func answers(socket path: String) async -> Bool {
        await withCheckedContinuation { continuation in
            // connect(2) and recv(2) block, so not on a thread that others wait for.
            Thread.detachNewThread { continuation.resume(returning: ask(path)) }
        }
    }

    private static func ask(_ path: String) -> Bool {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        let question = Array("HEAD / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n".utf8)
        guard connected == 0, send(descriptor, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else { return false }
        var answer = [UInt8](repeating: 0, count: 5)
        // Any status will do: it is the service that answers.
        return recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL)) == 5 && answer == Array("HTTP/".utf8)
    }
}
