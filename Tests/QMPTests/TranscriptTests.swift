import Foundation
import QMP
import Testing

/// The typed commands and replies against what a real QEMU understood and said.
@Suite(.timeLimit(.minutes(1)))
struct TranscriptTests {
    /// Runs `story` against the transcript; every command must equal the recorded one, and none may be left out.
    private func replay(
        _ name: String, _ story: (QMPClient, AsyncStream<QMPEvent>) async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [QMPEvent] {
        let transcript = try Transcript(name)
        let differences = Transcript.Differences()
        let server = try FakeMonitor { peer, _ in try transcript.play(to: peer, differences: differences) }
        let client = try await QMPClient.connect(to: server.path, logger: quiet)
        let events = await client.events()
        do { try await story(client, events) } catch {
            Issue.record("\(error); \(differences.all)", sourceLocation: sourceLocation)
            throw error
        }
        #expect(differences.all.isEmpty, sourceLocation: sourceLocation)
        // The server closes after the last step, so a command that the story leaves out keeps this from ending in time.
        #expect(try await client.whenClosed(within: .seconds(10)) == .closedByQEMU, sourceLocation: sourceLocation)
        return await events.reduce(into: []) { $0.append($1) }
    }

    @Test("Host: version, machine types, CPU models")
    func hostQueries() async throws {
        let events = try await replay("host-queries") { client, _ in
            let version = try await client.execute(.queryVersion)
            #expect(version == client.greeting.version)
            #expect(version.description == "7.2.22")
            let kvm = try await client.execute(.queryKVM)
            #expect(!kvm.enabled && kvm.present)
            #expect(try await client.execute(.queryName).name == nil)
            #expect(try await client.execute(.queryStatus).running)
            let machines = try await client.execute(.queryMachines)
            let q35 = try #require(machines.first { $0.alias == "q35" })
            #expect(q35.name == "pc-q35-7.2" && q35.maximumCPUs == 288 && !q35.isDeprecated)
            #expect(machines.first { $0.isDefault == true }?.alias == "pc")
            let models = try await client.execute(.queryCPUDefinitions)
            #expect(models.first { $0.name == "phenom" }?.unavailableFeatures == ["fxsr-opt"])
            #expect(models.first { $0.name == "phenom" }?.aliasOf == "phenom-v1")
            #expect(models.first { $0.name == "qemu64" }?.unavailableFeatures == [])
            #expect(models.first { $0.name == "host" }?.isMigrationSafe == false)
            #expect(models.first { $0.name == "base" }?.isStatic == true)
            try await client.execute(.quit)
        }
        #expect(events.map(\.kind) == [.shutdown(reason: .hostQMPQuit, byGuest: false)])
    }

    private struct NoSuchCommand: QMPCommand { static let name = "no-such-command" }

    private func refusal<C: QMPCommand>(_ client: QMPClient, _ command: C) async throws -> QMPError {
        try await failure { () async throws(QMPError) in try await client.execute(command) }
    }

    @Test("Machine: state, disks, objects, network, dirty rate, refusals")
    func machine() async throws {
        let events = try await replay("machine") { client, _ in
            let status = try await client.execute(.queryStatus)
            #expect(status.status == .running && status.running)
            #expect(try await client.execute(.queryName).name == "web1")
            #expect(try await client.execute(.queryMemorySizeSummary).baseBytes == 64 << 20)
            #expect(try await client.execute(.queryCPUsFast).map(\.index) == [0, 1])
            let drive = try #require(try await client.execute(.queryBlock).first)
            #expect(drive.ioStatus == .ok && drive.device == "" && drive.qdev == "/machine/peripheral/disk0/virtio-backend")
            #expect(drive.inserted?.nodeName == "d0" && drive.inserted?.image.virtualSizeBytes == 8 << 20)
            try await client.execute(.queryKVM)
            #expect(try await client.execute(.queryNamedBlockNodes).map(\.driver) == ["raw", "file"])
            try await client.execute(.stop)
            #expect(try await client.execute(.queryStatus).status == .paused)
            try await client.execute(.cont)
            let expansion = try await client.execute(.queryCPUModelExpansion(.full, of: QMPCPUModel(name: "qemu64")))
            #expect(expansion.model.props?["cmov"] == true && expansion.model.props?["xlevel"] == 2_147_483_658)
            #expect(expansion.model.props?["core-id"] == .integer(-1))
            try await client.execute(.setLink("nic0", up: false))
            try await client.execute(.setLink("nic0", up: true))
            #expect(
                try await refusal(client, .setLink("nic9", up: true))
                    == .refused(class: "DeviceNotFound", text: "Device 'nic9' not found", command: "set_link"))
            try await client.execute(.announceSelf())
            try await client.execute(.secret(id: "s0", file: "/run/apus/secret.txt"))
            try await client.execute(.objectDel(id: "s0"))
            #expect(
                try await refusal(client, .objectDel(id: "s0"))
                    == .refused(class: "GenericError", text: "object 's0' not found", command: "object-del"))
            try await client.execute(.authorizeOnly(id: "a0", identity: "CN=node-a"))
            let credentials = try await refusal(client, .tlsCredentialsX509(id: "t0", directory: "/nonexistent", endpoint: .client))
            #expect(credentials.description.contains("Unable to access credentials /nonexistent/ca-cert.pem"))
            try await client.execute(.blockdevAdd(["driver": "null-co", "node-name": "null0", "size": 1_048_576]))
            #expect(try await client.execute(.queryNamedBlockNodes).contains { $0.nodeName == "null0" })
            try await client.execute(.blockdevDel(nodeName: "null0"))
            try await client.execute(.blockResize(nodeName: "d0", to: 16_777_216))
            #expect(try await client.execute(.humanMonitorCommand("info version")).hasPrefix("7.2.22"))
            try await client.execute(.calcDirtyRate())
            let measuring = try await client.execute(.queryDirtyRate)
            #expect(measuring.status == .measuring && measuring.mebibytesPerSecond == nil)
            let measured = try await client.execute(.queryDirtyRate)
            #expect(measured.status == .measured && measured.mebibytesPerSecond == 0 && measured.mode == .pageSampling)
            try await client.execute(.systemPowerdown)
            try await client.execute(.systemReset)
            #expect(
                try await refusal(client, .migratePause)
                    == .refused(
                        class: "GenericError", text: "migrate-pause is currently only supported during postcopy-active state",
                        command: "migrate-pause"))
            _ = try await refusal(client, .migrateRecover(at: "tcp:127.0.0.1:0"))
            #expect(try await refusal(client, NoSuchCommand()).description.contains("Apus needs QEMU 7.2 or newer"))
            _ = try await refusal(client, .migrate(to: "carrier-pigeon"))
            let info = try await client.execute(.queryMigrate)
            #expect(info.status == .failed && info.errorText == nil && info.memory == nil)
            try await client.execute(.quit)
        }
        #expect(
            events.map(\.kind) == [
                .stop, .resume, .powerdown, .reset(reason: .hostQMPSystemReset, byGuest: false),
                .reset(reason: .guestReset, byGuest: true), .shutdown(reason: .hostQMPQuit, byGuest: false),
            ])
        #expect(events.first?.microsecondsSince1970 == 1_795_414_387_360_544)
    }

    @Test("Live migration, source: capabilities, parameters, every state, statistics")
    func migrationSource() async throws {
        let events = try await replay("migration-source") { client, _ in
            try await client.execute(.migrateSetCapabilities([.multifd: true, .events: true, .pauseBeforeSwitchover: true]))
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(multifdChannels: 2)))
            let capabilities = try await client.execute(.queryMigrateCapabilities)
            #expect(Set(capabilities.filter(\.state).map(\.capability)) == [.events, .multifd, .pauseBeforeSwitchover])
            #expect(capabilities.contains { $0.capability == .other("rdma-pin-all") })
            let parameters = try await client.execute(.queryMigrateParameters)
            #expect(parameters.maxBandwidthBytesPerSecond == 128 << 20 && parameters.downtimeLimitMilliseconds == 300)
            #expect(parameters.tlsCredentials == "" && parameters.announceRounds == 5 && parameters.maxCPUThrottlePercent == 99)
            #expect(try await client.execute(.queryMigrate).status == .notStarted)
            try await client.execute(
                .migrateSetParameters(
                    QMPMigrationParameters(downtimeLimitMilliseconds: 300, maxBandwidthBytesPerSecond: 20_000_000)))
            try await client.execute(.migrate(to: migrationURI("migration-source")))
            #expect(try await client.execute(.queryMigrate).status == .setup)
            let ready = try await client.execute(.queryMigrate)
            #expect(ready.status == .preSwitchover && ready.expectedDowntimeMilliseconds == 300 && ready.setupMilliseconds == 1)
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxBandwidthBytesPerSecond: 1_000_000_000)))
            try await client.execute(.queryMigrate)
            #expect(try await client.execute(.queryStatus).status == .finishMigrate)
            try await client.execute(.migrateContinue())
            let done = try await client.execute(.queryMigrate)
            #expect(done.status == .completed && done.status.isFinal)
            #expect(done.downtimeMilliseconds == 44 && done.totalMilliseconds == 54 && done.expectedDowntimeMilliseconds == nil)
            let memory = try #require(done.memory)
            #expect(memory.totalBytes == 134_750_208 && memory.remainingBytes == 0 && memory.transferredBytes == 797_270)
            #expect(memory.zeroPages == 32_779 && memory.normalPages == 119 && memory.normalBytes == 487_424)
            #expect(memory.passes == 2 && memory.pageSizeBytes == 4096 && memory.multifdBytes == 502_208)
            #expect(memory.precopyBytes == 295_062 && memory.dirtyBytesPerSecond == 0 && abs(memory.megabitsPerSecond - 131.87) < 0.01)
            #expect(try await client.execute(.queryStatus).status == .postMigrate)
            try await client.execute(.quit)
        }
        #expect(
            events.map(\.kind) == [
                .migration(.setup), .migrationPass(1), .migration(.active), .stop, .migration(.preSwitchover), .migration(.device),
                .migrationPass(2), .migration(.completed), .shutdown(reason: .hostQMPQuit, byGuest: false),
            ])
    }

    @Test("Live migration, destination: the address it listens at, resume before completion")
    func migrationDestination() async throws {
        let events = try await replay("migration-destination") { client, _ in
            try await client.execute(.migrateSetCapabilities([.multifd: true, .events: true, .pauseBeforeSwitchover: true]))
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(multifdChannels: 2)))
            #expect(try await client.execute(.queryStatus).status == .incomingMigration)
            try await client.execute(.migrateIncoming(at: "tcp:127.0.0.1:0"))
            let address = try #require(try await client.execute(.queryMigrate).socketAddresses?.first)
            #expect(address.type == "inet" && address.host == "127.0.0.1")
            #expect(address.port.flatMap { UInt16($0) } != nil)
            #expect(try await client.execute(.queryMigrate).status == .completed)
            try await client.execute(.queryStatus)
            try await client.execute(.quit)
        }
        #expect(
            events.map(\.kind) == [
                .migration(.setup), .migration(.active), .resume, .migration(.completed),
                .shutdown(reason: .hostQMPQuit, byGuest: false),
            ])
    }

    @Test("Post-copy, source: paused by out-of-band command, recovered")
    func postcopySource() async throws {
        let events = try await replay("postcopy-source") { client, _ in
            try await client.execute(.migrateSetCapabilities([.postcopyRAM: true, .events: true]))
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxBandwidthBytesPerSecond: 100_000)))
            try await client.execute(.migrate(to: migrationURI("postcopy-source")))
            try await client.execute(.migrateStartPostcopy)
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxPostcopyBandwidthBytesPerSecond: 100_000)))
            let active = try await client.execute(.queryMigrate)
            #expect(active.status == .postcopyActive && active.memory?.remainingBytes == 134_066_176)
            try await client.execute(.migratePause)
            let paused = try await client.execute(.queryMigrate)
            #expect(paused.status == .postcopyPaused && paused.memory?.postcopyRequests == 2 && paused.memory?.postcopyBytes == 25_196)
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxPostcopyBandwidthBytesPerSecond: 0)))
            try await client.execute(.resumePostcopy(to: "unix:/run/apus/rec.sock"))
            #expect(try await client.execute(.queryMigrate).status == .completed)
            try await client.execute(.quit)
        }
        let statuses = events.compactMap { if case .migration(let status) = $0.kind { status } else { nil } }
        #expect(statuses == [.setup, .active, .postcopyActive, .postcopyPaused, .postcopyRecover, .postcopyActive, .completed])
    }

    @Test("Post-copy, destination: recovers over another address")
    func postcopyDestination() async throws {
        let events = try await replay("postcopy-destination") { client, _ in
            try await client.execute(.migrateSetCapabilities([.postcopyRAM: true, .events: true]))
            try await client.execute(.migrateIncoming(at: "tcp:127.0.0.1:0"))
            try await client.execute(.queryMigrate)
            #expect(try await client.execute(.queryMigrate).status == .postcopyPaused)
            try await client.execute(.migrateRecover(at: "unix:/run/apus/rec.sock"))
            try await client.execute(.queryMigrate)
            try await client.execute(.quit)
        }
        #expect(events.contains { $0.kind == .resume })
    }

    @Test("A cancelled and a failed migration: the reason, and the machine runs on")
    func cancelledAndFailed() async throws {
        let events = try await replay("migration-cancelled-and-failed") { client, _ in
            try await client.execute(.migrateSetCapabilities([.events: true]))
            try await client.execute(.migrateSetParameters(QMPMigrationParameters(maxBandwidthBytesPerSecond: 100_000)))
            try await client.execute(.migrate(to: migrationURI("migration-cancelled-and-failed")))
            try await client.execute(.migrateCancel)
            #expect(try await client.execute(.queryMigrate).status == .cancelled)
            try await client.execute(.migrate(to: "tcp:127.0.0.1:1"))
            let failed = try await client.execute(.queryMigrate)
            #expect(failed.status == .failed && failed.errorText == "Failed to connect to '127.0.0.1:1': Connection refused")
            #expect(try await client.execute(.queryStatus).running)
            try await client.execute(.quit)
        }
        let statuses = events.compactMap { if case .migration(let status) = $0.kind { status } else { nil } }
        #expect(statuses == [.setup, .active, .cancelling, .cancelled, .setup, .failed])
    }

    /// The address of the recorded migration; its port was chosen by the system.
    private func migrationURI(_ name: String) throws -> String {
        for case .toQEMU(let line) in try Transcript(name).steps where line.contains(#""execute": "migrate","#) {
            return try #require(try FakeMonitor.Command(Array(line.utf8)).arguments["uri"] as? String)
        }
        throw FakeMonitor.Broken(what: "no migrate command in \(name)")
    }
}
