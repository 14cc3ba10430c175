import ClusterModel
import Foundation
import SCSI
import SharedDisks
import Validation

/// Asks a disk what it says of its cache, then fills the cache and has it flushed.
enum DiskFlushProbe {
    private static let rounds = 9
    /// So many tell enough when each takes long.
    private static let fewestRounds = 3
    private static let longest = Duration.seconds(8)

    static func flush(_ question: DiskFlushQuestion, _ context: ProbeContext) async throws -> DiskFlushQuestion.Evidence {
        let disk = try await DiskProbes.disk(question.area, context)
        let run = context.run
        return try await DiskProbes.writing(context, disk.id) {
            var evidence = DiskFlushQuestion.Evidence()
            if let reply = try await answer(.cachingModePage, disk), let page = try? CachingModePage(parsing: reply.data) {
                evidence.hasWriteCache = page.hasWriteCache
                evidence.takesForcedWrites = page.takesForcedWrites
            }
            if let reply = try await answer(.inquiry(page: .supportedPages), disk), let pages = try? SupportedPages(parsing: reply.data),
                pages.contains(.extendedInquiry), let page = try await answer(.inquiry(page: .extendedInquiry), disk)
            {
                evidence.hasProtectedCache = (try? ExtendedInquiry(parsing: page.data))?.hasProtectedCache
            }
            try await flushes(disk, run, &evidence)
            try await writes(disk, run, &evidence)
            return evidence
        }
    }

    private static func flushes(_ disk: SharedDisk, _ run: UUID, _ evidence: inout DiskFlushQuestion.Evidence) async throws {
        evidence.dirtyByteCount = UInt64(ScratchArea.byteCount)
        let end = ContinuousClock.now + longest
        for round in 0..<rounds where evidence.flushProblem == nil && (round < fewestRounds || ContinuousClock.now < end) {
            try Task.checkCancellation()
            // Other bytes each time: what is there already need not be written.
            let bytes = ScratchPattern(run: run, sequence: UInt64(round)).bytes(ScratchArea.byteCount)
            try await disk.write(byteOffset: ScratchArea.byteOffset, bytes: bytes, durable: false)
            evidence.roundTrips.append(try await DiskProbes.timed { _ = try await answer(.testUnitReady, disk) })
            var reply: SCSIReply?
            let time = try await DiskProbes.timed { reply = try await execute(.synchronizeCache16, disk) }
            if let reply, reply.status == .good { evidence.flushes.append(time) } else { evidence.flushProblem = reply.map(sentence) }
        }
    }

    private static func writes(_ disk: SharedDisk, _ run: UUID, _ evidence: inout DiskFlushQuestion.Evidence) async throws {
        let block = DiskProbes.blockByteCount
        for index in 0..<20 {
            try Task.checkCancellation()
            let at = (ScratchArea.byteOffset + UInt64(index * block)) / UInt64(disk.blockByteCount)
            let bytes = ScratchPattern(run: run, sequence: UInt64(100 + index)).bytes(block)
            func write(force: Bool) async throws -> SCSIReply {
                try await execute(.write16(at: at, data: bytes, blockByteCount: disk.blockByteCount, forceUnitAccess: force), disk)
            }
            evidence.plainWrites.append(try await DiskProbes.timed { _ = try await write(force: false) })
            guard evidence.forcedProblem == nil else { continue }
            var reply: SCSIReply?
            let time = try await DiskProbes.timed { reply = try await write(force: true) }
            if let reply, reply.status == .good { evidence.forcedWrites.append(time) } else { evidence.forcedProblem = reply.map(sentence) }
        }
    }

    private static func sentence(_ reply: SCSIReply) -> String {
        "It answered \(([reply.status.description] + [reply.sense?.description].compactMap { $0 }).joined(separator: ", "))."
    }

    /// nil when the disk does not know the command.
    private static func answer(_ command: SCSICommand, _ disk: SharedDisk) async throws -> SCSIReply? {
        let reply = try await execute(command, disk)
        return reply.status == .good ? reply : nil
    }

    /// Once more after a unit attention, which is about something else (SAM-5 5.14).
    private static func execute(_ command: SCSICommand, _ disk: SharedDisk) async throws -> SCSIReply {
        for _ in 0..<5 {
            let reply = try await disk.transport.execute(command, on: disk.lun, within: ProbePatience.command)
            guard reply.sense?.key == .unitAttention else { return reply }
        }
        throw ProbeProblem("\(disk.id) answers \(command.name) with one unit attention after the other.")
    }
}
