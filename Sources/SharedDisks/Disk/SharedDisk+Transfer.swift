import ClusterModel
import SCSI

extension SharedDisk {
    /// What one READ or WRITE may carry: the device's limit, and at most 1 MiB, which is enough to fill a 10 Gbit/s link and bounds
    /// what a slow one must swallow before a limit is noticed.
    var chunkByteCount: Int {
        let ours = 1 << 20
        guard let blocks = limits.maximumTransferBlocks else { return ours }
        let theirs = Int(clamping: UInt64(blocks) * UInt64(blockByteCount))
        return max(blockByteCount, min(ours, theirs))
    }

    /// Reads whole blocks.
    ///
    /// - Throws: ``SharedDiskError/outOfRange(disk:byteOffset:byteCount:)`` unless both numbers are multiples of the block size and
    ///   the run lies on the disk.
    public func read(byteOffset: UInt64, count: Int) async throws(SharedDiskError) -> [UInt8] {
        try check(byteOffset, UInt64(clamping: count))
        var bytes: [UInt8] = []
        while bytes.count < count {
            let size = min(chunkByteCount, count - bytes.count)
            let command = SCSICommand.read16(
                at: (byteOffset + UInt64(bytes.count)) / UInt64(blockByteCount), blockCount: UInt32(size / blockByteCount),
                blockByteCount: blockByteCount)
            let reply = try await unit.run(command, until: .now.advanced(by: commandLimit))
            guard reply.data.count == size else {
                throw .malformed(
                    disk: id.description,
                    MalformedData(subject: "READ(16) data", problem: "\(reply.data.count) bytes came instead of \(size)"))
            }
            if size == count { return reply.data }
            bytes += reply.data
        }
        return bytes
    }

    /// Writes whole blocks.
    ///
    /// - Parameter durable: Returns when the bytes are on the medium: forced unit access, or a cache synchronisation after the write on
    ///   devices that do not know it. Otherwise ``synchronize()`` must follow.
    /// - Throws: ``SharedDiskError``; its ``SharedDiskError/outcome`` tells whether the bytes may be there nevertheless.
    public func write(byteOffset: UInt64, bytes: [UInt8], durable: Bool) async throws(SharedDiskError) {
        try check(byteOffset, UInt64(bytes.count))
        var done = 0
        while done < bytes.count {
            let size = min(chunkByteCount, bytes.count - done)
            let chunk = done == 0 && size == bytes.count ? bytes : [UInt8](bytes[done..<done + size])
            try await writeChunk(
                at: byteOffset + UInt64(done), chunk, durable: durable, repetition: .idempotent,
                until: .now.advanced(by: commandLimit))
            done += size
        }
    }

    /// Writes one block, durably, and never a second time once it may have been begun.
    func writeOnce(byteOffset: UInt64, block: [UInt8], within limit: Duration) async throws(SharedDiskError) {
        try check(byteOffset, UInt64(block.count))
        try await writeChunk(at: byteOffset, block, durable: true, repetition: .once, until: .now.advanced(by: limit))
    }

    private func writeChunk(
        at byteOffset: UInt64, _ bytes: [UInt8], durable: Bool, repetition: LogicalUnit.Repetition, until deadline: ContinuousClock.Instant
    ) async throws(SharedDiskError) {
        func command(force: Bool) -> SCSICommand {
            .write16(
                at: byteOffset / UInt64(blockByteCount), data: bytes, blockByteCount: blockByteCount, forceUnitAccess: force)
        }
        do {
            _ = try await unit.run(command(force: durable), until: deadline, repetition: repetition)
            return
        } catch .refused(_, _, .checkCondition, let sense?) where durable && sense.key == .illegalRequest && sense.code == 0x2400 {
            // No forced unit access here (DPOFUA is zero, SBC-3 6.4.1).
        }
        _ = try await unit.run(command(force: false), until: deadline, repetition: repetition)
        do throws(SharedDiskError) {
            _ = try await unit.run(.synchronizeCache16, until: deadline)
        } catch {
            // The block was accepted. Whatever kept the cache from being written, the outcome is open.
            throw .transport(SCSITransportError(cause: .refused, outcome: .unknown, description: error.description))
        }
    }

    private func check(_ byteOffset: UInt64, _ count: UInt64) throws(SharedDiskError) {
        let block = UInt64(blockByteCount)
        guard count > 0, byteOffset % block == 0, count % block == 0, byteOffset <= byteCount, count <= byteCount - byteOffset else {
            throw .outOfRange(disk: id.description, byteOffset: byteOffset, byteCount: count)
        }
    }
}
