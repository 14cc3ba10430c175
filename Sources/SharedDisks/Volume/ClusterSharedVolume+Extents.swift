import ClusterModel
import Foundation
import SCSI

extension ClusterSharedVolume {
    /// Every extent, in the order of the disk.
    public func extents() async throws(VolumeError) -> [NamedExtent] {
        try await volume().table.namedExtents(on: disk.id)
    }

    /// What is not given out yet, in one run or many.
    public func freeByteCount() async throws(VolumeError) -> UInt64 { try await volume().table.freeByteCount }

    /// Coordinator only: gives room for one disk of a machine, in the first run that is large enough.
    ///
    /// The room reads as zeros before it gets its name, whatever was there: a machine never sees another's data, not even when taking the
    /// room back was interrupted. A crash in between leaves free room.
    ///
    /// - Parameters:
    ///   - name: `MACHINE/DISK`, at most 36 UTF-16 units: what a partition's name has room for, so that every tool that reads GPT shows
    ///     whose data it is.
    ///   - byteCount: Rounded up to whole MiB.
    ///   - progress: Bytes cleared so far.
    public func allocate(
        name: String, byteCount: UInt64, progress: @Sendable (UInt64) -> Void = { _ in }
    ) async throws(VolumeError) -> Extent {
        try Self.check(name)
        return try await gate.run { () throws(VolumeError) in
            try await self.allocateAlone(name: name, byteCount: byteCount, progress: progress)
        }
    }

    private func allocateAlone(
        name: String, byteCount: UInt64, progress: @Sendable (UInt64) -> Void
    ) async throws(VolumeError) -> Extent {
        var table = try await volume().table
        guard !table.partitions.contains(where: { $0.name == name }) else { throw .duplicateExtent(name, volume: label) }
        let used = Set(table.partitions.map(\.slot))
        guard let slot = (0..<PartitionTable.entryCount).first(where: { !used.contains($0) }) else { throw .tooManyExtents(volume: label) }
        guard let run = table.firstFit(byteCount: byteCount) else {
            throw .noRoom(volume: label, asked: byteCount, largestFreeRun: table.largestFreeByteCount, free: table.freeByteCount)
        }
        let block = UInt64(disk.blockByteCount)
        let extent = Extent(disk: disk.id, byteOffset: run.lowerBound * block, byteCount: UInt64(run.count) * block)
        table.partitions.append(
            PartitionTable.Partition(
                slot: slot, type: VolumeLayout.extentType, id: UUID(), firstBlock: run.lowerBound, lastBlock: run.upperBound, name: name))
        do throws(SharedDiskError) {
            try await disk.zero(byteOffset: extent.byteOffset, count: extent.byteCount, progress: progress)
            try await disk.write(table)
        } catch { throw .disk(error) }
        return extent
    }

    /// Coordinator only: takes an extent back. The caller has made sure that no machine uses it.
    public func release(name: String) async throws(VolumeError) {
        try await gate.run { () throws(VolumeError) in
            var table = try await self.volume().table
            let before = table.partitions.count
            table.partitions.removeAll { $0.name == name && $0.type == VolumeLayout.extentType }
            guard table.partitions.count < before else { throw .unknownExtent(name, volume: self.label) }
            do throws(SharedDiskError) { try await self.disk.write(table) } catch { throw .disk(error) }
        }
    }

    private static func check(_ name: String) throws(VolumeError) {
        let units = name.utf16.count
        guard units > 0 else { throw .invalidExtentName(name, reason: "a name is needed, such as MACHINE/DISK") }
        guard units <= PartitionTable.nameLimit else {
            throw .invalidExtentName(
                name,
                reason: "it has \(units) characters and a partition's name has room for \(PartitionTable.nameLimit); "
                    + "use a shorter machine or disk name")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }), name != VolumeLayout.metadataName else {
            throw .invalidExtentName(name, reason: "control characters and \(VolumeLayout.metadataName) are not allowed")
        }
    }
}

extension PartitionTable {
    func namedExtents(on disk: DiskID) -> [NamedExtent] {
        let block = UInt64(blockByteCount)
        return partitions.filter { $0.type == VolumeLayout.extentType }.sorted { $0.firstBlock < $1.firstBlock }.map {
            NamedExtent(
                name: $0.name,
                extent: Extent(disk: disk, byteOffset: $0.firstBlock * block, byteCount: ($0.lastBlock - $0.firstBlock + 1) * block))
        }
    }

    /// Free runs cut to whole MiB at both ends.
    private var alignedFreeRuns: [Range<UInt64>] {
        let unit = (1 << 20) / UInt64(blockByteCount)
        return freeRuns().compactMap { run in
            let start = (run.lowerBound + unit - 1) / unit * unit
            let end = (run.upperBound + 1) / unit * unit
            return start < end ? start..<end : nil
        }
    }

    var freeByteCount: UInt64 { alignedFreeRuns.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) * UInt64(blockByteCount) } }
    var largestFreeByteCount: UInt64 {
        alignedFreeRuns.map { ($0.upperBound - $0.lowerBound) * UInt64(blockByteCount) }.max() ?? 0
    }

    /// The first run with room, cut to what is needed in whole MiB; nil also for nothing at all.
    func firstFit(byteCount: UInt64) -> ClosedRange<UInt64>? {
        guard byteCount > 0, byteCount <= largestFreeByteCount else { return nil }
        let unit: UInt64 = 1 << 20
        let blocks = (byteCount + unit - 1) / unit * unit / UInt64(blockByteCount)
        return alignedFreeRuns.first { $0.upperBound - $0.lowerBound >= blocks }.map { $0.lowerBound...$0.lowerBound + blocks - 1 }
    }
}
