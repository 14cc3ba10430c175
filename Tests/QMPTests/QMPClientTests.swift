import Foundation
import Glibc
import QMP
import Testing

/// The client against a server that behaves, in every order that QMP allows.
@Suite(.timeLimit(.minutes(1)))
struct QMPClientTests {
    @Test("Connects, negotiates out-of-band execution, keeps the greeting")
    func connects() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.line(greetingLine)
            let command = try peer.command()
            guard command.name == "qmp_capabilities", command.arguments["enable"] as? [String] == ["oob"] else { return }
            try peer.reply(to: command.id)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        #expect(client.greeting.version == QEMUVersion(major: 7, minor: 2, micro: 22, package: "Debian 1:7.2"))
        #expect(client.greeting.version >= QEMUVersion(major: 7, minor: 2, micro: 0, package: ""))
        #expect(client.greeting.capabilities == ["oob"])
        await client.close()
        #expect(try await client.whenClosed(within: .seconds(1)) == .closedByClient)
    }

    @Test("A refusal keeps QEMU's class and text")
    func refusal() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let command = try peer.command()
            try peer.line(#"{"id": "\#(command.id)", "error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}}"#)
            try peer.reply(to: peer.command().id, runningReply)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.setLink("x", up: false)) }
        #expect(error == .refused(class: "DeviceNotFound", text: "Device 'x' not found", command: "set_link"))
        #expect(error.description == "QEMU refused set_link: Device 'x' not found (DeviceNotFound).")
        #expect(try await client.execute(.queryStatus).running)
    }

    @Test("Replies find their command in whatever order they come")
    func outOfOrder() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let commands = try (0..<6).map { _ in try peer.command() }
            for command in commands.reversed() {
                let line = command.arguments["command-line"] as? String ?? ""
                try peer.reply(to: command.id, "\"\(line)\"")
            }
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        try await withThrowingTaskGroup(of: (String, String).self) { group in
            for number in 0..<6 {
                group.addTask { ("\(number)", try await client.execute(.humanMonitorCommand("\(number)"))) }
            }
            for try await (asked, answered) in group { #expect(asked == answered) }
        }
    }

    @Test("Events before the greeting, in the negotiation and between replies are all there, in order")
    func eventOrder() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.line(eventLine("STOP"))
            try peer.line(greetingLine)
            let negotiation = try peer.command()
            try peer.line(eventLine("MIGRATION", data: #"{"status": "setup"}"#))
            try peer.reply(to: negotiation.id)
            try peer.line(eventLine("MIGRATION_PASS", data: #"{"pass": 1}"#))
            let command = try peer.command()
            try peer.line(eventLine("MIGRATION", data: #"{"status": "active"}"#))
            try peer.reply(to: command.id, runningReply)
            try peer.line(eventLine("RESUME"))
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let events = await client.events()
        try await client.execute(.queryStatus)
        var kinds: [QMPEvent.Kind] = []
        for await event in events { kinds.append(event.kind) }
        #expect(kinds == [.stop, .migration(.setup), .migrationPass(1), .migration(.active), .resume])
    }

    @Test("A subscription after a command starts with the events after it")
    func laterSubscription() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.line(eventLine("STOP"))
            for _ in 0..<2 { try peer.reply(to: peer.command().id, runningReply) }
            try peer.line(eventLine("RESUME"))
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        try await client.execute(.queryStatus)
        let first = await client.events()
        let second = await client.events()
        try await client.execute(.queryStatus)
        for stream in [first, second] {
            var names: [String] = []
            for await event in stream { names.append(event.name) }
            #expect(names == ["RESUME"])
        }
        var afterEnd = await client.events().makeAsyncIterator()
        #expect(await afterEnd.next() == nil)
    }

    @Test("A slow reader loses the events that find no room, and is told how many and where")
    func slowReader() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let command = try peer.command()
            for pass in 0..<1_000 { try peer.line(eventLine("MIGRATION_PASS", data: #"{"pass": \#(pass)}"#)) }
            try peer.reply(to: command.id, runningReply)
            let second = try peer.command()
            try peer.line(eventLine("RESUME"))
            try peer.reply(to: second.id, runningReply)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        var events = await client.events().makeAsyncIterator()
        try await client.execute(.queryStatus)  // all thousand have arrived when this is answered
        for pass in 0..<512 { #expect(await events.next()?.kind == .migrationPass(pass)) }
        try await client.execute(.queryStatus)
        #expect(await events.next()?.kind == .eventsLost(488))
        #expect(await events.next()?.kind == .resume)
    }

    @Test("A deadline passes: timeout, and the late reply confuses nobody")
    func timeout() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let late = try peer.command()
            let next = try peer.command()
            try peer.reply(to: late.id, #""late""#)
            try peer.reply(to: next.id, #""next""#)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let clock = ContinuousClock()
        let start = clock.now
        let error = try await failure { () async throws(QMPError) in
            try await client.execute(.humanMonitorCommand("a"), within: .milliseconds(100))
        }
        #expect(error == .timeout(command: "human-monitor-command", deadline: .milliseconds(100)))
        #expect(error.description.contains("may still carry the command out"))
        #expect((.milliseconds(95)..<Duration.seconds(5)).contains(clock.now - start))
        #expect(try await client.execute(.humanMonitorCommand("b")) == "next")
    }

    @Test("Deadlines of any size are taken", arguments: [Duration.seconds(Int64.max), .seconds(-5), .zero])
    func extremeDeadlines(deadline: Duration) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            if deadline > .zero { try peer.reply(to: peer.command().id, runningReply) }
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        if deadline > .zero {
            #expect(try await client.execute(.queryStatus, within: deadline).running)
        } else {
            let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus, within: deadline) }
            #expect(error == .timeout(command: "query-status", deadline: deadline))
        }
    }

    @Test("Cancelling the task ends the wait at once", arguments: [0, 50])
    func cancellation(afterMilliseconds: Int) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            while try peer.command().name != "stop" {}
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let task = Task { try await failure { () async throws(QMPError) in try await client.execute(.queryStatus, within: .seconds(30)) } }
        try await Task.sleep(for: .milliseconds(afterMilliseconds))
        let clock = ContinuousClock()
        let start = clock.now
        task.cancel()
        #expect(try await task.value == .cancelled(command: "query-status"))
        #expect(clock.now - start < .seconds(5))
    }

    @Test("A QEMU that owes six replies gets only commands out of band, and the next one when it has answered")
    func outOfBandOvertakes() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let owed = try (0..<6).map { _ in try peer.command() }
            let urgent = try peer.command()
            guard urgent.name == "migrate-pause", urgent.isOutOfBand else { return }
            try peer.reply(to: urgent.id)
            guard try peer.command().isOutOfBand else { return }
            for command in owed { try peer.reply(to: command.id, runningReply) }
            try peer.reply(to: peer.command().id, runningReply)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        for _ in 0..<6 {
            let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus, within: .zero) }
            #expect(error == .timeout(command: "query-status", deadline: .zero))
        }
        let error = try await failure { () async throws(QMPError) in try await client.execute(.cont, within: .milliseconds(50)) }
        #expect(error == .tooManyUnanswered(6, command: "cont"))
        try await client.execute(.migratePause)
        // The six are answered after the second urgent one, and then this one is sent; what was refused above never is.
        async let waits = client.execute(.queryStatus)
        let second = try await failure { () async throws(QMPError) in try await client.execute(.migratePause, within: .zero) }
        #expect(second == .timeout(command: "migrate-pause", deadline: .zero))
        #expect(try await waits.running)
    }

    @Test("A QEMU that owes too many replies gets no more commands")
    func tooManyUnanswered() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        for _ in 0..<256 {
            let error = try await failure { () async throws(QMPError) in try await client.execute(.migratePause, within: .zero) }
            #expect(error == .timeout(command: "migrate-pause", deadline: .zero))
        }
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus) }
        #expect(error == .tooManyUnanswered(256, command: "query-status"))
    }

    @Test("The end of the connection fails what waits, finishes the streams, and frees the monitor")
    func ending() async throws {
        let server = try FakeMonitor { peer, number in
            try peer.welcome()
            if number == 0 { _ = try peer.command() } else { peer.untilClosed() }
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let events = await client.events()
        let error = try await failure { () async throws(QMPError) in try await client.execute(.cont) }
        #expect(error == .disconnected(.closedByQEMU, command: "cont"))
        for await event in events { Issue.record("unexpected \(event)") }
        #expect(try await client.whenClosed(within: .seconds(1)) == .closedByQEMU)
        let after = try await failure { () async throws(QMPError) in try await client.execute(.cont) }
        #expect(after == .disconnected(.closedByQEMU, command: "cont"))

        let second = try await QMPClient.connect(to: server.path, logger: quiet)
        let timeout = try await failure { () async throws(QMPError) in try await second.whenClosed(within: .milliseconds(20)) }
        #expect(timeout == .timeout(command: "the end of the monitor connection", deadline: .milliseconds(20)))
        await second.close()
        await second.close()
    }

    @Test("The connection lives as long as the client or a stream of its events is held")
    func dropping() async throws {
        let (left, leaving) = AsyncStream.makeStream(of: Void.self)
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.reply(to: peer.command().id, runningReply)
            // Time for a client that was dropped too early to leave before this event.
            usleep(100_000)
            try peer.line(eventLine("STOP"))
            peer.untilClosed()
            leaving.yield()
        }
        let firstEvent = try await Self.firstEvent(of: server)
        #expect(firstEvent?.kind == .stop)
        var closed = left.makeAsyncIterator()
        #expect(await closed.next() != nil)
    }

    /// Holds the client only until its command is answered, and the stream until its first event.
    private static func firstEvent(of server: FakeMonitor) async throws -> QMPEvent? {
        func subscribe() async throws -> AsyncStream<QMPEvent> {
            let client = try await QMPClient.connect(to: server.path, logger: quiet)
            let events = await client.events()
            try await client.execute(.queryStatus)
            return events
        }
        for await event in try await subscribe() { return event }
        return nil
    }
}
