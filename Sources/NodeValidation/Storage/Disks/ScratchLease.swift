import ClusterModel
import DurableFiles
import Foundation
import Logging
import NodeService
import SharedDisks
import Validation

/// What a test may leave in the scratch area of a disk, written down before anybody writes there.
struct ScratchTrace: Codable, Hashable, Sendable {
    var id: UUID
    /// Only blocks that name it are put back: whatever else stands there by then is somebody's.
    var run: UUID
    /// Of the service that made it: one that is found at start is of another.
    var service: UUID
    var disk: DiskID
    /// nil when there were only zeros.
    var original: Data?
}

/// Who writes to scratch areas on this node, and what could not be put back yet.
actor ScratchWriters {
    static let shared = ScratchWriters()
    private var writers: [UUID: (run: UUID, disk: DiskID, task: Task<Void, Never>)] = [:]
    private(set) var left: Set<UUID> = []

    func enter(_ id: UUID, _ run: UUID, _ disk: DiskID, _ task: Task<Void, Never>) { writers[id] = (run, disk, task) }
    func exit(_ id: UUID) { writers[id] = nil }

    /// Ends every writer of a run on a disk and waits for it: what is put back afterwards stays.
    func stop(_ run: UUID, on disk: DiskID) async {
        let tasks = writers.values.filter { $0.run == run && $0.disk == disk }.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    /// The SAN was away when the run ended: it is tried again.
    func leave(_ trace: ScratchTrace) { left.insert(trace.id) }
    func took(_ trace: ScratchTrace) { left.remove(trace.id) }
}

/// Borrows the scratch areas of disks and puts back what was there.
enum ScratchLease {
    /// Longer than any step; for when nobody asks any more.
    private static let lifetime = Duration.seconds(150)

    static func borrow(_ question: ScratchQuestion, _ context: ProbeContext) async throws -> ScratchQuestion.Evidence {
        let disk = try await writableDisk(question.disk, context)
        let traces = ProbeTraces(context)
        // Of a step that was given up. Its writers have ended, or end within their few seconds; what they still write is ours to remove.
        for trace in traces.scratches() where trace.disk == disk.id {
            try await restore(trace, on: disk)
            traces.remove(trace)
        }
        let before = try await disk.read(byteOffset: ScratchArea.byteOffset, count: ScratchArea.byteCount)
        let trace = ScratchTrace(
            id: UUID(), run: context.run, service: ProbeTraces.service, disk: disk.id, original: isAllZero(before) ? nil : Data(before))
        try traces.write(trace)
        let storage = context.storage
        do {
            let lease = try await context.held.hold(
                for: context.run, lifetime: lifetime, "restored the scratch area of disk \(disk.id)"
            ) {
                await ScratchWriters.shared.stop(trace.run, on: trace.disk)
                guard traces.holds(trace) else { return }
                do { try await settle(trace, on: try await storage.knownDisk(trace.disk)) } catch {
                    await ScratchWriters.shared.leave(trace)
                    throw error
                }
                traces.remove(trace)
            }
            return .init(lease: lease, area: ScratchArea(disk: disk.id, blockByteCount: disk.blockByteCount))
        } catch {
            traces.remove(trace)
            throw error
        }
    }

    private static func isAllZero(_ bytes: [UInt8]) -> Bool {
        // Comparing them with themselves, one further on, leaves the work to memcmp.
        bytes.withUnsafeBytes { buffer in
            guard let start = buffer.baseAddress, let first = buffer.first else { return true }
            return first == 0 && memcmp(start, start + 1, buffer.count - 1) == 0
        }
    }

    static func giveBack(_ question: ScratchReturnQuestion, _ context: ProbeContext) async throws -> ScratchReturnQuestion.Evidence {
        let traces = ProbeTraces(context)
        // None when it was given back before, by its lifetime or by the next step. The step's writers have ended.
        for trace in traces.scratches() where trace.disk == question.disk && trace.run == context.run {
            try await restore(trace, on: try await context.storage.knownDisk(trace.disk))
            traces.remove(trace)
        }
        try await context.held.giveBack(question.lease)
        return .init()
    }

    /// The node looks for itself, whatever it is asked: a disk that carries anything of others is not written to.
    private static func writableDisk(_ id: DiskID, _ context: ProbeContext) async throws -> SharedDisk {
        guard let status = try await context.storage.inventory().first(where: { $0.id == id }) else {
            throw ProbeProblem("\(context.node) sees no shared disk \(id).")
        }
        try ScratchArea.check(status, consequence: "it is not written to")
        return try await context.storage.knownDisk(id)
    }

    /// Puts back every block that carries the run's pattern.
    ///
    /// - Returns: How many there were.
    @discardableResult
    static func restore(_ trace: ScratchTrace, on disk: SharedDisk) async throws -> Int {
        let piece = 1 << 20
        let block = disk.blockByteCount
        var count = 0
        for start in stride(from: 0, to: ScratchArea.byteCount, by: piece) {
            let offset = ScratchArea.byteOffset + UInt64(start)
            var bytes = try await disk.read(byteOffset: offset, count: piece)
            var dirty: ClosedRange<Int>?
            for at in stride(from: 0, to: piece, by: block) where ScratchPattern.isOurs(bytes[at..<at + block], run: trace.run) {
                let old = trace.original.map { [UInt8]($0[start + at..<start + at + block]) } ?? [UInt8](repeating: 0, count: block)
                bytes.replaceSubrange(at..<at + block, with: old)
                dirty = min(dirty?.lowerBound ?? at, at)...at + block - 1
                count += 1
            }
            // Only a run of the run's own blocks is written, with those of others in between as they were read a moment ago.
            if let dirty {
                try await disk.write(byteOffset: offset + UInt64(dirty.lowerBound), bytes: [UInt8](bytes[dirty]), durable: false)
            }
        }
        if count > 0 { try await disk.synchronize() }
        return count
    }

    /// For the end of a run that was cut short: other nodes stop writing at the same moment, so it is looked at until nothing comes any more.
    static func settle(_ trace: ScratchTrace, on disk: SharedDisk) async throws {
        for _ in 0..<10 {
            try await restore(trace, on: disk)
            try await Task.sleep(for: .milliseconds(300))
            if try await restore(trace, on: disk) == 0 { return }
        }
        throw ProbeProblem("Somebody goes on writing to the scratch area of \(trace.disk).")
    }
}

extension ScratchArea {
    /// Whether a disk may lend its scratch area, by what a node reads on it itself, whatever it was asked.
    ///
    /// - Parameter consequence: Ends the sentence of a refusal.
    static func check(_ status: SharedDiskStatus, consequence: String) throws {
        switch status.content {
        case .empty: break
        case .clusterSharedVolume(_, let label):
            guard status.extents.isEmpty else {
                throw ProbeProblem("Volume \(label) on \(status.id) holds \(status.extents.count) disks of machines; \(consequence).")
            }
        case .foreign(let what): throw ProbeProblem("\(status.id) carries something of others (\(what)); \(consequence).")
        case .damaged(let what): throw ProbeProblem("\(status.id) cannot be trusted (\(what)); \(consequence).")
        }
        guard status.byteCount >= smallestDisk else {
            throw ProbeProblem("\(status.id) is smaller than \(smallestDisk >> 20) MiB; \(consequence).")
        }
    }
}
