import ArgumentParser
import Glibc

struct StreamCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream", abstract: "Sends bytes over one TCP connection as fast as they go, to `sink` on the other side.")

    @Argument(help: "IPv4 or IPv6 address.") var address: String
    @Option(help: "How long.") var seconds: Double = 3
    @Option(help: "TCP port.") var port: UInt16 = 5001

    func validate() throws {
        guard seconds > 0, seconds <= 3_600 else { throw ValidationError("--seconds must be above 0 and at most 3600") }
    }

    func run() throws {
        Stop.onSignals()
        let socket = try Socket.connected(SOCK_STREAM, to: address, port: port, timeoutSeconds: 5)
        let deadline = Deadline(seconds: seconds)
        let block = [UInt8](repeating: 0xa5, count: 256 << 10)
        var bytes = 0
        while !deadline.isReached {
            let count = send(socket.descriptor, block, block.count, Int32(MSG_NOSIGNAL))
            guard count >= 0 || errno == EINTR else { throw SystemError("send to \(address)") }
            bytes += max(count, 0)
        }
        try printJSON(["bytes": bytes])
    }
}

struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Takes one TCP connection from `stream` and says how fast bytes came.",
        discussion: """
            Prints "ready" when it listens, then {"bytes", "seconds", "bitsPerSecond"}, measured from the end of the first half
            second: before that, buffers fill at any speed.
            """)

    @Option(help: "TCP port.") var port: UInt16 = 5001
    @Option(help: "Give up when nobody comes for so long.") var waitSeconds: Double = 30

    func validate() throws {
        guard waitSeconds > 0, waitSeconds <= 3_600 else { throw ValidationError("--wait-seconds must be above 0 and at most 3600") }
    }

    func run() throws {
        Stop.onSignals()
        let listener = try Socket.listening(on: port, backlog: 1)
        print("ready")
        fflush(nil)
        let wait = Deadline(seconds: waitSeconds)
        while !listener.isReadable(withinNanoseconds: 100_000_000) {
            guard !wait.isReached else { throw SystemError("measure: nobody connected", code: ETIMEDOUT) }
        }
        let peer = Socket(descriptor: accept(listener.descriptor, nil, nil))
        guard peer.descriptor >= 0 else { throw SystemError("accept a connection") }
        peer.setTimeout(SO_RCVTIMEO, milliseconds: 5_000)

        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        let opened = Clock.monotonic()
        var start: UInt64?
        var last = opened
        var bytes = 0
        while !Stop.isRequested {
            let count = recv(peer.descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { throw SystemError("read from the other side") }
            guard count > 0 else { break }
            last = Clock.monotonic()
            if start != nil { bytes += count } else if last - opened > 500_000_000 { start = last }
        }
        let seconds = Double(last - (start ?? last)) / 1e9
        try printJSON(Result(bytes: bytes, seconds: seconds, bitsPerSecond: seconds > 0 ? Double(bytes) * 8 / seconds : 0))
    }

    struct Result: Encodable {
        var bytes: Int
        var seconds: Double
        var bitsPerSecond: Double
    }
}
