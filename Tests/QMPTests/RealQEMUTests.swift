import Foundation
import Glibc
import QMP
import Testing

@Suite(
    .timeLimit(.minutes(2)), .serialized,
    .enabled(if: RealQEMU.isInstalled, "needs /usr/bin/qemu-system-x86_64 (Debian: qemu-system-x86)"))
struct RealQEMUTests {
    @Test("Asks a QEMU without a machine, and ends it")
    func noMachine() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            let client = qemu.client
            #expect(client.greeting.version.major >= 7)
            #expect(client.greeting.capabilities.contains("oob"))
            #expect(try await client.execute(.queryVersion) == client.greeting.version)
            #expect(try await client.execute(.queryMachines).contains { $0.alias == "q35" })
            #expect(try await client.execute(.queryCPUDefinitions).contains { $0.name == "qemu64" && $0.unavailableFeatures == [] })
            let capabilities = try await client.execute(.queryMigrateCapabilities).map(\.capability)
            for known in QMPMigrationCapability.known { #expect(capabilities.contains(known), "\(known)") }
            let events = await client.events()
            try await client.quit()
            #expect(await events.reduce(into: []) { $0.append($1.kind) } == [.shutdown(reason: .hostQMPQuit, byGuest: false)])
            #expect(try await client.whenClosed(within: .seconds(5)) == .closedByQEMU)
        }
    }

    @Test("A second client waits, is told why, and gets in when the first leaves")
    func oneClientAtATime() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            let error = try await failure { () async throws(QMPError) in
                try await QMPClient.connect(to: qemu.socketPath, within: .milliseconds(300), logger: quiet)
            }
            #expect(error == .cannotConnect(socketPath: qemu.socketPath, .noGreeting(within: .milliseconds(300))))
            #expect(error.description.contains("one client at a time"))

            async let waiting = QMPClient.connect(to: qemu.socketPath, within: .seconds(20), logger: quiet)
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await qemu.client.execute(.queryStatus).status == .running)
            await qemu.client.close()
            #expect(try await waiting.execute(.queryStatus).status == .running)
        }
    }

    @Test("A stopped QEMU: timeout; when it goes on, its late reply is not taken for another")
    func stoppedProcess() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            kill(qemu.processID, SIGSTOP)
            let error = try await failure { () async throws(QMPError) in
                try await qemu.client.execute(.queryVersion, within: .milliseconds(200))
            }
            #expect(error == .timeout(command: "query-version", deadline: .milliseconds(200)))
            kill(qemu.processID, SIGCONT)
            #expect(try await qemu.client.execute(.queryStatus).status == .running)
        }
    }

    @Test("A killed QEMU: whatever waits fails at once")
    func killedProcess() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            kill(qemu.processID, SIGSTOP)  // so that it cannot answer before it dies
            async let error = failure { () async throws(QMPError) in try await qemu.client.execute(.queryStatus, within: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(50))
            kill(qemu.processID, SIGKILL)
            #expect(try await error == .disconnected(.closedByQEMU, command: "query-status"))
        }
    }

    @Test("Hundreds of commands in turn on one connection")
    func manyInTurn() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            for _ in 0..<300 {
                let status = try await qemu.client.execute(.queryStatus).status
                #expect(status == .running)
            }
        }
    }

    @Test("More commands side by side than QEMU queues: each gets its own reply")
    func manyAtOnce() async throws {
        try await RealQEMU.run(["-machine", "none"]) { qemu in
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 0..<100 {
                    // The human monitor's calculator.
                    group.addTask { (number, try await qemu.client.execute(.humanMonitorCommand("print/d \(number)"))) }
                }
                for try await (number, reply) in group { #expect(reply == "\(number)\r\n") }
            }
        }
    }

    private static let machine = ["-machine", "q35,accel=tcg", "-m", "64"]

    @Test("A real live migration: every event, in order, on both ends", arguments: ["tcp", "unix"])
    func liveMigration(transport: String) async throws {
        let path = "/tmp/apus-qmp-stream-\(getpid()).sock"
        defer { unlink(path) }
        try await RealQEMU.run(Self.machine) { source in
            try await RealQEMU.run(Self.machine + ["-incoming", "defer"]) { destination in
                let (from, to) = (source.client, destination.client)
                let (sourceEvents, destinationEvents) = (await from.events(), await to.events())
                for client in [from, to] {
                    try await client.execute(.migrateSetCapabilities([.events: true, .multifd: true, .pauseBeforeSwitchover: true]))
                    try await client.execute(.migrateSetParameters(QMPMigrationParameters(multifdChannels: 2)))
                }
                #expect(try await to.execute(.queryStatus).status == .incomingMigration)
                let uri: String
                if transport == "tcp" {
                    try await to.execute(.migrateIncoming(at: "tcp:127.0.0.1:0"))
                    let address = try #require(try await to.execute(.queryMigrate).socketAddresses?.first)
                    uri = "tcp:127.0.0.1:\(try #require(address.port))"
                } else {
                    uri = "unix:\(path)"
                    try await to.execute(.migrateIncoming(at: uri))
                }
                try await from.execute(
                    .migrateSetParameters(
                        QMPMigrationParameters(downtimeLimitMilliseconds: 500, maxBandwidthBytesPerSecond: 1 << 30)))
                try await from.execute(.migrate(to: uri))
                var before: [QMPEvent] = []
                for await event in sourceEvents {
                    before.append(event)
                    if event.kind == .migration(.failed) { break }
                    guard event.kind == .migration(.preSwitchover) else { continue }
                    try await from.execute(.migrateContinue())
                    break
                }
                let after = await sourceEvents.until(.migration(.completed))
                let received = await destinationEvents.until(.migration(.completed))

                let sent = (before + after).map(\.kind)
                #expect(
                    sent.filter { if case .migrationPass = $0 { false } else { true } } == [
                        .migration(.setup), .migration(.active), .stop, .migration(.preSwitchover), .migration(.device),
                        .migration(.completed),
                    ])
                let passes = sent.compactMap { if case .migrationPass(let pass) = $0 { pass } else { nil } }
                #expect(passes.count >= 2 && passes == Array(1...max(passes.count, 1)))
                #expect(received.map(\.kind) == [.migration(.setup), .migration(.active), .resume, .migration(.completed)])
                let stopped = try #require((before + after).first { $0.kind == .stop }?.microsecondsSince1970)
                let resumed = try #require(received.first { $0.kind == .resume }?.microsecondsSince1970)
                #expect((0..<30_000_000).contains(resumed - stopped), "the destination resumes after the source stopped")

                let info = try await from.execute(.queryMigrate)
                #expect(info.status == .completed && info.memory?.remainingBytes == 0)
                #expect(try await from.execute(.queryStatus).status == .postMigrate)
                #expect(try await to.execute(.queryStatus).status == .running)
                try await from.quit()
                #expect(try await to.execute(.queryStatus).running)
                try await to.quit()
            }
        }
    }

    @Test("A cancelled migration leaves the machine running, and the next one can start")
    func cancelledMigration() async throws {
        try await RealQEMU.run(Self.machine) { source in
            try await RealQEMU.run(Self.machine + ["-incoming", "defer"]) { destination in
                try await destination.client.execute(.migrateIncoming(at: "tcp:127.0.0.1:0"))
                let address = try #require(try await destination.client.execute(.queryMigrate).socketAddresses?.first)
                let client = source.client
                let events = await client.events()
                try await client.execute(.migrateSetCapabilities([.events: true]))
                try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxBandwidthBytesPerSecond: 100_000)))
                try await client.execute(.migrate(to: "tcp:127.0.0.1:\(try #require(address.port))"))
                _ = await events.until(.migration(.active))
                let again = try await failure { () async throws(QMPError) in try await client.execute(.migrate(to: "tcp:127.0.0.1:1")) }
                #expect(again.description.contains("There's a migration process in progress"))
                try await client.execute(.migrateCancel)
                _ = await events.until(.migration(.cancelled))
                #expect(try await client.execute(.queryMigrate).status == .cancelled)
                #expect(try await client.execute(.queryStatus).running)
                try await client.execute(.migrate(to: "tcp:127.0.0.1:1"))
                _ = await events.until(.migration(.failed))
                #expect(try await client.execute(.queryMigrate).errorText?.contains("Connection refused") == true)
                #expect(try await client.execute(.queryStatus).running)
            }
        }
    }
}
