import Glibc

/// A call of the operating system that failed.
struct SystemError: Error, CustomStringConvertible {
    var action: String
    var code: Int32
    init(_ action: String, code: Int32 = errno) {
        self.action = action
        self.code = code
    }
    var description: String { "Cannot \(action): \(String(cString: strerror(code)))." }
}

/// A file descriptor that is closed with its owner.
struct Socket: ~Copyable {
    let descriptor: Int32

    /// Connects to an IPv4 or IPv6 address. For `SOCK_DGRAM` this only fixes the peer.
    static func connected(
        _ kind: __socket_type, to address: String, port: UInt16, timeoutSeconds: Int
    ) throws(SystemError) -> Socket {
        var hints = addrinfo()
        // Numbers only: a name server would add its own time to what is measured.
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(kind.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &found) == 0, let peer = found else {
            throw SystemError("use \"\(address)\" as an IP address", code: EINVAL)
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(peer.pointee.ai_family, Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("open a socket") }
        let opened = Socket(descriptor: descriptor)
        // SO_SNDTIMEO also bounds connect(2), see socket(7).
        opened.setTimeout(SO_SNDTIMEO, milliseconds: timeoutSeconds * 1_000)
        if kind == SOCK_STREAM { opened.setOption(IPPROTO_TCP, TCP_NODELAY, 1) }
        guard connect(descriptor, peer.pointee.ai_addr, peer.pointee.ai_addrlen) == 0 else {
            throw SystemError("connect to \(address) port \(port)")
        }
        return opened
    }

    /// Listens on a TCP port of every address, IPv4 and IPv6.
    static func listening(on port: UInt16, backlog: Int32) throws(SystemError) -> Socket {
        let listener = Socket(descriptor: socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        listener.setOption(Int(SOL_SOCKET), SO_REUSEADDR, 1)
        var any = sockaddr_in6()
        any.sin6_family = sa_family_t(AF_INET6)
        any.sin6_port = port.bigEndian
        let bound = withUnsafePointer(to: &any) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        guard bound == 0, listen(listener.descriptor, backlog) == 0 else { throw SystemError("listen on port \(port)") }
        return listener
    }

    deinit { _ = close(descriptor) }

    borrowing func setTimeout(_ option: Int32, milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1_000, tv_usec: (milliseconds % 1_000) * 1_000)
        _ = setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    borrowing func setOption(_ level: Int, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(descriptor, Int32(level), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Room for what arrives at once after a pause. FORCE goes beyond `net.core.rmem_max` (socket(7)), which holds some 500 small
    /// datagrams; without the right to it the system's limit has to do.
    borrowing func setReceiveBuffer(byteCount: Int32) {
        setOption(Int(SOL_SOCKET), SO_RCVBUF, byteCount)
        setOption(Int(SOL_SOCKET), SO_RCVBUFFORCE, byteCount)
    }

    /// Waits for something to read. False after the time, or when a signal came.
    borrowing func isReadable(withinNanoseconds nanoseconds: UInt64) -> Bool {
        // pselect(2), because poll(2) counts in milliseconds and Glibc's module offers no ppoll. A probe has a handful of
        // descriptors, all far below the 1,024 that a set can hold.
        precondition(descriptor >= 0 && descriptor < 1_024, "descriptor \(descriptor) does not fit a set")
        var wait = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        var watched = fd_set()
        withUnsafeMutableBytes(of: &watched) { $0[Int(descriptor) / 8] |= 1 << UInt8(descriptor % 8) }
        return pselect(descriptor + 1, &watched, nil, nil, &wait, nil) > 0
    }
}

/// Sixteen bytes: a number and a time, as the probes send them.
enum Probe {
    static let byteCount = 16

    static func write(_ number: UInt64, _ time: UInt64, to bytes: inout [UInt8], at offset: Int) {
        for i in 0..<8 {
            bytes[offset + i] = UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * i))
            bytes[offset + 8 + i] = UInt8(truncatingIfNeeded: time >> UInt64(56 - 8 * i))
        }
    }
    static func read(_ bytes: [UInt8], at offset: Int) -> (number: UInt64, time: UInt64) {
        var number: UInt64 = 0
        var time: UInt64 = 0
        for i in 0..<8 {
            number = number << 8 | UInt64(bytes[offset + i])
            time = time << 8 | UInt64(bytes[offset + 8 + i])
        }
        return (number, time)
    }
}
