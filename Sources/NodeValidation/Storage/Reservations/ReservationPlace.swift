import ClusterModel
import Foundation
import ISCSI
import Reservations
import SCSI
import SharedDisks
import Validation

/// One disk at a seat.
struct ReservationPlace: Sendable {
    let disk: SharedDisk
    let reservations: PersistentReservations
    /// From the start of the disk, in bytes: sixteen blocks of ``ScratchStamp/byteCount``.
    let scratch: UInt64

    static let heartbeatBlock = 0
    static let streamBlocks = 1...4
    /// Blocks that tests change, and borrow before.
    static let borrowedCount = 5
    /// Written only with what was read from it.
    static let quietBlock = 15

    init(disk: SharedDisk, over session: ISCSISession, scratch: UInt64) {
        self.disk = disk
        self.scratch = scratch
        reservations = PersistentReservations(disk.lun, of: session, disk: disk.id.description)
    }

    var deadline: ContinuousClock.Instant { .now + ProbePatience.command }
    func offset(of block: Int) -> UInt64 { scratch + UInt64(block * ScratchStamp.byteCount) }
    func read(_ block: Int) async throws -> [UInt8] { try await disk.read(byteOffset: offset(of: block), count: ScratchStamp.byteCount) }
    func readStream() async throws -> [UInt8] {
        try await disk.read(byteOffset: offset(of: Self.streamBlocks.lowerBound), count: ScratchStamp.byteCount * Self.streamBlocks.count)
    }

    func look() async throws -> (keys: RegisteredKeys, holder: ReservationKey?) {
        let deadline = deadline
        return try await heedless {
            (try await reservations.keys(until: deadline), try await reservations.reservation(until: deadline).holder?.key)
        }
    }

    func register(_ key: ReservationKey) async throws {
        let deadline = deadline
        try await heedless { try await reservations.registerIgnoringExisting(key, until: deadline) }
    }

    /// Finds a disk anew.
    static func attach(
        _ lun: LogicalUnitNumber, as id: DiskID, over session: ISCSISession, scratch: UInt64
    ) async throws -> ReservationPlace {
        var disk = try await heedless { try await SharedDisk.attach(lun, of: session, within: ProbePatience.command) }
        guard disk.id == id else { throw ProbeProblem("\(lun) was \(id) and now is \(disk.id).") }
        guard scratch <= disk.byteCount, disk.byteCount - scratch >= ScratchPlace.byteCount else {
            throw ProbeProblem("Byte \(scratch) lies outside of \(id), or near its end.")
        }
        disk.commandLimit = ProbePatience.command
        return ReservationPlace(disk: disk, over: session, scratch: scratch)
    }

    /// The first commands after a fence end with the news of it, which whoever registers or looks may pass over.
    private func heedless<Value>(_ work: () async throws -> Value) async throws -> Value { try await Self.heedless(work) }
    private static func heedless<Value>(_ work: () async throws -> Value) async throws -> Value {
        for _ in 0..<3 {
            do { return try await work() } catch {
                switch error {
                case ReservationError.preempted, SharedDiskError.reservationPreempted: continue
                default: throw error
                }
            }
        }
        return try await work()
    }
}
