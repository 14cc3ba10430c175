import ClusterModel
import Foundation
import ISCSI
import NodeService
import SCSI
import SharedDisks
import Validation

/// What a node tries on a disk. Everything it writes stays within the scratch area and carries the run's pattern.
enum DiskProbes {
    /// One structure of ours: the metadata of volumes is written in blocks of this size at most.
    static let blockByteCount = 4_096
    /// No probe works longer, whatever it is asked.
    static let longest = 5_000
    /// So many are tried however long they take: without any there is nothing to judge.
    private static let fewest = 5

    private static func end(_ milliseconds: Int) -> ContinuousClock.Instant {
        .now + .milliseconds(min(max(milliseconds, 0), longest))
    }

    /// Milliseconds that the work took.
    static func timed(_ work: () async throws -> Void) async throws -> Double {
        let began = ContinuousClock.now
        try await work()
        return (ContinuousClock.now - began) / .milliseconds(1)
    }

    /// Work that writes: the end of the run stops it, so that nothing is written after the scratch area was put back.
    static func writing<Value: Sendable>(
        _ context: ProbeContext, _ disk: DiskID, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await work() }
        let stop = Task {
            try await Task.sleep(for: longestWriting)
            task.cancel()
        }
        defer { stop.cancel() }
        // Without the value, for those who only wait for its end.
        let whole = Task {
            await withTaskCancellationHandler {
                _ = await task.result
            } onCancel: {
                task.cancel()
            }
        }
        let writer = UUID()
        await ScratchWriters.shared.enter(writer, context.run, disk, whole)
        do {
            let id = try await context.held.hold(for: context.run, lifetime: ProbePatience.answer, "stopped writing to disk \(disk)") {
                whole.cancel()
                await whole.value
            }
            let result = await withTaskCancellationHandler {
                await task.result
            } onCancel: {
                task.cancel()
            }
            await ScratchWriters.shared.exit(writer)
            try await context.held.giveBack(id)
            return try result.get()
        } catch {
            whole.cancel()
            await whole.value
            await ScratchWriters.shared.exit(writer)
            throw error
        }
    }

    /// Less than anybody waits for an answer: what nobody waits for any more must not disturb the next step.
    private static let longestWriting = ProbePatience.answer - ProbePatience.command

    /// A scratch area that somebody on the network describes is believed only as far as the disk itself goes.
    static func disk(_ area: ScratchArea, _ context: ProbeContext) async throws -> SharedDisk {
        var disk = try await context.storage.knownDisk(area.disk)
        guard disk.byteCount >= ScratchArea.smallestDisk else { throw ProbeProblem("\(area.disk) has no scratch area.") }
        disk.commandLimit = ProbePatience.command
        return disk
    }

    // MARK: Speed

    static func latency(_ question: DiskLatencyQuestion, _ context: ProbeContext) async throws -> DiskLatencyQuestion.Evidence {
        let disk = try await disk(question.area, context)
        let run = context.run
        let count = min(max(question.count, 0), 10_000)
        return try await writing(context, disk.id) {
            var evidence = DiskLatencyQuestion.Evidence(reads: [], writes: [])
            let places = ScratchArea.byteCount / blockByteCount
            let end = end(question.milliseconds)
            for index in 0..<count where (index < fewest || ContinuousClock.now < end) && !Task.isCancelled {
                // Far apart, so that neither the array nor the target finds one next to the other.
                let offset = ScratchArea.byteOffset + UInt64(index * 37 % places * blockByteCount)
                evidence.reads.append(
                    try await timed { _ = try await disk.read(byteOffset: offset, count: blockByteCount) })
                let bytes = ScratchPattern(run: run, sequence: UInt64(index)).bytes(blockByteCount)
                evidence.writes.append(try await timed { try await disk.write(byteOffset: offset, bytes: bytes, durable: true) })
            }
            return evidence
        }
    }

    static func throughput(_ question: DiskThroughputQuestion, _ context: ProbeContext) async throws -> DiskThroughputQuestion.Evidence {
        var disk = try await context.storage.knownDisk(question.disk)
        disk.commandLimit = ProbePatience.command
        let piece = 1 << 20
        let pieces = disk.byteCount / UInt64(piece)
        guard pieces > 0 else { throw ProbeProblem("\(question.disk) is too small to be read in pieces of 1 MiB.") }
        let began = ContinuousClock.now
        let end = end(question.milliseconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { [disk] group in
            // As many as hide the round trip; the disk is to be filled, not its queue.
            let readers = 4
            for reader in 0..<readers {
                group.addTask {
                    var count = 0
                    while count == 0 || ContinuousClock.now < end, !Task.isCancelled {
                        let index = UInt64(count * readers + reader) % pieces
                        _ = try await disk.read(byteOffset: index * UInt64(piece), count: piece)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return .init(byteCount: UInt64(count * piece), milliseconds: (ContinuousClock.now - began) / .milliseconds(1))
    }

    // MARK: Truth

    static func stamp(_ question: DiskStampQuestion, _ context: ProbeContext) async throws -> DiskStampQuestion.Evidence {
        let disk = try await disk(question.area, context)
        let bytes = ScratchPattern(run: context.run, sequence: question.sequence).bytes(blockByteCount)
        try await disk.write(byteOffset: ScratchArea.byteOffset, bytes: bytes, durable: true)
        return .init()
    }

    static func look(_ question: DiskLookQuestion, _ context: ProbeContext) async throws -> DiskLookQuestion.Evidence {
        let disk = try await disk(question.area, context)
        return .init(
            reading: ScratchPattern.read(
                try await disk.read(byteOffset: ScratchArea.byteOffset, count: blockByteCount), run: context.run))
    }

    /// One logical block: our structures are never longer, because nothing longer is promised to be written whole.
    static func rewrite(_ question: DiskRewriteQuestion, _ context: ProbeContext) async throws -> DiskRewriteQuestion.Evidence {
        let disk = try await disk(question.area, context)
        let run = context.run
        return try await writing(context, disk.id) {
            var writes = 0
            let (first, end) = (question.first, end(question.milliseconds))
            while writes < fewest || ContinuousClock.now < end, !Task.isCancelled {
                let bytes = ScratchPattern(run: run, sequence: first &+ UInt64(writes)).bytes(disk.blockByteCount)
                try await disk.write(byteOffset: ScratchArea.byteOffset, bytes: bytes, durable: false)
                writes += 1
            }
            return .init(writes: writes)
        }
    }

    static func watch(_ question: DiskWatchQuestion, _ context: ProbeContext) async throws -> DiskWatchQuestion.Evidence {
        let disk = try await disk(question.area, context)
        let end = end(question.milliseconds)
        func look() async throws -> ScratchPattern.Reading {
            ScratchPattern.read(
                try await disk.read(byteOffset: ScratchArea.byteOffset, count: disk.blockByteCount), run: context.run)
        }
        var evidence = DiskWatchQuestion.Evidence(reads: 0, seen: 0, mixedOnce: 0, mixedTwice: 0, backwards: 0)
        var last: UInt64 = 0
        while ContinuousClock.now < end, !Task.isCancelled {
            evidence.reads += 1
            switch try await look() {
            case .whole(let sequence):
                if sequence > last { evidence.seen += 1 }
                if sequence < last { evidence.backwards += 1 }
                last = sequence
            case .other: break
            case .mixed:
                evidence.mixedOnce += 1
                // What is mixed on the medium stays so until the writer comes to it again; ten looks see more than one of its writes.
                var isMixed = true
                for _ in 0..<10 where isMixed { isMixed = try await look() == .mixed }
                if isMixed { evidence.mixedTwice += 1 }
            }
        }
        return evidence
    }

    // MARK: Names

    static func names(_ context: ProbeContext) async throws -> DiskNamesQuestion.Evidence {
        guard context.configuration.san != nil else { return .init(first: [], again: []) }
        let first = try await names(over: try await context.storage.transport())
        let session = try await ISCSISession.open(try await context.storage.sanTarget(), within: ProbePatience.command)
        do {
            let again = try await names(over: session)
            await session.close()
            return .init(first: first, again: again)
        } catch {
            await session.close()
            throw error
        }
    }

    private static func names(over transport: any SCSITransport) async throws -> [DiskName] {
        let reply = try await transport.execute(.reportLUNs(), on: .zero, within: ProbePatience.command)
        var names: [DiskName] = []
        for lun in try ReportedLUNs(parsing: reply.data).luns {
            do throws(SharedDiskError) {
                let disk = try await SharedDisk.attach(lun, of: transport, within: ProbePatience.command)
                names.append(DiskName(lun: Int(lun.rawValue), id: disk.id, serial: disk.serial, byteCount: disk.byteCount))
            } catch {
                switch error {
                case .notADisk: continue
                case .noIdentity: names.append(DiskName(lun: Int(lun.rawValue), id: nil, serial: "", byteCount: 0))
                default: throw error
                }
            }
        }
        return names
    }
}
