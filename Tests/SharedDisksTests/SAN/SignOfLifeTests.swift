import Foundation
import ISCSI
import SCSI
import SharedDisks
import Testing

/// Goal: a session that is busy writing outlives the target's questions for a sign of life.
///
/// Method: tgt asks every second while writes that take many Data-Out PDUs are under way all the time. libiscsi numbers its answer
/// like the PDU at the head of its queue, and breaks the session by itself when that is the data of a write under way.
@Suite("The target asks a busy session for a sign of life", .serialized, .timeLimit(.minutes(2)))
struct SignOfLifeTests {
    @Test("Writes of every size go on", arguments: [65_536, 1 << 20])
    func busyWriting(byteCount: Int) async throws {
        try await TestSAN.with([.init(serial: "A")], pingSeconds: 1) { san in
            let session = try await ISCSISession.open(san.target())
            let disk = try await SharedDisk.attach(lunOne, of: session)
            let end = ContinuousClock.now + .seconds(4)
            let written = try await withThrowingTaskGroup(of: Int.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let block = [UInt8](repeating: UInt8(writer + 1), count: byteCount)
                        var count = 0
                        while ContinuousClock.now < end {
                            try await disk.write(byteOffset: UInt64(writer) << 20, bytes: block, durable: false)
                            count += 1
                        }
                        return count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(written > 8)
            #expect(session.loss == nil)
            for writer in 0..<8 {
                let read = try await disk.read(byteOffset: UInt64(writer) << 20, count: byteCount)
                #expect(read.allSatisfy { $0 == UInt8(writer + 1) })
            }
            await session.close()
        }
    }
}
