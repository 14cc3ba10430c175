import ClusterModel
import Foundation

/// What is on a disk, read from both ends and from where our header would be.
struct DiskInspection: Sendable {
    var content: DiskContent
    /// The table that counts, if the disk is a volume.
    var table: PartitionTable?
    var header: VolumeHeader?
    /// What the coordinator has to write again; the volume is whole nevertheless.
    var defects: [String] = []
    /// The headers, if the disk has the partition table of a witness.
    var witness: WitnessHeaderSlots?

    /// Both ends are read up to this far.
    static let endByteCount = 1 << 20

    /// How much is at each end of a disk that may be smaller.
    static func endCount(of disk: SharedDisk) -> Int { Int(min(UInt64(endByteCount), disk.byteCount)) }

    static func inspect(_ disk: SharedDisk) async throws(SharedDiskError) -> DiskInspection {
        let count = endCount(of: disk)
        // Less than a table and its backup: certainly none of ours.
        let head = try await disk.read(byteOffset: 0, count: count)
        let tail = try await disk.read(byteOffset: disk.byteCount - UInt64(count), count: count)
        guard disk.byteCount >= VolumeLayout.smallestDisk else {
            return DiskInspection(content: withoutVolume(head: head, tail: tail, copies: nil, disk))
        }
        // Both kinds of our disks have their headers in the same place.
        let headers = try await disk.read(byteOffset: VolumeLayout.metadataOffset, count: Int(VolumeLayout.stride) * 2)
        let slots = VolumeHeaderSlots(parsing: headers)
        let copies = try await disk.partitionTableCopies(head: head, tail: tail)
        if copies.table?.isWitness == true {
            return ofWitness(WitnessHeaderSlots(parsing: headers, diskByteCount: disk.byteCount))
        }
        return judge(head: head, tail: tail, copies: copies, slots: slots, disk)
    }

    private static func judge(
        head: [UInt8], tail: [UInt8], copies: PartitionTableCopies, slots: VolumeHeaderSlots, _ disk: SharedDisk
    ) -> DiskInspection {
        if let primary = copies.primary.table, !primary.isClusterSharedVolume {
            return DiskInspection(content: .foreign(describe(primary)))
        }
        guard let table = copies.table, table.isClusterSharedVolume else {
            return DiskInspection(content: withoutTable(head: head, tail: tail, copies: copies, slots: slots, disk))
        }
        guard let header = slots.header else {
            return DiskInspection(content: .damaged("the volume header cannot be read: \(slots.problem)"))
        }
        // While a volume is being made, what was on the disk before may still be seen in block 0; later it is somebody else's doing.
        let overwritten = ForeignContent.recognise(head: head, tail: [], byteCount: disk.byteCount)
        if header.state == .complete, let overwritten, !overwritten.hasPrefix("protective") {
            return DiskInspection(content: .damaged("a \(overwritten) was written over it"))
        }
        var defects = copies.defects + slots.defects
        if !head.starts(with: table.encoded().protectiveMBR) { defects.append("the protective MBR is missing") }
        if header.state == .preparing { defects.append("initialising it was interrupted") }
        return DiskInspection(
            content: .clusterSharedVolume(id: header.id, label: header.label), table: table, header: header, defects: defects)
    }

    private static func withoutTable(
        head: [UInt8], tail: [UInt8], copies: PartitionTableCopies, slots: VolumeHeaderSlots, _ disk: SharedDisk
    ) -> DiskContent {
        if slots.header?.state == .complete {
            return .damaged("both partition tables are unreadable, although it has the header of a Cluster Shared Volume")
        }
        // Initialising got as far as the header and not as far as a table: it was empty then, and nobody has used it since.
        if slots.header?.state == .preparing, isAllZero(head),
            ForeignContent.recognise(head: head, tail: tail, byteCount: disk.byteCount) == nil
        {
            return .empty
        }
        return withoutVolume(head: head, tail: tail, copies: copies, disk)
    }

    private static func withoutVolume(
        head: [UInt8], tail: [UInt8], copies: PartitionTableCopies?, _ disk: SharedDisk
    ) -> DiskContent {
        if let table = copies?.table { return .foreign(describe(table)) }
        if case .damaged(let why)? = copies?.primary { return .foreign("damaged GPT partition table (\(why))") }
        if let known = ForeignContent.recognise(head: head, tail: tail, byteCount: disk.byteCount) { return .foreign(known) }
        if case .damaged(let why)? = copies?.backup { return .foreign("damaged backup of a GPT partition table (\(why))") }
        for (bytes, start) in [(head, 0), (tail, disk.byteCount - UInt64(tail.count))] {
            if let index = bytes.firstIndex(where: { $0 != 0 }) {
                return .foreign("data of an unknown kind (first seen at byte \(start + UInt64(index)))")
            }
        }
        return .empty
    }

    /// For everybody but the cluster whose witness it is this is a disk with somebody's data.
    private static func ofWitness(_ witness: WitnessHeaderSlots) -> DiskInspection {
        let whose = witness.header.map { " of the cluster \($0.clusterName) (\($0.cluster))" } ?? ""
        return DiskInspection(content: .foreign("witness disk" + whose), witness: witness)
    }

    private static func describe(_ table: PartitionTable) -> String {
        let count = table.partitions.count
        return "GPT partition table with \(count) partition\(count == 1 ? "" : "s")"
    }
}

extension DiskContent {
    /// With an article, for sentences: "a GPT partition table with 2 partitions".
    var phrase: String {
        switch self {
        case .empty: return "nothing"
        case .clusterSharedVolume(_, let label): return "the Cluster Shared Volume \(label)"
        case .foreign(let what):
            if what.hasPrefix("data") { return what }
            let spokenWithVowel = ["ext", "exFAT", "ISO", "LVM2", "MBR", "NTFS", "OCFS2", "XFS"].contains { what.hasPrefix($0) }
            return (spokenWithVowel ? "an " : "a ") + what
        case .damaged(let what): return "a Cluster Shared Volume whose metadata cannot be trusted (\(what))"
        }
    }
}
