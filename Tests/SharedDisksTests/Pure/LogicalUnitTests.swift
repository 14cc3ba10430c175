import ClusterModel
import SCSI
import SharedDisks
import Testing

/// What is repeated, what is not, and what an outcome is called.
@Suite("A shared disk", .timeLimit(.minutes(1)))
struct LogicalUnitTests {
    static func disk(_ target: MemoryTarget, limit: Duration = .seconds(10)) async throws -> SharedDisk {
        var disk = try await SharedDisk.attach(lunOne, of: target)
        disk.commandLimit = limit
        return disk
    }
    static let block = [UInt8](repeating: 7, count: 512)

    @Test(
        "Answers that ask for repetition are repeated",
        arguments: [
            [.attention(0x2900)], [.attention(0x2a04), .attention(0x3f0e), .attention(0x2f00)], [SCSIReply(status: .busy)],
            [SCSIReply(status: .taskSetFull), .attention(0x2900), SCSIReply(status: .taskAborted)],
            [SCSIReply(status: .checkCondition, sense: SCSISense(key: .notReady, code: 0x0401))],
        ] as [[SCSIReply]])
    func repeated(answers: [SCSIReply]) async throws {
        let target = MemoryTarget([1: MemoryTarget.disk()])
        let disk = try await Self.disk(target)
        target.inject(.answers(answers))
        try await disk.write(byteOffset: 1_024, bytes: Self.block, durable: true)
        #expect(target.bytes()[1_024..<1_536].elementsEqual(Self.block))
        #expect(target.log.filter { $0 == "WRITE(16)" }.count == answers.count + 1)
    }

    @Test(
        "Other answers are errors, and say whether the bytes may be there",
        arguments: [
            (SCSIReply(status: .reservationConflict), .notSent), (.attention(0x2a03), .notSent), (.attention(0x2a05), .notSent),
            (SCSIReply(status: .checkCondition, sense: SCSISense(key: .dataProtect, code: 0x2700)), .notSent),
            (SCSIReply(status: .checkCondition, sense: SCSISense(key: .mediumError, code: 0x0c00)), .unknown),
            (SCSIReply(status: .checkCondition, sense: SCSISense(key: .unitAttention, code: 0x2900, isDeferred: true)), .unknown),
            (SCSIReply(status: .checkCondition, sense: nil), .unknown), (SCSIReply(status: .other(0x77)), .unknown),
        ] as [(SCSIReply, SCSITransportError.Outcome)])
    func refused(answer: SCSIReply, outcome: SCSITransportError.Outcome) async throws {
        let target = MemoryTarget([1: MemoryTarget.disk()])
        let disk = try await Self.disk(target)
        target.inject(.answers([answer]))
        let error = await #expect(throws: SharedDiskError.self) { try await disk.write(byteOffset: 0, bytes: Self.block, durable: true) }
        #expect(error?.outcome == outcome, "\(error?.description ?? "")")
        #expect(error?.description.contains(disk.id.description) == true)
        #expect(target.log.filter { $0 == "WRITE(16)" }.count == 1)
    }

    @Test("A disk that is busy for ever ends in time")
    func busyForEver() async throws {
        let target = MemoryTarget([1: MemoryTarget.disk()])
        let disk = try await Self.disk(target, limit: .milliseconds(300))
        target.inject(.answers([SCSIReply](repeating: SCSIReply(status: .busy), count: 10_000)))
        let taken = await ContinuousClock().measure {
            let error = await #expect(throws: SharedDiskError.self) { try await disk.synchronize() }
            #expect(error?.description.contains("BUSY") == true)
        }
        // Generous, because all tests share the machine; without a limit it would take 40 minutes.
        #expect(taken < .seconds(30))
    }

    @Test("Without forced unit access a durable write is followed by a synchronisation")
    func noForcedAccess() async throws {
        var unit = MemoryTarget.disk()
        unit.knowsForcedAccess = false
        let target = MemoryTarget([1: unit])
        let disk = try await Self.disk(target)
        try await disk.write(byteOffset: 0, bytes: Self.block, durable: true)
        #expect(target.log.suffix(3) == ["WRITE(16)", "WRITE(16)", "SYNCHRONIZE CACHE(16)"])
    }

    @Test("Transfers keep to the device's limit", arguments: [(0, 3), (8, 640), (4_096, 3)] as [(UInt32, Int)])
    func chunks(limit: UInt32, commands: Int) async throws {
        var unit = MemoryTarget.disk()
        unit.maximumTransferBlocks = limit
        let target = MemoryTarget([1: unit])
        let disk = try await Self.disk(target)
        let bytes = (0..<5 << 19).map { UInt8(truncatingIfNeeded: $0 / 512) }
        try await disk.write(byteOffset: 512, bytes: bytes, durable: false)
        #expect(target.log.filter { $0 == "WRITE(16)" }.count == commands)
        #expect(try await disk.read(byteOffset: 512, count: bytes.count) == bytes)
    }

    @Test(
        "Requests outside of the disk or between blocks are refused before they are sent",
        arguments: [(0, 511), (1, 512), (0, 0), (64 << 20, 512), ((64 << 20) - 512, 1_024), (UInt64.max - 511, 512)] as [(UInt64, Int)])
    func outOfRange(offset: UInt64, count: Int) async throws {
        let target = MemoryTarget([1: MemoryTarget.disk()])
        let disk = try await Self.disk(target)
        let before = target.log.count
        await #expect(throws: SharedDiskError.self) { try await disk.read(byteOffset: offset, count: count) }
        await #expect(throws: SharedDiskError.self) {
            try await disk.write(byteOffset: offset, bytes: [UInt8](repeating: 0, count: count), durable: false)
        }
        #expect(target.log.count == before)
    }

    @Test("Controllers, nameless disks and doubles are told from usable disks")
    func inventory() async throws {
        var controller = MemoryTarget.disk(mebibytes: 1)
        controller.deviceType = 0x0c
        let target = MemoryTarget([
            0: controller, 1: MemoryTarget.disk(serial: "ONE"), 2: MemoryTarget.disk(mebibytes: 1, serial: "TWO"),
            3: MemoryTarget.disk(serial: ""), 4: MemoryTarget.disk(serial: "ONE"), 5: MemoryTarget.disk(serial: "FIVE"),
        ])
        let inventory = try await SharedDiskInventory.take(of: target)
        #expect(inventory.statuses.map(\.lun) == [1, 2, 4, 5])
        #expect(inventory.statuses.map(\.content.isDamaged) == [true, false, true, false])
        #expect(inventory.problems.map { $0.contains("LUN 3") } == [true, false], "\(inventory.problems)")
        #expect(inventory.statuses.filter { $0.content == .empty }.map(\.lun) == [2, 5])
    }
}
