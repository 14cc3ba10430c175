import ClusterModel
import Foundation
import SCSI

extension ClusterSharedVolume {
    /// Coordinator only: makes a disk a Cluster Shared Volume.
    ///
    /// The order of writes makes a crash harmless. With `force` the ends of the disk and any old header are cleared first. Then come the
    /// ownership records and a header that says "preparing", which without a partition table count for nothing, then the backup
    /// entries. The backup header is the one block that turns an empty disk into a volume; the primary table, the protective MBR and a
    /// header that says "complete" follow, and ``repair()`` writes them if a crash prevented it.
    ///
    /// - Parameters:
    ///   - label: How operators will call it; the rules of a node name.
    ///   - cluster: The cluster that it belongs to.
    ///   - force: Destroy what is there. Without it anything but an empty disk is refused.
    public static func initialize(
        _ disk: SharedDisk, label: String, cluster: String, force: Bool = false
    ) async throws(VolumeError) -> ClusterSharedVolume {
        guard (try? NodeName(label)) != nil else { throw .invalidLabel(label) }
        guard (1...VolumeHeader.clusterLimit).contains(cluster.utf8.count), cluster.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw .invalidClusterName(cluster)
        }
        guard disk.byteCount >= VolumeLayout.smallestDisk else {
            throw .tooSmall(disk.id, byteCount: disk.byteCount, needed: VolumeLayout.smallestDisk)
        }
        let content: DiskContent
        do throws(SharedDiskError) { content = try await inspect(disk) } catch { throw .disk(error) }
        guard content == .empty || force else { throw .wouldDestroy(disk.id, content: content.phrase) }
        do throws(SharedDiskError) {
            if content != .empty { try await disk.clearMetadata() }
            return ClusterSharedVolume(disk: disk, header: try await disk.prepareVolume(label: label, cluster: cluster))
        } catch { throw .disk(error) }
    }
}

extension SharedDisk {
    /// Clears everything by which a disk is recognised.
    func clearMetadata() async throws(SharedDiskError) {
        let count = DiskInspection.endCount(of: self)
        let zeros = [UInt8](repeating: 0, count: count)
        try await write(byteOffset: VolumeLayout.metadataOffset, bytes: [UInt8](zeros.prefix(Int(VolumeLayout.stride) * 2)), durable: true)
        try await write(byteOffset: byteCount - UInt64(count), bytes: zeros, durable: true)
        try await write(byteOffset: 0, bytes: zeros, durable: true)
    }

    fileprivate func prepareVolume(label: String, cluster: String) async throws(SharedDiskError) -> VolumeHeader {
        var header = VolumeHeader(state: .preparing, sequence: 0, id: UUID(), epoch: 1, label: label, cluster: cluster)
        let table = VolumeLayout.newTable(blockByteCount: blockByteCount, blockCount: capacity.blockCount)
        let image = table.encoded()
        try await zero(byteOffset: VolumeLayout.ownershipOffset, count: VolumeLayout.ownershipByteCount)
        try await write(header: header)
        try await writeBackup(image, table)
        try await writePrimary(image)
        header.state = .complete
        try await write(header: header)
        return header
    }
}
