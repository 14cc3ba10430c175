import Foundation
import SCSI

extension SharedDisk {
    /// How many commands bulk work keeps under way: enough to hide the round trip, few enough to leave the disk to the machines.
    private static let bulkDepth = 4

    /// Makes a run of bytes read as zeros, durably.
    ///
    /// A thin disk that promises zeros gives the space back: WRITE SAME with UNMAP leaves zeros whether it frees a block or writes it
    /// (SBC-3 5.47). Elsewhere each chunk is read first and written only if something is there: a fresh disk stays as it is, and reading
    /// costs no more than writing.
    /// - Parameter progress: Bytes done so far; called from the task that called this function.
    func zero(
        byteOffset: UInt64, count: UInt64, progress: (UInt64) -> Void = { _ in }
    ) async throws(SharedDiskError) {
        if capacity.isThin, capacity.unmappedReadsZero, try await unmap(byteOffset: byteOffset, count: count, progress: progress) {
            return try await synchronize()
        }
        try await inChunks(byteOffset: byteOffset, count: count, progress: progress) { offset, size throws(SharedDiskError) in
            guard !isAllZero(try await read(byteOffset: offset, count: size)) else { return }
            try await write(byteOffset: offset, bytes: [UInt8](repeating: 0, count: size), durable: false)
        }
        try await synchronize()
    }

    /// False when the device does not do it after all.
    private func unmap(byteOffset: UInt64, count: UInt64, progress: (UInt64) -> Void) async throws(SharedDiskError) -> Bool {
        let block = UInt64(blockByteCount)
        // 1 GiB a command where the device names no limit: short enough to be answered in time.
        let most = min(limits.maximumWriteSameBlocks ?? .max, (1 << 30) / block)
        let zeros = [UInt8](repeating: 0, count: blockByteCount)
        let start = byteOffset / block
        let end = start + count / block
        var at = start
        while at < end {
            let blocks = min(most, end - at)
            do throws(SharedDiskError) {
                _ = try await unit.run(
                    .writeSame16(at: at, blockCount: UInt32(clamping: blocks), data: zeros, unmap: true),
                    until: .now.advanced(by: commandLimit))
            } catch .refused(_, _, .checkCondition, let sense?) where sense.key == .illegalRequest { return false }
            at += blocks
            progress((at - start) * block)
        }
        return true
    }

    /// Runs `body` over consecutive chunks, some at a time; the first error ends it.
    private func inChunks(
        byteOffset: UInt64, count: UInt64, progress: (UInt64) -> Void,
        _ body: @escaping @Sendable (UInt64, Int) async throws(SharedDiskError) -> Void
    ) async throws(SharedDiskError) {
        let size = UInt64(chunkByteCount)
        let result: Result<Void, SharedDiskError> = await withTaskGroup(of: Result<UInt64, SharedDiskError>.self) { group in
            var next: UInt64 = 0
            var done: UInt64 = 0
            func start() {
                guard next < count else { return }
                let offset = byteOffset + next
                let length = min(size, count - next)
                next += length
                group.addTask {
                    do throws(SharedDiskError) {
                        try await body(offset, Int(length))
                        return .success(length)
                    } catch { return .failure(error) }
                }
            }
            for _ in 0..<Self.bulkDepth { start() }
            while let finished = await group.next() {
                switch finished {
                case .success(let length):
                    done += length
                    progress(done)
                    start()
                case .failure(let error):
                    group.cancelAll()
                    return .failure(error)
                }
            }
            return .success(())
        }
        try result.get()
    }
}

/// Whether there is nothing in these bytes. Comparing them with themselves, one further on, leaves the work to `memcmp`.
func isAllZero(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress, let first = buffer.first else { return true }
        return first == 0 && memcmp(start, start + 1, buffer.count - 1) == 0
    }
}
