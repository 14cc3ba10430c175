import Foundation
import Glibc
import QMP
import Synchronization
import Testing

/// Sockets that are late, missing, busy or not sockets; and connections that come back.
@Suite(.timeLimit(.minutes(1)))
struct ConnectingTests {
    private func connectError(_ path: String, within deadline: Duration) async throws -> QMPError {
        try await failure { () async throws(QMPError) in try await QMPClient.connect(to: path, within: deadline, logger: quiet) }
    }

    @Test("A socket that is missing until the deadline")
    func missing() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let error = try await connectError("/tmp/apus-qmp-nothing-here.sock", within: .milliseconds(150))
        #expect(
            error
                == .cannotConnect(
                    socketPath: "/tmp/apus-qmp-nothing-here.sock", .noListener(within: .milliseconds(150), errno: ENOENT)))
        #expect((.milliseconds(50)..<Duration.seconds(3)).contains(clock.now - start))
        #expect(error.description.contains("No such file or directory") && error.description.contains("Check that this QEMU runs"))
    }

    @Test("A socket that appears while it is awaited")
    func late() async throws {
        let path = "/tmp/apus-qmp-late-\(getpid()).sock"
        defer { unlink(path) }
        async let connecting = QMPClient.connect(to: path, logger: quiet)
        try await Task.sleep(for: .milliseconds(100))
        let late = try FakeMonitor { peer, _ in
            try peer.welcome()
            peer.untilClosed()
        }
        try #require(symlink(late.path, path) == 0)
        #expect(try await connecting.greeting.version.major == 7)
    }

    @Test("Final failures are reported at once, not after the deadline")
    func final() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(try await connectError(long, within: .seconds(30)) == .cannotConnect(socketPath: long, .system(errno: ENAMETOOLONG)))
        #expect(try await connectError("", within: .seconds(30)) == .cannotConnect(socketPath: "", .system(errno: ENAMETOOLONG)))
        let inFile = "/etc/passwd/x"
        #expect(try await connectError(inFile, within: .seconds(30)) == .cannotConnect(socketPath: inFile, .system(errno: ENOTDIR)))
        #expect(clock.now - start < .seconds(10))
    }

    @Test("A monitor that serves somebody else: no greeting, and the error says so")
    func busy() async throws {
        let server = try FakeMonitor { peer, _ in peer.untilClosed() }
        let error = try await connectError(server.path, within: .milliseconds(200))
        #expect(error == .cannotConnect(socketPath: server.path, .noGreeting(within: .milliseconds(200))))
        #expect(error.description.contains("QEMU serves one client at a time"))
    }

    @Test("A monitor whose queue is full: the error says so")
    func queueFull() async throws {
        let path = "/tmp/apus-qmp-full-\(getpid()).sock"
        let listener = try FakeMonitor.listen(at: path, backlog: 0)
        defer {
            close(listener)
            unlink(path)
        }
        // The first fills the queue of a listener that accepts nobody.
        let first = try await connectError(path, within: .milliseconds(50))
        #expect(first == .cannotConnect(socketPath: path, .noGreeting(within: .milliseconds(50))))
        let second = try await connectError(path, within: .milliseconds(50))
        #expect(second == .cannotConnect(socketPath: path, .noListener(within: .milliseconds(50), errno: EAGAIN)))
        #expect(second.description.contains("end the other clients"))
    }

    @Test("Cancelled while it waits for a listener or for the greeting", arguments: [true, false])
    func cancelled(listens: Bool) async throws {
        let server = try FakeMonitor { peer, _ in peer.untilClosed() }
        let path = listens ? server.path : "/tmp/apus-qmp-nothing-here.sock"
        let task = Task { try await connectError(path, within: .seconds(50)) }
        try await Task.sleep(for: .milliseconds(50))
        let clock = ContinuousClock()
        let start = clock.now
        task.cancel()
        #expect(try await task.value == .cancelled(command: "connecting to \(path)"))
        #expect(clock.now - start < .seconds(5))
    }

    @Test("The negotiation is refused: the error says why, and the connection is closed")
    func negotiationRefused() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.line(greetingLine)
            let id = try peer.command().id
            try peer.line(#"{"error": {"class": "GenericError", "desc": "no"}, "id": "\#(id)"}"#)
            peer.untilClosed()
        }
        #expect(
            try await connectError(server.path, within: .seconds(5))
                == .refused(class: "GenericError", text: "no", command: "qmp_capabilities"))
    }

    @Test("A process that this one starts does not inherit the connection")
    func notInherited() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let ours = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { CInt($0) }
            .filter { peerPath(of: $0) == server.path }
        #expect(ours.count == 1)
        #expect(ours.allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 })
        await client.close()
    }

    /// The path of the listener that a socket is connected to.
    private func peerPath(of descriptor: CInt) -> String? {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let found = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        guard found == 0, address.sun_family == sa_family_t(AF_UNIX) else { return nil }
        return withUnsafeBytes(of: address.sun_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    @Test("Following a monitor: a lost connection comes back with a hole, until QEMU is gone")
    func reconnecting() async throws {
        let server = try FakeMonitor { peer, number in
            try peer.welcome()
            try peer.line(eventLine(number == 0 ? "STOP" : "RESUME"))
            // The first connection ends by itself, the second breaks the protocol, the third is the last.
            if number == 1 { try peer.line("garbage") }
        }
        let connections = Mutex(0)
        let monitor = ReconnectingQMPMonitor(socketPath: server.path, firstPause: .milliseconds(1), logger: quiet) {
            connections.withLock { $0 } < 3
        }
        var story: [String] = []
        let end = try await monitor.run { report in
            switch report {
            case .connected(_, let hole):
                connections.withLock { $0 += 1 }
                story.append("connected\(hole.map { " after: \($0)" } ?? "")")
            case .event(let event): story.append(event.name)
            case .disconnected: story.append("disconnected")
            }
        }
        #expect(end == .qemuEnded(.closedByQEMU))
        #expect(story.count == 9)
        #expect(Array(story.prefix(5)) == ["connected", "STOP", "disconnected", "connected after: QEMU closed the connection", "RESUME"])
        #expect(story.dropFirst(6).first?.hasPrefix("connected after: QEMU broke the protocol") == true)
        #expect(Array(story.suffix(2)) == ["RESUME", "disconnected"])
    }

    @Test("Following ends when its client is closed, and when its task is cancelled", arguments: [true, false])
    func followingEnds(byClosing: Bool) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            peer.untilClosed()
        }
        let (connected, connecting) = AsyncStream.makeStream(of: QMPClient.self)
        let monitor = ReconnectingQMPMonitor(socketPath: server.path, logger: quiet) { true }
        let task = Task {
            do throws(QMPError) {
                let end = try await monitor.run { report in if case .connected(let client, _) = report { connecting.yield(client) } }
                return end == .closed ? "closed" : "ended"
            } catch { return "\(error)" }
        }
        var clients = connected.makeAsyncIterator()
        let client = try #require(await clients.next())
        if byClosing { await client.close() } else { task.cancel() }
        let cancelled = QMPError.cancelled(command: "following the monitor at \(server.path)")
        #expect(await task.value == (byClosing ? "closed" : cancelled.description))
    }
}
