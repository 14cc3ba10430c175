import ClusterModel
import Foundation
import ISCSI
import Reservations
import SCSI
import SharedDisks
import Validation

/// Takes back what a seat did to its disks. Safe to repeat, and to do when nothing is left.
enum ReservationCleaner {
    /// - Throws: When something may still be there.
    static func clean(_ trace: ReservationTrace, over session: ISCSISession) async throws {
        var problem: (any Error)?
        // One disk that cannot be cleaned must not keep the key on the others.
        for disk in trace.disks {
            do { try await clean(disk, trace, session) } catch { problem = problem ?? error }
        }
        if let problem { throw problem }
    }

    private static func clean(_ disk: ReservationTrace.Disk, _ trace: ReservationTrace, _ session: ISCSISession) async throws {
        guard let lun = LogicalUnitNumber(disk.lun) else { throw ProbeProblem("The trace of \(disk.id) names LUN \(disk.lun).") }
        let place = try await ReservationPlace.attach(lun, as: disk.id, over: session, scratch: disk.scratch)
        let own = ReservationKey(trace.key)
        if let borrowed = disk.borrowed { try await restore(borrowed, place, trace) }
        do {
            guard try await place.look().keys.keys.contains(own) else { return }
        } catch let error as ReservationError where error.isUnknownCommand { return }
        try await place.register(own)
        // What an earlier session of the seat left bears the same key (tgt keeps it until somebody preempts it).
        if try await place.look().keys.keys.count(where: { $0 == own }) > 1 {
            try await place.reservations.preempt(own, key: own, until: place.deadline)
        }
        try await place.reservations.unregister(own, until: place.deadline)
        guard try await !place.look().keys.keys.contains(own) else {
            throw ProbeProblem("\(disk.id) keeps key \(trace.key) although it was taken back.")
        }
    }

    /// Only blocks that still bear the mark of this run: whatever else is there now somebody else has written.
    private static func restore(_ borrowed: Data, _ place: ReservationPlace, _ trace: ReservationTrace) async throws {
        let size = ScratchStamp.byteCount
        var isRegistered = false
        for index in 0..<borrowed.count / size {
            let now = try await place.disk.read(byteOffset: place.offset(of: index), count: size)
            guard ScratchStamp.isMarked(now, by: trace.run) else { continue }
            if !isRegistered { try await place.register(ReservationKey(trace.key)) }
            isRegistered = true
            let start = borrowed.startIndex + index * size
            try await place.disk.write(byteOffset: place.offset(of: index), bytes: [UInt8](borrowed[start..<start + size]), durable: true)
        }
    }
}

/// What tests write into blocks of a scratch area: whoever reads it knows of which run it is.
enum ScratchStamp {
    /// A multiple of every block size in use.
    static let byteCount = 4_096
    private static let magic = Array("APUSTEST".utf8)

    static func block(_ run: UUID, seat: UUID, counter: UInt64) -> [UInt8] {
        var bytes = magic
        bytes += withUnsafeBytes(of: run.uuid) { Array($0) }
        bytes += withUnsafeBytes(of: seat.uuid) { Array($0) }
        bytes += withUnsafeBytes(of: counter.bigEndian) { Array($0) }
        return bytes + [UInt8](repeating: 0, count: byteCount - bytes.count)
    }

    /// Whether any of the blocks bears the mark of any run.
    static func areMarked(_ bytes: [UInt8]) -> Bool {
        stride(from: 0, to: bytes.count, by: byteCount).contains { bytes[$0...].starts(with: magic) }
    }

    static func isMarked(_ bytes: [UInt8], by run: UUID) -> Bool {
        bytes.starts(with: magic + withUnsafeBytes(of: run.uuid) { Array($0) })
    }
}

extension ReservationError {
    /// The device has no persistent reservations, so that nothing can be registered there.
    var isUnknownCommand: Bool {
        guard case .refused(_, _, .checkCondition, let sense?) = self else { return false }
        return sense.key == .illegalRequest
    }
}

extension ReservationKey {
    init(_ key: DiskKey) { self.init(rawValue: key.rawValue) }
}
extension DiskKey {
    init(_ key: ReservationKey) { self.init(rawValue: key.rawValue) }
}
