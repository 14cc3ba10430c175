import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Bytes to a Unix socket and back, without any care for HTTP. Nothing waits longer than a few seconds.
enum RawHTTP {
    static func post(_ path: String, _ body: String, type: String = "application/json") -> String {
        "POST \(path) HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: \(type)\r\n"
            + "content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }
    static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" }

    /// Everything that comes back until the server closes or `seconds` pass.
    static func exchange(_ socketPath: String, _ bytes: String, seconds: Int = 5, halfClose: Bool = false) async throws -> String {
        let connection = try Connection(socketPath, seconds: seconds)
        await connection.send(bytes)
        if halfClose { connection.endSending() }
        return await connection.readAll()
    }

    final class Connection: Sendable {
        private let descriptor: CInt
        init(_ socketPath: String, seconds: Int = 5) throws {
            descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            var timeout = timeval(tv_sec: seconds, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socketPath.utf8) }
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if code != 0 { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        }
        deinit { close(descriptor) }

        /// - Returns: false when the server no longer takes bytes.
        @discardableResult func send(_ text: String) async -> Bool { await Self.apart { self.sendBlocking(text) } }

        private func sendBlocking(_ text: String) -> Bool {
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
                if count <= 0 { return false }
                bytes = bytes.dropFirst(count)
            }
            return true
        }
        func endSending() { shutdown(descriptor, CInt(SHUT_WR)) }

        private func readSome() -> String? {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
        /// Everything until the server closes or falls silent, or until `mark` has come.
        func readAll(until mark: String? = nil) async -> String {
            await Self.apart {
                var text = ""
                while let more = self.readSome() {
                    text += more
                    if let mark, text.contains(mark) { break }
                }
                return text
            }
        }

        /// Blocking calls on the threads that run tasks would stop the server, which runs on them too.
        private static func apart<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
            await withCheckedContinuation { continuation in
                Thread { continuation.resume(returning: work()) }.start()
            }
        }
    }
}
