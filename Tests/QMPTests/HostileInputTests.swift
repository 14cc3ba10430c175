import Foundation
import Glibc
import QMP
import Testing

/// Whatever comes through the socket, the client answers with an error: it does not trap, hang, grow or mix replies up.
@Suite(.timeLimit(.minutes(2)))
struct HostileInputTests {
    private static let deepEvent = eventLine("X", data: #"{"a": "# + nested(1_000) + "}")
    private static let bigEvent = eventLine("X", data: #"{"a": ""# + String(repeating: "x", count: 70_000) + #""}"#)
    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test(
        "Garbage instead of a greeting: refused with a reason",
        arguments: [
            "SSH-2.0-OpenSSH_9.2p1", "{}", "[]", "null", "7", #""QMP""#, #"{"QMP": 5}"#,
            #"{"QMP": {"version": {}, "capabilities": []}}"#,
            #"{"QMP": {"version": {"qemu": {"major": 1e400, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}"#,
            #"{"QMP": {"version": {"qemu": {"major": "7", "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}"#,
            #"{"return": {}, "id": "1"}"#, #"{"error": {"class": "GenericError", "desc": "no"}}"#,
            "{\"QMP\": ", "\u{0}\u{1}\u{2}", #"{"QMP": {"version": "\ud800"}}"#, "", nested(100_000), deepEvent, bigEvent,
        ])
    func noGreeting(line: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.line(line)
            peer.untilClosed()
        }
        let error = try await failure { () async throws(QMPError) in try await QMPClient.connect(to: server.path, logger: quiet) }
        guard case .cannotConnect(server.path, .ended(.protocolViolation)) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.contains("QEMU broke the protocol"))
        #expect(error.description.count < 500, "the message is for people, not a copy of the garbage")
    }

    @Test(
        "Nonsense after the greeting ends the connection and fails what waits",
        arguments: [
            "", "garbage", "{}", "[1,2]", #"{"return": {}}"#, #"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#,
            #"{"error": 5, "id": "x"}"#, #"{"error": {"class": 1, "desc": []}, "id": "x"}"#, greetingLine, deepEvent, bigEvent,
            #"{"event": 5, "timestamp": {"seconds": 1, "microseconds": 1}}"#, #"{"event": "STOP"}"#,
            #"{"event": "STOP", "timestamp": 5}"#, #"{"event": "STOP", "timestamp": {"seconds": "1", "microseconds": 1}}"#,
            eventLine("STOP", seconds: .max, microseconds: 5), eventLine("STOP", seconds: .min, microseconds: 5),
            eventLine("STOP", seconds: 9_223_372_036_854, microseconds: 999_999), eventLine("STOP", microseconds: 1_000_000),
            eventLine("STOP", microseconds: .max), eventLine("STOP", microseconds: -5), eventLine("STOP", data: "[]"),
            eventLine("MIGRATION"), eventLine("MIGRATION", data: #"{"status": 5}"#),
            eventLine("MIGRATION_PASS", data: #"{"pass": 1e99}"#), eventLine("SHUTDOWN", data: #"{"guest": "no", "reason": "none"}"#),
            eventLine("BLOCK_IO_ERROR", data: "{}"),
        ])
    func nonsense(line: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            _ = try peer.command()
            try peer.line(line)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus) }
        guard case .disconnected(.protocolViolation(let reason), command: "query-status") = error else {
            Issue.record("\(error)")
            return
        }
        #expect(!reason.isEmpty && reason.count < 500)
        #expect(try await client.whenClosed(within: .seconds(5)) == .protocolViolation(reason))
    }

    @Test(
        "A reply of the wrong type fails its command only",
        arguments: [
            "5", "[]", "null", #""running""#, "{}", #"{"status": 5, "running": true}"#, #"{"status": "running", "running": "yes"}"#,
            #"{"status": "running", "running": 1}"#,
        ])
    func wrongType(value: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.reply(to: peer.command().id, value)
            try peer.reply(to: peer.command().id, runningReply)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus) }
        guard case .protocolViolation(_, command: "query-status") = error else {
            Issue.record("\(error)")
            return
        }
        #expect(try await client.execute(.queryStatus).running)
    }

    @Test(
        "Numbers out of range fail the command, and do not trap",
        arguments: ["-1", "18446744073709551616", "1e300", "1.5", "\"7\""])
    func numbers(number: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.reply(to: peer.command().id, #"{"base-memory": \#(number)}"#)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryMemorySizeSummary) }
        guard case .protocolViolation(_, command: "query-memory-size-summary") = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test("Replies that nobody asked for are dropped", arguments: [#""c1""#, #""""#, "5", "null", "[]", #""apus-1-1""#])
    func unknownID(id: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let command = try peer.command()
            try peer.line(#"{"return": {"status": "shutdown", "running": false}, "id": \#(id)}"#)
            try peer.line(#"{"error": {"class": "GenericError", "desc": "not yours"}, "id": \#(id)}"#)
            try peer.reply(to: command.id, runningReply)
            try peer.reply(to: command.id, #"{"status": "again", "running": false}"#)
            try peer.reply(to: peer.command().id, runningReply)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        for _ in 0..<2 { #expect(try await client.execute(.queryStatus).status == .running) }
    }

    @Test("Packets cut anywhere: byte by byte, and two messages in one")
    func packets() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            let first = try peer.command().id
            let slowly = "\(eventLine("STOP"))\r\n" + #"{"return": \#(runningReply), "id": "\#(first)"}"# + "\r\n"
            for byte in slowly.utf8 { try peer.send([byte]) }
            let second = try peer.command().id
            let third = try peer.command().id
            let replies = [third, second].map { #"{"return": \#(runningReply), "id": "\#($0)"}"# }
            try peer.send("\(replies[0])\n\(eventLine("RESUME"))\r\n\(replies[1])\n{\"ret")
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        var events = await client.events().makeAsyncIterator()
        #expect(try await client.execute(.queryStatus).running)
        async let second = client.execute(.queryStatus)
        async let third = client.execute(.queryStatus)
        #expect(try await second.running)
        #expect(try await third.running)
        #expect(await events.next()?.kind == .stop)
        #expect(await events.next()?.kind == .resume)
    }

    @Test("Closed in the middle of a reply", arguments: ["", "{", #"{"return": {"status": "running", "running": tr"#])
    func cutReply(start: String) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            _ = try peer.command()
            try peer.send(start)
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus) }
        #expect(error == .disconnected(.closedByQEMU, command: "query-status"))
    }

    @Test("Closed before or within the greeting", arguments: ["", #"{"QMP": {"version""#])
    func cutGreeting(start: String) async throws {
        let server = try FakeMonitor { peer, _ in try peer.send(start) }
        let error = try await failure { () async throws(QMPError) in try await QMPClient.connect(to: server.path, logger: quiet) }
        #expect(error == .cannotConnect(socketPath: server.path, .ended(.closedByQEMU)))
    }

    @Test("Megabytes without a line end are cut off at the limit", arguments: [UInt8(ascii: "["), UInt8(ascii: "\""), 0, 0xff])
    func endlessLine(byte: UInt8) async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            _ = try peer.command()
            let megabyte = [UInt8](repeating: byte, count: 1 << 20)
            for _ in 0..<40 { try peer.send(megabyte) }
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let error = try await failure { () async throws(QMPError) in try await client.execute(.queryStatus, within: .seconds(30)) }
        #expect(error == .disconnected(.protocolViolation("a message is longer than 16 MiB"), command: "query-status"))
    }

    @Test("A long reply below the limit is taken, nested values below the limit too")
    func longReply() async throws {
        let text = String(repeating: "0123456789abcdef", count: 1 << 18)  // 4 MiB
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.reply(to: peer.command().id, "\"\(text)\"")
            try peer.line(eventLine("X", data: #"{"a": "# + Self.nested(250) + "}"))
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        var events = await client.events().makeAsyncIterator()
        #expect(try await client.execute(.humanMonitorCommand("x"), within: .seconds(30)) == text)
        #expect(await events.next()?.name == "X")
    }

    @Test("Values that are not known here are kept")
    func unknownValues() async throws {
        let server = try FakeMonitor { peer, _ in
            try peer.welcome()
            try peer.line(eventLine("MIGRATION", data: #"{"status": "teleporting"}"#))
            try peer.line(
                eventLine("NEW_EVENT", data: #"{"big": 18446744073709551615, "real": -0.5, "none": null, "list": [1, "a", true]}"#))
            try peer.line(eventLine("STOP", seconds: -1, microseconds: -1))
            try peer.line(eventLine("RESET", data: #"{"guest": true, "reason": "cosmic-ray", "more": {}}"#))
            try peer.reply(to: peer.command().id, #"{"status": "levitating", "running": false, "height": 3}"#)
            try peer.reply(to: peer.command().id, #"{"status": "hovering", "ram": null}"#)
            peer.untilClosed()
        }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        var events = await client.events().makeAsyncIterator()
        #expect(try await client.execute(.queryStatus).status == .other("levitating"))
        #expect(try await client.execute(.queryMigrate).status == .other("hovering"))
        #expect(await events.next()?.kind == .migration(.other("teleporting")))
        let new = try #require(await events.next())
        #expect(new.kind == .other && new.name == "NEW_EVENT")
        #expect(new.data == ["big": .unsigned(.max), "real": .number(-0.5), "none": .null, "list": [1, "a", true]])
        let stop = try #require(await events.next())
        #expect(stop.kind == .stop && stop.microsecondsSince1970 == nil && stop.date == nil)
        #expect(await events.next()?.kind == .reset(reason: .other("cosmic-ray"), byGuest: true))
    }
}
