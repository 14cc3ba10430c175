import Foundation
import QMP
import Testing

/// Commands and values that no transcript shows.
struct ValueTests {
    private func json(_ command: some QMPCommand) throws -> NSDictionary {
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(command))
        return try #require(object as? NSDictionary)
    }

    @Test("Arguments are spelled as QEMU's schema does")
    func arguments() throws {
        let rate: QMPCommands.CalcDirtyRate = .calcDirtyRate(seconds: 2, samplePages: 1024, mode: .dirtyBitmap)
        #expect(try json(rate) == ["calc-time": 2, "sample-pages": 1024, "mode": "dirty-bitmap"])
        let announce: QMPCommands.AnnounceSelf = .announceSelf(initial: 1, max: 2, rounds: 3, step: 4, interfaces: ["n0"])
        #expect(try json(announce) == ["initial": 1, "max": 2, "rounds": 3, "step": 4, "interfaces": ["n0"]])
        let credentials: QMPCommands.ObjectAdd = .tlsCredentialsX509(
            id: "t", directory: "/d", endpoint: .server, verifyPeer: true, priority: "NORMAL")
        #expect(
            try json(credentials)
                == ["qom-type": "tls-creds-x509", "id": "t", "dir": "/d", "endpoint": "server", "verify-peer": true, "priority": "NORMAL"])
        let resume: QMPCommands.Migrate = .resumePostcopy(to: "tcp:h:1")
        #expect(try json(resume) == ["uri": "tcp:h:1", "resume": true])
        let added: QMPCommands.BlockdevAdd = .blockdevAdd(["driver": "nbd", "server": ["type": "unix", "path": "/x"], "read-only": true])
        #expect(try json(added) == ["driver": "nbd", "server": ["type": "unix", "path": "/x"], "read-only": true])
    }

    @Test("Every parameter survives the way to QEMU and back, and those that are nil are not sent")
    func parameters() throws {
        let all = QMPMigrationParameters(
            downtimeLimitMilliseconds: 1, maxBandwidthBytesPerSecond: .max, maxPostcopyBandwidthBytesPerSecond: 3, tlsCredentials: "c",
            tlsHostname: "h", tlsAuthorization: "a", multifdChannels: 4, multifdCompression: "zstd", cpuThrottleInitialPercent: 5,
            cpuThrottleIncrementPercent: 6, maxCPUThrottlePercent: 7, cpuThrottleTailslow: true, throttleTriggerThresholdPercent: 8,
            announceInitialMilliseconds: 9, announceMaxMilliseconds: 10, announceRounds: 11, announceStepMilliseconds: 12)
        let encoded = try JSONEncoder().encode(all)
        #expect(try JSONDecoder().decode(QMPMigrationParameters.self, from: encoded) == all)
        #expect(try JSONDecoder().decode([String: QMPValue].self, from: encoded).count == 17)
        let none: QMPCommands.MigrateSetParameters = .migrateSetParameters(QMPMigrationParameters())
        #expect(try json(none) == [:])
    }

    @Test("Members of query-migrate that depend on the situation")
    func migrationInfo() throws {
        let text = """
            {"status": "wait-unplug", "blocked-reasons": ["disk is busy"], "cpu-throttle-percentage": 30,
             "expected-downtime": -9223372036854775808,
             "socket-address": [{"type": "unix", "path": "/x"}, {"type": "vsock", "cid": "1", "port": "2"}]}
            """
        let info = try JSONDecoder().decode(QMPMigrationInfo.self, from: Data(text.utf8))
        #expect(info.status == .waitUnplug && info.blockedReasons == ["disk is busy"] && info.cpuThrottlePercent == 30)
        #expect(info.expectedDowntimeMilliseconds == .min && info.memory == nil)
        #expect(info.socketAddresses?.map(\.type) == ["unix", "vsock"])
        #expect(info.socketAddresses?.first?.path == "/x")
    }

    @Test("A dirty rate that does not fit is the highest number, not a trap")
    func dirtyRateOverflow() throws {
        let zeros = [
            "transferred", "remaining", "total", "duplicate", "normal", "normal-bytes", "mbps", "pages-per-second", "dirty-sync-count",
            "postcopy-requests", "multifd-bytes", "precopy-bytes", "downtime-bytes", "postcopy-bytes",
        ].map { "\"\($0)\": 0" }.joined(separator: ", ")
        func memory(pagesPerSecond: UInt64) throws -> QMPMigrationInfo.Memory {
            let text = "{\(zeros), \"page-size\": 4096, \"dirty-pages-rate\": \(pagesPerSecond)}"
            return try JSONDecoder().decode(QMPMigrationInfo.Memory.self, from: Data(text.utf8))
        }
        #expect(try memory(pagesPerSecond: 1_000).dirtyBytesPerSecond == 4_096_000)
        #expect(try memory(pagesPerSecond: .max).dirtyBytesPerSecond == .max)
    }

    private func expectDistinctNames<Value: QMPNamedValue>(_: Value.Type) throws {
        #expect(Set(Value.known.map(\.name)).count == Value.known.count)
        for value in Value.known + [.other("something new")] {
            #expect(Value(name: value.name) == value)
            #expect(try JSONDecoder().decode([Value].self, from: JSONEncoder().encode([value])) == [value])
        }
    }

    @Test("Every named value is found by its name")
    func namedValues() throws {
        try expectDistinctNames(QMPRunState.self)
        try expectDistinctNames(QMPMigrationStatus.self)
        try expectDistinctNames(QMPMigrationCapability.self)
        try expectDistinctNames(QMPShutdownCause.self)
        try expectDistinctNames(QMPIOErrorAction.self)
        try expectDistinctNames(QMPJobStatus.self)
        try expectDistinctNames(QMPDirtyRateMode.self)
        try expectDistinctNames(QMPDirtyRateStatus.self)
        try expectDistinctNames(QMPBlockDevice.IOStatus.self)
    }

    @Test("Errors are sentences with advice")
    func sentences() {
        let errors: [QMPError] = [
            .timeout(command: "stop", deadline: .seconds(5)), .disconnected(.closedByQEMU, command: "cont"),
            .protocolViolation("status is missing", command: "query-status"), .tooManyUnanswered(256, command: "cont"),
            .cannotConnect(socketPath: "/x", .system(errno: 13)), .cancelled(command: "migrate"),
            .unencodable("nan", command: "x"),
        ]
        for error in errors { #expect(error.description.hasSuffix("."), "\(error)") }
        #expect(
            errors[0].description
                == "QEMU did not answer stop within 5.0 seconds. It may be stopped or overloaded, and may still carry the command out; "
                + "look at the process and query its state before you repeat it.")
        #expect(errors[4].description == "Cannot connect to the monitor at /x: Permission denied. Check the path and its permissions.")
    }
}
