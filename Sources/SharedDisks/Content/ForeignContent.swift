import SCSI

/// Recognises what somebody else put on a disk, so that it is not destroyed unasked.
///
/// The list helps the operator to know the disk again; safety does not rest on it, because any other bytes count as foreign too.
enum ForeignContent {
    private struct Signature {
        var offset: Int
        var bytes: [UInt8]
        var name: String
        init(_ offset: Int, _ bytes: [UInt8], _ name: String) {
            self.offset = offset
            self.bytes = bytes
            self.name = name
        }
        init(_ offset: Int, _ text: String, _ name: String) { self.init(offset, Array(text.utf8), name) }
    }

    /// Containers come before file systems, because a file system's first block may have survived below them. As in util-linux's libblkid.
    private static let signatures: [Signature] = [
        Signature(0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe], "LUKS encrypted volume"),
        Signature(4_096, [0xfc, 0x4e, 0x2b, 0xa9], "Linux software RAID member"),
        Signature(0, [0xfc, 0x4e, 0x2b, 0xa9], "Linux software RAID member"),
        Signature(0, "LABELONE", "LVM2 physical volume"), Signature(512, "LABELONE", "LVM2 physical volume"),
        Signature(1_024, "LABELONE", "LVM2 physical volume"), Signature(1_536, "LABELONE", "LVM2 physical volume"),
        Signature(0, "bluestore block device", "Ceph BlueStore"),
        Signature(4_120, [0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca], "bcache device"),
        Signature(0, [0x51, 0x46, 0x49, 0xfb], "qcow2 image"),
        Signature(0, "XFSB", "XFS file system"),
        Signature(65_600, "_BHRfS_M", "btrfs file system"),
        Signature(65_536, [0x01, 0x16, 0x19, 0x70], "GFS2 file system"),
        Signature(1_024, "OCFSV2", "OCFS2 file system"), Signature(2_048, "OCFSV2", "OCFS2 file system"),
        Signature(4_096, "OCFSV2", "OCFS2 file system"),
        Signature(4_086, "SWAPSPACE2", "Linux swap space"), Signature(65_526, "SWAPSPACE2", "Linux swap space"),
        Signature(32_769, "CD001", "ISO 9660 image"),
        Signature(3, "NTFS    ", "NTFS file system"), Signature(3, "EXFAT   ", "exFAT file system"),
        Signature(3, "ReFS", "ReFS file system"),
        Signature(54, "FAT12   ", "FAT12 file system"), Signature(54, "FAT16   ", "FAT16 file system"),
        Signature(82, "FAT32   ", "FAT32 file system"),
    ]

    /// - Parameters:
    ///   - head: The first bytes of the disk, a MiB of them if it has as many.
    ///   - tail: The last.
    ///   - byteCount: Of the whole disk.
    /// - Returns: What was recognised, without an article: "ext4 file system". Nil when nothing was.
    static func recognise(head: [UInt8], tail: [UInt8], byteCount: UInt64) -> String? {
        for signature in signatures where matches(head, at: signature.offset, signature.bytes) { return signature.name }
        if let version = ext(head) { return "\(version) file system" }
        if isZFS(head) || isZFS(tail) { return "ZFS pool member" }
        if hasTrailingRAID(tail, byteCount: byteCount) { return "Linux software RAID member" }
        return partitionTable(head)
    }

    private static func matches(_ bytes: [UInt8], at offset: Int, _ magic: [UInt8]) -> Bool {
        offset >= 0 && bytes.count >= offset + magic.count && bytes[offset..<offset + magic.count].elementsEqual(magic)
    }

    /// The superblock is at 1024: magic at 56, compatible features at 92 (04h: journal), incompatible ones at 96 (40h: extents).
    private static func ext(_ head: [UInt8]) -> String? {
        let reader = ByteReader(head, subject: "ext superblock")
        guard let magic: UInt16 = try? reader.littleEndian(at: 1_080), magic == 0xef53,
            let compatible: UInt32 = try? reader.littleEndian(at: 1_116),
            let incompatible: UInt32 = try? reader.littleEndian(at: 1_120)
        else { return nil }
        if incompatible & 0x2c0 != 0 { return "ext4" }
        return compatible & 0x04 != 0 ? "ext3" : "ext2"
    }

    /// A label is 256 KiB with uberblocks, 1 KiB or more each, in its second half; labels lie at both ends of the disk.
    private static func isZFS(_ bytes: [UInt8]) -> Bool {
        stride(from: 0, to: bytes.count - 8, by: 1_024).contains { offset in
            matches(bytes, at: offset, [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]) || matches(bytes, at: offset, [0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c])
        }
    }

    /// Metadata 1.0 is 8 to 12 KiB before the end, 0.90 on the last whole 64 KiB before the last 64 KiB.
    private static func hasTrailingRAID(_ tail: [UInt8], byteCount: UInt64) -> Bool {
        let start = byteCount - UInt64(tail.count)
        let version10 = byteCount >= 12_288 ? (byteCount / 512 - 16) / 8 * 8 * 512 : nil
        let version090 = byteCount >= 131_072 ? byteCount / 65_536 * 65_536 - 65_536 : nil
        return [version10, version090].compactMap(\.self).contains { position in
            position >= start && matches(tail, at: Int(position - start), [0xfc, 0x4e, 0x2b, 0xa9])
        }
    }

    /// An MBR with entries that could be partitions. A single entry of type EEh protects a GPT and is none by itself.
    private static func partitionTable(_ head: [UInt8]) -> String? {
        guard matches(head, at: 510, [0x55, 0xaa]) else { return nil }
        let entries = (0..<4).map { head[446 + $0 * 16..<462 + $0 * 16] }.filter { $0.contains { $0 != 0 } }
        let types = entries.map { $0[$0.startIndex + 4] }
        guard entries.allSatisfy({ $0.first == 0 || $0.first == 0x80 }), !types.contains(0), !types.isEmpty else { return "boot sector" }
        if types == [0xee] { return "protective MBR of a lost GPT partition table" }
        return "MBR partition table with \(types.count) partition\(types.count == 1 ? "" : "s")"
    }
}
