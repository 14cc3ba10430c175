import Foundation

/// At most one process builds or takes down a lab at a time.
///
/// The lock is a name in the kernel's abstract socket namespace (unix(7)): it goes away with its holder, also after kill -9, and
/// leaves no file. It is not inherited by the programs that the holder starts.
struct LabLock: ~Copyable {
    private let socket: Int32

    deinit { close(socket) }

    /// Waits up to a minute for another process to finish its work on the lab.
    static func hold(prefix: String) async throws(LabError) -> LabLock {
        for _ in 0..<600 {
            if let socket = try bind(name: "apus-lab/" + prefix) { return LabLock(socket: socket) }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { throw .refused("Waiting for lab \(prefix) was cancelled.") }
        }
        throw .timeout("Another process has worked on lab \(prefix) for a minute. Look for it with `ps -C apus`.")
    }

    /// - Returns: nil when another process has the name.
    private static func bind(name: String) throws(LabError) -> Int32? {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .refused("Cannot open a socket: \(String(cString: strerror(errno))).") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // An abstract name begins with a zero byte, and its length says where it ends.
        withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: name.utf8) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, length) }
        }
        if result == 0 { return descriptor }
        let code = errno
        close(descriptor)
        guard code == EADDRINUSE else { throw .refused("Cannot lock lab: \(String(cString: strerror(code))).") }
        return nil
    }
}
