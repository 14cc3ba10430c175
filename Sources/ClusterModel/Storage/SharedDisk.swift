import Foundation

/// What names a shared disk the same way on every node.
///
/// NAA or EUI-64 designator when the array has one that is its own, else T10 vendor designator and unit serial number
/// (SPC-4 7.8.6 and 7.8.15). tgt derives NAA from its own numbering, so two targets can offer the same one; T10 + serial is used there.
public struct DiskID: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    public let rawValue: String
    public init(_ rawValue: String) { self.rawValue = rawValue }
    public init(from decoder: any Decoder) throws { rawValue = try decoder.singleValueContainer().decode(String.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
    public var description: String { rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A contiguous run of bytes of one shared disk that holds one virtual disk.
public struct Extent: Hashable, Sendable, Codable {
    public var disk: DiskID
    /// From the start of the shared disk; a multiple of 1 MiB.
    public var byteOffset: UInt64
    public var byteCount: UInt64
    public init(disk: DiskID, byteOffset: UInt64, byteCount: UInt64) {
        self.disk = disk
        self.byteOffset = byteOffset
        self.byteCount = byteCount
    }
}

/// The place of one machine's ownership record.
public struct OwnershipSlot: Hashable, Sendable, Codable {
    public var disk: DiskID
    public var index: Int
    public init(disk: DiskID, index: Int) {
        self.disk = disk
        self.index = index
    }
}

/// Which node may run a machine. Written on the shared disk, only by the owner it names and, at switchover, by that owner for its successor.
public struct OwnershipRecord: Hashable, Sendable, Codable {
    public var vmID: UUID
    public var owner: NodeName
    /// Rises by one with every write; of two readable copies the higher counts.
    public var epoch: UInt64
    public init(vmID: UUID, owner: NodeName, epoch: UInt64) {
        self.vmID = vmID
        self.owner = owner
        self.epoch = epoch
    }
}

/// What a shared disk carries.
public enum DiskContent: Hashable, Sendable, Codable {
    /// Zeros where a partition table, file system or header would be.
    case empty
    /// Carries an Apus header: a Cluster Shared Volume with its label.
    case clusterSharedVolume(id: UUID, label: String)
    /// Something that is not ours; the text names what was recognised ("GPT partition table with 2 partitions", "ext4 file system").
    case foreign(String)
    /// An Apus disk whose metadata cannot be trusted; the text says what is wrong.
    case damaged(String)

    // The names in JSON; Swift would call an unlabelled value `_0`.
    enum ForeignCodingKeys: String, CodingKey { case _0 = "description" }
    enum DamagedCodingKeys: String, CodingKey { case _0 = "description" }
}

/// A line of `apus disk list`.
public struct SharedDiskStatus: Hashable, Sendable, Codable {
    public var id: DiskID
    public var lun: Int
    public var vendor: String
    public var product: String
    public var serial: String
    public var byteCount: UInt64
    public var blockByteCount: Int
    public var content: DiskContent
    /// Not yet given to an extent; nil unless the disk is a Cluster Shared Volume.
    public var freeByteCount: UInt64?
    public var extents: [NamedExtent]

    public init(
        id: DiskID, lun: Int, vendor: String, product: String, serial: String, byteCount: UInt64, blockByteCount: Int,
        content: DiskContent, freeByteCount: UInt64?, extents: [NamedExtent]
    ) {
        self.id = id
        self.lun = lun
        self.vendor = vendor
        self.product = product
        self.serial = serial
        self.byteCount = byteCount
        self.blockByteCount = blockByteCount
        self.content = content
        self.freeByteCount = freeByteCount
        self.extents = extents
    }
}

/// An extent with the name it bears in the partition table: `MACHINE/DISK`.
public struct NamedExtent: Hashable, Sendable, Codable {
    public var name: String
    public var extent: Extent
    public init(name: String, extent: Extent) {
        self.name = name
        self.extent = extent
    }
}
