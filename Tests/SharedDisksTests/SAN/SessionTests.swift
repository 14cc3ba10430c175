import ClusterModel
import Foundation
import ISCSI
import SCSI
import SharedDisks
import Testing

/// Real tgt: what a session promises about answers, limits and its own death.
@Suite("An iSCSI session", .serialized, .timeLimit(.minutes(3)))
struct SessionTests {
    @Test("Logs in, reads, writes, and names what it found")
    func basics() async throws {
        try await TestSAN.with([.init(serial: "APUSSN01")]) { san in
            let session = try await ISCSISession.open(san.target())
            let disk = try await SharedDisk.attach(lunOne, of: session)
            #expect(disk.id.rawValue == "t10.APUSLUNAPUSSN01-APUSSN01")
            #expect(disk.vendor == "APUS" && disk.product == "WITNESS" && disk.serial == "APUSSN01")
            #expect(disk.byteCount == 64 << 20 && disk.blockByteCount == 512)
            let pattern = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
            try await disk.write(byteOffset: 512, bytes: pattern, durable: true)
            #expect(try await disk.read(byteOffset: 512, count: pattern.count) == pattern)
            let onFile = try #require(FileManager.default.contents(atPath: san.file(1)))
            #expect([UInt8](onFile[512..<512 + pattern.count]) == pattern)
            await session.close()
            #expect(session.loss == "the session was closed")
            await #expect(throws: SharedDiskError.self) { try await disk.synchronize() }
        }
    }

    @Test("Refused logins say why")
    func refusedLogins() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            var wrong: [(ISCSITarget, String)] = [
                (san.target(secret: "not-the-secret-12"), "CHAP user and secret"),
                (san.target(initiator: "iqn.2025-01.io.apus:stranger"), "access list"),
            ]
            var open = san.target()
            open.credentials = nil
            wrong.append((open, "CHAP user and secret"))
            var lost = san.target()
            lost.portal = String(san.portal.prefix(while: { $0 != ":" })) + ":3999"
            wrong.append((lost, "Connection refused"))
            var short = san.target()
            short.credentials?.secret = "short"
            wrong.append((short, "12 to 255 bytes"))
            for (target, hint) in wrong {
                let error = await #expect(throws: ISCSIError.self) { try await ISCSISession.open(target, within: .seconds(3)) }
                #expect(error?.description.contains(hint) == true, "\(error?.description ?? "") lacks \(hint)")
                #expect(error?.description.contains(target.credentials?.secret ?? "nothing") != true)
            }
        }
    }

    @Test("However a target is printed, its secret stays out of it")
    func secret() {
        let target = ISCSITarget(
            portal: "10.0.0.1:3260", name: "iqn.x:y", initiator: "iqn.x:z", credentials: .init(user: "apus", secret: TestSAN.secret))
        var dumped = ""
        dump(target, to: &dumped)
        for text in ["\(target)", String(reflecting: target), dumped, "\(ISCSIError.noAnswer(target, after: .seconds(1)))"] {
            #expect(!text.contains(TestSAN.secret))
        }
    }

    @Test("A login that gets no answer ends in time, and can be cancelled")
    func silentLogin() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            // The kernel still takes the connection; the daemon does not answer on it.
            try san.freeze()
            let clock = ContinuousClock()
            let taken = await clock.measure {
                let error = await #expect(throws: ISCSIError.self) { try await ISCSISession.open(san.target(), within: .seconds(1)) }
                if case .noAnswer? = error {} else { Issue.record("\(String(describing: error))") }
            }
            #expect(taken < .seconds(2.5))
            let login = Task { try await ISCSISession.open(san.target(), within: .seconds(30)) }
            try await Task.sleep(for: .milliseconds(100))
            login.cancel()
            await #expect(throws: ISCSIError.cancelled) { try await login.value }
        }
    }

    @Test("A mute target: limits hold, cancelled callers go at once, late answers hurt nobody")
    func muteTarget() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let session = try await ISCSISession.open(san.target(), silenceLimit: .seconds(20))
            let disk = try await SharedDisk.attach(lunOne, of: session)
            try san.freeze()
            let write = SCSICommand.write16(at: 0, data: [UInt8](repeating: 1, count: 1 << 16), blockByteCount: 512, forceUnitAccess: true)
            let read = SCSICommand.read16(at: 0, blockCount: 128, blockByteCount: 512)
            let clock = ContinuousClock()
            let taken = await clock.measure {
                await withTaskGroup(of: SCSITransportError?.self) { group in
                    for index in 0..<32 {
                        group.addTask {
                            do throws(SCSITransportError) {
                                _ = try await session.execute(index % 2 == 0 ? write : read, on: disk.lun, within: .milliseconds(400))
                                return nil
                            } catch { return error }
                        }
                    }
                    for await error in group {
                        #expect(error?.cause == .deadline)
                        #expect(error?.outcome == .unknown)
                    }
                }
            }
            #expect(taken >= .milliseconds(400) && taken < .seconds(2), "\(taken)")
            let caller = Task { try await session.execute(read, on: disk.lun, within: .seconds(30)) }
            try await Task.sleep(for: .milliseconds(100))
            caller.cancel()
            let cancelled = await #expect(throws: SCSITransportError.self) { try await caller.value }
            #expect(cancelled?.cause == .cancelled && cancelled?.outcome == .unknown)
            try san.thaw()
            // The answers to all of those come now; the session must take them and go on.
            let block = [UInt8](repeating: 2, count: 1 << 16)
            try await disk.write(byteOffset: 1 << 20, bytes: block, durable: true)
            #expect(try await disk.read(byteOffset: 1 << 20, count: block.count) == block)
            #expect(session.loss == nil)
            await session.close()
        }
    }

    @Test("A cut link: the command's limit, then the session's death with a reason, and a successor")
    func cutLink() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let session = try await ISCSISession.open(san.target(), silenceLimit: .seconds(3))
            var disk = try await SharedDisk.attach(lunOne, of: session)
            disk.commandLimit = .seconds(1)
            try await san.cutLink()
            let error = await #expect(throws: SharedDiskError.self) { try await disk.read(byteOffset: 0, count: 512) }
            if case .transport(let failure)? = error {
                #expect(failure.cause == .deadline)
            } else {
                Issue.record("\(String(describing: error))")
            }
            let clock = ContinuousClock()
            let began = clock.now
            while session.loss == nil, clock.now - began < .seconds(10) { try await Task.sleep(for: .milliseconds(50)) }
            #expect(session.loss?.contains("silent") == true)
            let later = await #expect(throws: SCSITransportError.self) {
                try await session.execute(.testUnitReady, on: disk.lun, within: .seconds(1))
            }
            #expect(later?.cause == .transportLost && later?.outcome == .notSent)
            try await san.restoreLink()
            let next = try await reopened(session)
            #expect(try await disk.attached(to: next).read(byteOffset: 0, count: 512).count == 512)
            await next.close()
        }
    }

    @Test("A killed target ends the session at once, commands under way included")
    func killedTarget() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let session = try await ISCSISession.open(san.target())
            try await san.administer("--mode", "target", "--op", "delete", "--force", "--tid", "1")
            let clock = ContinuousClock()
            let began = clock.now
            while session.loss == nil, clock.now - began < .seconds(10) { try await Task.sleep(for: .milliseconds(20)) }
            #expect(session.loss != nil)
        }
    }

    @Test("A login under the same identity ends the session before it; under another it does not")
    func reinstatement() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let identity = ISCSISessionIdentity(stableFor: "test")
            let first = try await ISCSISession.open(san.target(), identity: identity)
            let other = try await ISCSISession.open(san.target())
            let second = try await ISCSISession.open(san.target(), identity: identity)
            let clock = ContinuousClock()
            let began = clock.now
            while first.loss == nil, clock.now - began < .seconds(10) { try await Task.sleep(for: .milliseconds(20)) }
            #expect(first.loss != nil)
            #expect(try await SharedDisk.attach(lunOne, of: other).byteCount == 64 << 20)
            #expect(try await SharedDisk.attach(lunOne, of: second).byteCount == 64 << 20)
            await other.close()
            await second.close()
        }
    }

    @Test("A reset of one logical unit: everybody's commands go on after it, other units notice nothing")
    func reset() async throws {
        try await TestSAN.with([.init(serial: "A"), .init(serial: "B")]) { san in
            let a = try await ISCSISession.open(san.target())
            let b = try await ISCSISession.open(san.target(initiator: TestSAN.otherInitiator))
            let two = try #require(LogicalUnitNumber(2))
            let disks = [
                try await SharedDisk.attach(lunOne, of: a), try await SharedDisk.attach(lunOne, of: b),
                try await SharedDisk.attach(two, of: a),
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for disk in disks {
                    group.addTask {
                        for index in 0..<200 {
                            let block = [UInt8](repeating: UInt8(index), count: 4_096)
                            try await disk.write(byteOffset: UInt64(index) * 4_096, bytes: block, durable: false)
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<5 {
                        try await Task.sleep(for: .milliseconds(10))
                        try await disks[0].resetBarrier()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await disks[0].read(byteOffset: 4_096, count: 512) == [UInt8](repeating: 1, count: 512))
            await a.close()
            await b.close()
        }
    }

    @Test("A preempted node learns it once and for all")
    func preemption() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let a = try await ISCSISession.open(san.target())
            let b = try await ISCSISession.open(san.target(initiator: TestSAN.otherInitiator))
            let (keyA, keyB) = (ReservationKey(rawValue: 0xa1), ReservationKey(rawValue: 0xb1))
            let (diskA, diskB) = (try await SharedDisk.attach(lunOne, of: a), try await SharedDisk.attach(lunOne, of: b))
            func pr(_ session: ISCSISession, _ action: ReservationAction) async throws -> SCSIStatus {
                try await session.execute(.reserve(action), on: lunOne, within: .seconds(5)).status
            }
            #expect(try await pr(a, .registerAndIgnore(new: keyA, persistent: false)) == .good)
            #expect(try await pr(a, .reserve(key: keyA, .writeExclusiveRegistrantsOnly)) == .good)
            let block = [UInt8](repeating: 3, count: 512)
            await #expect(throws: SharedDiskError.reservationConflict(disk: diskB.id.description, command: "WRITE(16)")) {
                try await diskB.write(byteOffset: 0, bytes: block, durable: true)
            }
            #expect(try await pr(b, .registerAndIgnore(new: keyB, persistent: false)) == .good)
            #expect(try await pr(b, .preempt(key: keyB, victim: keyA, .writeExclusiveRegistrantsOnly)) == .good)
            await #expect(throws: SharedDiskError.reservationPreempted(disk: diskA.id.description)) {
                try await diskA.write(byteOffset: 0, bytes: block, durable: true)
            }
            let keys = try RegisteredKeys(parsing: try await b.execute(.readKeys, on: lunOne, within: .seconds(5)).data)
            let held = try CurrentReservation(parsing: try await b.execute(.readReservation, on: lunOne, within: .seconds(5)).data)
            #expect(keys.keys == [keyB])
            #expect(held.holder == .init(key: keyB, type: .writeExclusiveRegistrantsOnly))
            await a.close()
            await b.close()
        }
    }
}

/// A link that came back needs a moment until the neighbour answers again.
func reopened(_ session: ISCSISession) async throws -> ISCSISession {
    for _ in 0..<20 {
        do { return try await session.reopen(within: .seconds(2)) } catch ISCSIError.loginFailed, ISCSIError.noAnswer {
            try await Task.sleep(for: .milliseconds(250))
        }
    }
    return try await session.reopen()
}
