import ArgumentParser
import Glibc

/// A target that is poorer than the one behind it, for trying out what is made of such arrays.
struct RelayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Passes iSCSI connections on to a target, and makes it refuse some SCSI commands.",
        discussion: """
            Prints "ready" when it listens, and {"connections", "refused"} when it ends. Commands to refuse are named by the first byte of \
            their descriptor block: 5e and 5f are PERSISTENT RESERVE IN and OUT. They reach the target as a command that none knows.
            """)

    @Option(help: "TCP port to listen on.") var port: UInt16 = 3261
    @Option(help: "IPv4 or IPv6 address of the target.") var to: String
    @Option(help: "TCP port of the target.") var targetPort: UInt16 = 3260
    @Option(help: "Operation codes, hexadecimal, with commas.", transform: Self.codes) var refuse: Set<UInt8>

    static func codes(_ text: String) throws -> Set<UInt8> {
        Set(
            try text.split(separator: ",").map { word in
                guard word.count == 2, let code = UInt8(word, radix: 16) else { throw ValidationError("\"\(word)\" is no operation code") }
                return code
            })
    }

    func run() throws {
        Stop.onSignals()
        let listener = try Socket.listening(on: port, backlog: 16)
        print("ready")
        fflush(nil)
        var connections: [Relay] = []
        var (taken, refused) = (0, 0)
        while !Stop.isRequested {
            // Each connection has a few small commands a second, so that looking at all of them in turn is quick enough.
            if listener.isReadable(withinNanoseconds: connections.isEmpty ? 100_000_000 : 0) {
                let initiator = Socket(descriptor: accept(listener.descriptor, nil, nil))
                guard initiator.descriptor >= 0 else { throw SystemError("accept a connection") }
                initiator.setOption(IPPROTO_TCP, TCP_NODELAY, 1)
                connections.append(
                    Relay(initiator, try Socket.connected(SOCK_STREAM, to: to, port: targetPort, timeoutSeconds: 5), refusing: refuse))
                taken += 1
            }
            Relay.wait(for: connections, milliseconds: 20)
            for connection in connections { refused += connection.pass() }
            connections.removeAll(where: \.hasEnded)
        }
        try printJSON(["connections": taken, "refused": refused])
    }
}

/// One connection of an initiator, and the one to the target that it is passed on to.
private final class Relay {
    private let initiator: Socket
    private let target: Socket
    private let refused: Set<UInt8>
    private(set) var hasEnded = false
    /// Of the header that is being received (RFC 7143 section 11.2: 48 bytes).
    private var header: [UInt8] = []
    /// What follows the last header: additional headers and data, padded to four bytes.
    private var payload = 0

    init(_ initiator: consuming Socket, _ target: consuming Socket, refusing refused: Set<UInt8>) {
        self.initiator = initiator
        self.target = target
        self.refused = refused
    }

    static func wait(for relays: [Relay], milliseconds: Int32) {
        var watched = relays.flatMap { [$0.initiator.descriptor, $0.target.descriptor] }.map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        // Ends early when a signal comes, which the caller sees.
        _ = poll(&watched, nfds_t(watched.count), milliseconds)
    }

    /// Passes on what has come.
    ///
    /// - Returns: How many commands were made unknown.
    func pass() -> Int {
        var count = 0
        if let bytes = Self.receive(from: initiator.descriptor, &hasEnded), !send(examine(bytes, &count), to: target.descriptor) {
            hasEnded = true
        }
        if let bytes = Self.receive(from: target.descriptor, &hasEnded), !send(bytes, to: initiator.descriptor) { hasEnded = true }
        return count
    }

    private static func receive(from descriptor: Int32, _ hasEnded: inout Bool) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 { return Array(buffer[..<count]) }
        if count == 0 || errno != EAGAIN && errno != EINTR { hasEnded = true }
        return nil
    }

    private func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// - Returns: What can be passed on: all but the beginning of a header.
    private func examine(_ bytes: [UInt8], _ count: inout Int) -> [UInt8] {
        var passed: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            if payload > 0 {
                let part = rest.prefix(payload)
                passed += part
                payload -= part.count
                rest = rest.dropFirst(part.count)
                continue
            }
            let part = rest.prefix(48 - header.count)
            header += part
            rest = rest.dropFirst(part.count)
            guard header.count == 48 else { continue }
            // SCSI Command (11.3): operation code 01h, the descriptor block from byte 32 on. FEh is no command of any device type.
            if header[0] & 0x3f == 0x01, refused.contains(header[32]) {
                header[32] = 0xfe
                count += 1
            }
            let data = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
            payload = Int(header[4]) * 4 + (data + 3) / 4 * 4
            passed += header
            header = []
        }
        return passed
    }
}
