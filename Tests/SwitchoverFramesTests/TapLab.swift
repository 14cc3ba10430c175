import Foundation
import Subprocess
import Testing

@testable import SwitchoverFrames

/// A network namespace with a bridge: `outside` reaches it over a veth pair, and two taps are its ports, the guest's old place
/// (`source`, up) and its new one (`destination`, down). What a node and the next one see, in one namespace.
struct TapLab: Sendable {
    let namespace: String

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Makes the namespace, runs `body` and removes the namespace whatever happened.
    static func with(_ body: (TapLab) async throws -> Void) async throws {
        let lab = TapLab(namespace: "apus-frames-\(getpid())-\(UInt16.random(in: 0 ... .max))")
        let result: Result<Void, any Error>
        do {
            try await lab.build()
            try await body(lab)
            result = .success(())
        } catch { result = .failure(error) }
        try await ip("netns", "del", lab.namespace)
        try result.get()
    }

    private func build() async throws {
        try await Self.ip("netns", "add", namespace)
        // No addresses of its own, so that no frame comes that the test did not send.
        try inside {
            for interface in ["all", "default"] {
                try "1".write(toFile: "/proc/sys/net/ipv6/conf/\(interface)/disable_ipv6", atomically: false, encoding: .utf8)
            }
        }
        try await command("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        try await command("link", "add", "outside", "type", "veth", "peer", "name", "uplink")
        for tap in ["source", "destination"] { try await command("tuntap", "add", tap, "mode", "tap", "vnet_hdr") }
        // As the node's own taps are made.
        for tap in ["source", "destination"] { try await command("link", "set", tap, "txqueuelen", "8192") }
        for port in ["uplink", "source", "destination"] { try await command("link", "set", port, "master", "br0") }
        for interface in ["br0", "outside", "uplink", "source"] { try await command("link", "set", interface, "up") }
    }

    func command(_ arguments: String...) async throws { try await Self.run(["-n", namespace] + arguments) }
    private static func ip(_ arguments: String...) async throws { try await run(arguments) }

    private static func run(_ arguments: [String]) async throws {
        let result = try await Subprocess.run(
            .name("ip"), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 4_096))
        guard result.terminationStatus.isSuccess else {
            throw Failure(description: "ip \(arguments.joined(separator: " ")): \(result.standardError)")
        }
    }

    /// Runs `body` on a thread that is in the namespace, as the node service is in its node's. Sockets made there stay there.
    func inside<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let path = "/run/netns/\(namespace)"
        let box = ResultBox<Value>()
        let thread = Thread {
            box.finish(
                Result {
                    // The C library's header hides setns(2) from Swift, the library has it.
                    typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
                    guard let symbol = dlsym(nil, "setns") else { throw Failure(description: "no setns in the C library") }
                    let file = open(path, O_RDONLY | O_CLOEXEC)
                    defer { close(file) }
                    guard unsafeBitCast(symbol, to: SetNamespace.self)(file, 0x4000_0000) == 0 else {
                        throw Failure(description: "setns \(path): \(String(cString: strerror(errno)))")
                    }
                    return try body()
                })
        }
        thread.start()
        return try box.wait()
    }

    /// `@unchecked Sendable`: the semaphore orders the one write before the one read.
    private final class ResultBox<Value: Sendable>: @unchecked Sendable {
        private var result: Result<Value, any Error>?
        private let done = DispatchSemaphore(value: 0)
        func finish(_ result: Result<Value, any Error>) {
            self.result = result
            done.signal()
        }
        func wait() throws -> Value {
            guard done.wait(timeout: .now() + 20) == .success, let result else { throw Failure(description: "the thread did not answer") }
            return try result.get()
        }
    }

    /// A recorder on the old place, given time to learn the tap's count.
    func recorder(frameLimit: Int = 4_096) async throws -> FrameRecorder {
        let recorder = try inside { try FrameRecorder(interface: "source", mac: guest, frameLimit: frameLimit) }
        for _ in 0..<4 { _ = recorder.lastFrameFromGuest }
        return recorder
    }

    func injector() throws -> FrameInjector { try inside { try FrameInjector(interface: "destination", mac: guest) } }
    func outside() throws -> Wire { try inside { try Wire(interface: "outside") } }

    /// Takes the guest's end of a tap. Returns when the tap is ready: the kernel notices a reader in the background, and before that
    /// it drops what is sent.
    func tap(_ name: String) throws -> Tap {
        let tap = try inside { try Tap(name: name) }
        if name == "source" {
            let wire = try outside()
            for _ in 0..<200 {
                try wire.send(frame(to: broadcast, number: 7))
                if tap.take(within: 20) != nil { break }
            }
            _ = tap.takeAll()
        } else {
            // A tap that is down shows nothing; the kernel looks at such changes once a second.
            usleep(1_100_000)
        }
        return tap
    }
}

/// Sends hand-made frames from outside the bridge.
final class Wire: Sendable {
    private let socket: PacketSocket
    init(interface: String) throws { socket = try PacketSocket(interface: interface, guest: peer, filter: .groupsToGuest) }

    func send(_ frame: [UInt8], header: [UInt8] = plainHeader) throws {
        let answer = socket.send(header + frame)
        guard answer == 0 else { throw TapLab.Failure(description: "send: \(String(cString: strerror(-answer)))") }
    }
}

/// The guest's end of a tap, as QEMU holds it: takes frames one by one, and sends.
final class Tap: Sendable {
    private let file: Int32

    init(name: String) throws {
        file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw TapLab.Failure(description: "/dev/net/tun: \(String(cString: strerror(errno)))") }
        // struct ifreq: 16 bytes of name, then flags IFF_TAP, IFF_NO_PI, IFF_VNET_HDR (linux/if_tun.h).
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        request[16] = 0x02
        request[17] = 0x10 | 0x40
        guard ioctl(file, 0x4004_54ca, &request) == 0 else {
            close(file)
            throw TapLab.Failure(description: "TUNSETIFF \(name): \(String(cString: strerror(errno)))")
        }
        // TUNSETOFFLOAD: checksum, TSO for IPv4 and IPv6, as a Linux guest asks for. The argument is the value itself.
        guard ioctl(file, 0x4004_54d0, UnsafeMutableRawPointer(bitPattern: 0x7)!) == 0 else {
            close(file)
            throw TapLab.Failure(description: "TUNSETOFFLOAD \(name): \(String(cString: strerror(errno)))")
        }
    }
    deinit { close(file) }

    /// The next frame, `virtio_net_hdr` first; nil when none comes in time.
    func take(within milliseconds: Int32 = 500) -> [UInt8]? {
        var ready = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 70_000)
        let count = read(file, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// The numbers of the frames for the guest that are in the tap, until nothing comes for a while.
    func takeNumbers() -> [UInt32] {
        takeAll().filter { EthernetFrame.concerns(guest, $0) }.compactMap { number(of: $0) }
    }

    /// Everything that is in the tap, until nothing comes for a while.
    func takeAll() -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = take(within: 100) { frames.append(frame) }
        return frames
    }

    func send(_ frame: [UInt8]) throws {
        let bytes = plainHeader + frame
        guard write(file, bytes, bytes.count) == bytes.count else {
            throw TapLab.Failure(description: "write to tap: \(String(cString: strerror(errno)))")
        }
    }
}
