import ClusterModel
import Foundation
import SCSI

extension WitnessVolume {
    /// Makes a disk the witness of a cluster.
    ///
    /// The order of writes makes a crash harmless, as with ``ClusterSharedVolume/initialize(_:label:cluster:force:)``: heartbeats and slots
    /// first, with a header that says "preparing", then the partition table, then the header that says "complete". Both slots get an empty
    /// configuration, so that later a slot of zeros is damage and not a beginning.
    ///
    /// - Parameters:
    ///   - number: ``VoteTable/witnessID`` of the new witness.
    ///   - force: Destroy what is there. Without it anything but an empty disk is refused; a witness of the same cluster too.
    public static func initialize(
        _ disk: SharedDisk, cluster: UUID, clusterName: String, number: UInt64 = .random(in: 1 ... .max), force: Bool = false
    ) async throws(WitnessError) -> WitnessVolume {
        guard (1...VolumeHeader.clusterLimit).contains(clusterName.utf8.count), clusterName.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw .invalidClusterName(clusterName) }
        guard disk.byteCount >= WitnessLayout.smallestDisk else {
            throw .tooSmall(disk.id.description, byteCount: disk.byteCount, needed: WitnessLayout.smallestDisk)
        }
        let content: DiskContent
        do throws(SharedDiskError) { content = try await DiskInspection.inspect(disk).content } catch { throw .disk(error) }
        guard content == .empty || force else { throw .wouldDestroy(disk.id.description, content: content.phrase) }
        do throws(SharedDiskError) {
            if content != .empty { try await disk.clearMetadata() }
            return WitnessVolume(disk: disk, header: try await prepare(disk, cluster: cluster, clusterName: clusterName, number: number))
        } catch { throw .disk(error) }
    }

    private static func prepare(
        _ disk: SharedDisk, cluster: UUID, clusterName: String, number: UInt64
    ) async throws(SharedDiskError) -> WitnessHeader {
        let slotByteCount = WitnessLayout.slotByteCount(diskByteCount: disk.byteCount)
        var header = WitnessHeader(
            state: .preparing, sequence: 1, cluster: cluster, clusterName: clusterName, slotByteCount: slotByteCount,
            number: number)
        try await disk.zero(
            byteOffset: WitnessLayout.heartbeatOffset, count: UInt64(WitnessLayout.heartbeatCount) * WitnessLayout.stride)
        for slot in 0..<2 {
            let empty = WitnessSlotHeader(WitnessContent(), cluster: cluster, sequence: UInt64(slot) + 1)
            try await disk.write(
                structure: empty.encoded(slot: slot), byteOffset: WitnessLayout.slotOffset + UInt64(slot) * slotByteCount)
        }
        for slot in 0..<2 { try await disk.write(structure: header.encoded(), byteOffset: WitnessLayout.headerOffset(slot: slot)) }
        let table = WitnessLayout.newTable(
            blockByteCount: disk.blockByteCount, blockCount: disk.capacity.blockCount, slotByteCount: slotByteCount)
        let image = table.encoded()
        try await disk.writeBackup(image, table)
        try await disk.writePrimary(image)
        header.state = .complete
        header.sequence = 2
        for slot in 0..<2 { try await disk.write(structure: header.encoded(), byteOffset: WitnessLayout.headerOffset(slot: slot)) }
        return header
    }

    /// Opens the witness on a disk and checks whose it is.
    ///
    /// - Throws: ``WitnessError/notAWitness(_:content:)``, ``WitnessError/otherCluster(_:found:name:expected:)``,
    ///   ``WitnessError/damaged(_:_:)`` or ``WitnessError/disk(_:)``.
    public static func open(_ disk: SharedDisk, cluster: UUID) async throws(WitnessError) -> WitnessVolume {
        let inspection: DiskInspection
        do throws(SharedDiskError) { inspection = try await DiskInspection.inspect(disk) } catch { throw .disk(error) }
        guard let witness = inspection.witness else { throw .notAWitness(disk.id.description, content: inspection.content.phrase) }
        guard let header = witness.header else { throw .damaged(disk.id.description, "its header: \(witness.problem)") }
        guard header.state == .complete else {
            throw .notAWitness(disk.id.description, content: "a witness whose initialising was interrupted; initialise it with --force")
        }
        guard header.cluster == cluster else {
            throw .otherCluster(disk.id.description, found: header.cluster, name: header.clusterName, expected: cluster)
        }
        return WitnessVolume(disk: disk, header: header)
    }
}
