import ISCSI
import Reservations
import SCSI
import SharedDisks
import Testing

@Suite("A session that ends without a logout", .serialized, .timeLimit(.minutes(2)))
struct DroppedSessionTests {
    @Test("It is dead at once, its registration stays, and the next one under its identity is another nexus")
    func drop() async throws {
        try await TestSAN.with([.init(serial: "A")]) { san in
            let key = ReservationKey(rawValue: 0x4156_0000_0001_0001)
            let identity = ISCSISessionIdentity(stableFor: "a test")
            let session = try await ISCSISession.open(san.target(), identity: identity)
            let disk = try await SharedDisk.attach(lunOne, of: session)
            var deadline: ContinuousClock.Instant { .now + .seconds(5) }
            let reservations = PersistentReservations(lunOne, of: session, disk: "the disk")
            try await reservations.register(key, until: deadline)
            try await reservations.reserve(key, until: deadline)
            await session.drop()
            #expect(session.loss != nil)
            await #expect(throws: SharedDiskError.self) { _ = try await disk.read(byteOffset: 0, count: 4_096) }
            await session.drop()

            let next = try await ISCSISession.open(san.target(), identity: identity)
            let again = try await SharedDisk.attach(lunOne, of: next)
            let after = PersistentReservations(lunOne, of: next, disk: "the disk")
            #expect(try await after.keys(until: deadline).keys == [key])
            #expect(try await after.reservation(until: deadline).holder?.key == key)
            // tgt binds the registration to the session.
            await #expect(throws: SharedDiskError.self) {
                try await again.write(byteOffset: 0, bytes: [UInt8](repeating: 1, count: 4_096), durable: false)
            }
            await next.close()
        }
    }
}
