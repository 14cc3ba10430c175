import ClusterModel
import Foundation
import SCSI

/// A shared disk that holds the disks of virtual machines and the records of who may run them.
///
/// **Who writes what.** Only the coordinator node initialises and repairs volumes, gives out and takes back extents, and claims and
/// clears ownership slots; two nodes doing so would undo each other's changes. A machine's owner alone writes its ownership record. Every
/// node reads; nothing here is cached, so what is read is what is on the disk.
///
/// An instance is bound to one transport. After that is lost, open the volume again through its successor.
public actor ClusterSharedVolume {
    public nonisolated let disk: SharedDisk
    public nonisolated let id: UUID
    public nonisolated let label: String
    public nonisolated let cluster: String
    let gate = SerialGate()
    /// Slots whose last write has an unknown outcome; nothing is written to them until that is resolved.
    var unresolved: Set<Int> = []
    var slotsBeingWritten: Set<Int> = []

    init(disk: SharedDisk, header: VolumeHeader) {
        self.disk = disk
        id = header.id
        label = header.label
        cluster = header.cluster
    }

    /// Says what a disk carries, without writing anything.
    public static func inspect(_ disk: SharedDisk) async throws(SharedDiskError) -> DiskContent {
        try await DiskInspection.inspect(disk).content
    }

    /// Opens the volume on a disk. Damage that the other copy makes up for is no obstacle; ``repair()`` mends it.
    ///
    /// - Throws: ``VolumeError/notAVolume(_:content:)``, ``VolumeError/damaged(_:_:)`` or ``VolumeError/disk(_:)``.
    public static func open(_ disk: SharedDisk) async throws(VolumeError) -> ClusterSharedVolume {
        ClusterSharedVolume(disk: disk, header: try await read(disk).header)
    }

    /// Coordinator only: writes again what is missing, damaged or out of date in one of two copies.
    ///
    /// - Returns: What was mended, in words; empty when all was well.
    @discardableResult
    public func repair() async throws(VolumeError) -> [String] {
        let disk = disk
        return try await gate.run { () throws(VolumeError) in
            let found = try await Self.read(disk)
            guard !found.defects.isEmpty else { return [] }
            do throws(SharedDiskError) {
                try await disk.write(found.table)
                var header = found.header
                header.state = .complete
                try await disk.write(header: header)
                return found.defects
            } catch { throw .disk(error) }
        }
    }

    // MARK: Reading

    struct Found: Sendable {
        var header: VolumeHeader
        var table: PartitionTable
        var defects: [String]
    }

    /// Reads the volume's metadata.
    static func read(_ disk: SharedDisk) async throws(VolumeError) -> Found {
        var last = DiskContent.empty
        // A reader that meets the coordinator in the middle of a write can find both copies unreadable; a moment later it cannot.
        for attempt in 1...3 {
            let inspection: DiskInspection
            do throws(SharedDiskError) { inspection = try await DiskInspection.inspect(disk) } catch { throw .disk(error) }
            if let header = inspection.header, let table = inspection.table {
                return Found(header: header, table: table, defects: inspection.defects)
            }
            last = inspection.content
            guard case .damaged = last, attempt < 3 else { break }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
        }
        if case .damaged(let what) = last { throw .damaged(disk.id, what) }
        throw .notAVolume(disk.id, content: last.phrase)
    }

    func volume() async throws(VolumeError) -> Found {
        let found = try await Self.read(disk)
        guard found.header.id == id else {
            throw .damaged(disk.id, "another volume, \(found.header.label), was made on it in place of \(label)")
        }
        return found
    }
}

extension SharedDisk {
    /// Writes both header slots, with higher sequences than any that is there: the older one first, so that one is always whole.
    func write(header: VolumeHeader) async throws(SharedDiskError) {
        let bytes = try await read(byteOffset: VolumeLayout.metadataOffset, count: Int(VolumeLayout.stride) * 2)
        let slots = VolumeHeaderSlots(parsing: bytes)
        let current = slots.slots.firstIndex { (try? $0.get()) == slots.header && slots.header != nil }
        var next = header
        next.sequence = max(header.sequence, slots.header?.sequence ?? 0) + 1
        for slot in current == 0 ? [1, 0] : [0, 1] {
            try await write(structure: next.encoded(), byteOffset: VolumeLayout.headerOffset(slot: slot))
        }
    }

    /// Writes one of our structures, durably, in one block.
    func write(structure bytes: [UInt8], byteOffset: UInt64) async throws(SharedDiskError) {
        try await write(byteOffset: byteOffset, bytes: block(bytes), durable: true)
    }

    func block(_ structure: [UInt8]) -> [UInt8] {
        structure + [UInt8](repeating: 0, count: max(0, blockByteCount - structure.count))
    }
}
