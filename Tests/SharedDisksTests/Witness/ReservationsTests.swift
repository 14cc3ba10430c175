import ISCSI
import Reservations
import SCSI
import SharedDisks
import Testing

/// Real tgt: registrations, the reservation and the fence, as `PersistentReservations` promises them.
@Suite("Persistent reservations", .serialized, .timeLimit(.minutes(3)))
struct ReservationsTests {
    private let keyA = ReservationKey(rawValue: 0x4150_0001_0001_0001)
    private let keyB = ReservationKey(rawValue: 0x4150_0001_0002_0001)
    private var soon: ContinuousClock.Instant { .now.advanced(by: .seconds(5)) }

    private func login(_ san: TestSAN, _ initiator: String = TestSAN.initiator) async throws -> (ISCSISession, PersistentReservations) {
        let session = try await ISCSISession.open(san.target(initiator: initiator))
        _ = try await SharedDisk.attach(lunOne, of: session)
        return (session, PersistentReservations(lunOne, of: session, disk: "the witness"))
    }

    @Test("Register, reserve, conflict, fence with its barrier, and what the victim sees")
    func fence() async throws {
        try await TestSAN.with([.init(serial: "PR1")]) { san in
            let (sessionA, a) = try await login(san)
            let (sessionB, b) = try await login(san, TestSAN.otherInitiator)
            try await a.capabilities(until: soon)
            #expect(try await a.keys(until: soon).keys.isEmpty)
            try await a.register(keyA, until: soon)
            try await b.registerIgnoringExisting(keyB, until: soon)
            #expect(Set(try await a.keys(until: soon).keys) == [keyA, keyB])
            try await a.reserve(keyA, until: soon)
            try await a.reserve(keyA, until: soon)
            #expect(try await b.reservation(until: soon).holder == .init(key: keyA, type: .writeExclusiveRegistrantsOnly))
            let taken = await #expect(throws: ReservationError.self) { try await b.reserve(keyB, until: soon) }
            #expect(taken == .conflict(disk: "the witness", command: "PERSISTENT RESERVE OUT RESERVE"))

            try await b.fence(keyA, key: keyB, until: soon)
            #expect(await b.hasPreemptAndAbort == false, "tgt 1.0.85 refuses it")
            #expect(try await b.reservation(until: soon).holder?.key == keyB)
            #expect(try await b.keys(until: soon).keys == [keyB])
            // The victim hears of it once, then it is simply not registered.
            let told = await #expect(throws: ReservationError.self) { try await a.reserve(keyA, until: soon) }
            if case .preempted? = told {} else { Issue.record("\(String(describing: told))") }
            let disk = try await SharedDisk.attach(lunOne, of: sessionA)
            await #expect(throws: SharedDiskError.self) {
                try await disk.write(byteOffset: 0, bytes: [UInt8](repeating: 1, count: 512), durable: true)
            }
            let late = await #expect(throws: ReservationError.self) { try await b.preempt(keyA, key: keyB, until: soon) }
            if case .conflict? = late {} else { Issue.record("a victim that is gone: \(String(describing: late))") }

            try await b.release(keyB, until: soon)
            #expect(try await b.reservation(until: soon).holder == nil)
            try await b.clear(keyB, until: soon)
            #expect(try await b.keys(until: soon).keys.isEmpty)
            await sessionA.close()
            await sessionB.close()
        }
    }

    @Test("After a new login the old registration is an orphan that holds the reservation; it can be adopted")
    func orphan() async throws {
        try await TestSAN.with([.init(serial: "PR2")]) { san in
            let (session, first) = try await login(san)
            try await first.registerIgnoringExisting(keyA, until: soon)
            try await first.reserve(keyA, until: soon)
            let next = try await session.reopen()
            let disk = try await SharedDisk.attach(lunOne, of: next)
            let block = [UInt8](repeating: 7, count: 512)
            await #expect(throws: SharedDiskError.self) { try await disk.write(byteOffset: 0, bytes: block, durable: true) }
            let second = PersistentReservations(lunOne, of: next, disk: "the witness")
            try await second.registerIgnoringExisting(keyA, until: soon)
            #expect(try await second.keys(until: soon).keys == [keyA, keyA])
            try await second.adopt(orphan: keyA, key: keyA, until: soon)
            #expect(try await second.keys(until: soon).keys == [keyA])
            try await disk.write(byteOffset: 0, bytes: block, durable: true)
            try await second.release(keyA, until: soon)
            #expect(try await second.reservation(until: soon).holder == nil, "the new session is the holder, not the orphan")
            await next.close()
        }
    }

    @Test("A target that starts again has forgotten everything; the list of keys grows as needed")
    func restart() async throws {
        try await TestSAN.with([.init(serial: "PR3")]) { san in
            let (session, a) = try await login(san)
            try await a.registerIgnoringExisting(keyA, until: soon)
            try await a.reserve(keyA, until: soon)
            await session.close()
            try await san.restartTarget()
            let (again, b) = try await login(san)
            let keys = try await b.keys(until: soon)
            #expect(keys.keys.isEmpty && keys.generation == 0)
            #expect(try await b.reservation(until: soon).holder == nil)
            await again.close()
        }
    }
}
