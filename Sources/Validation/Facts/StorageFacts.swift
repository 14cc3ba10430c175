import ClusterModel

/// What the node sees of disks.
public struct StorageFacts: Hashable, Sendable, Codable {
    /// Every block device and every LUN, local ones included.
    public var disks: [DiskFacts] = []
    public var hostBusAdapters: [HostBusAdapterFacts] = []
    /// The names this node has as an iSCSI initiator, with where each is written.
    public var initiators: [InitiatorFacts] = []
    public var shares: [ShareFacts] = []
    public init() {}
}

/// A disk as one node sees it.
public struct DiskFacts: Hashable, Sendable, Codable {
    /// nil when it says nothing that could be unique.
    public var id: DiskID?
    /// The node's name for it: `/dev/sdb`, or `TARGET/LUN` over a session of our own.
    public var path: String
    public var lun: Int?
    public var vendor: String?
    public var product: String?
    public var revision: String?
    public var serial: String?
    public var byteCount: UInt64?
    public var blockByteCount: Int?
    /// How the node reaches it: `iscsi`, `fc`, `sas`, `nvme`, `local`.
    public var transport: String?
    /// Paths that lead to the same disk, this one included.
    public var pathCount: Int?
    public var content: DiskContent?
    /// Not yet given to an extent; nil unless the disk is a Cluster Shared Volume.
    public var freeByteCount: UInt64?
    /// Mounted, part of an array, or held by a program here: what holds it. nil when nobody does.
    public var usedBy: String?
    public var hasWriteCache: Bool?
    public init(path: String) { self.path = path }
}

public struct HostBusAdapterFacts: Hashable, Sendable, Codable {
    /// `host3`.
    public var name: String
    public var driver: String?
    public var model: String?
    /// WWPN or SAS address.
    public var portName: String?
    public var portState: String?
    public init(name: String) { self.name = name }
}

public struct InitiatorFacts: Hashable, Sendable, Codable {
    public var name: String
    /// `node.yaml` or `/etc/iscsi/initiatorname.iscsi`.
    public var source: String
    public init(name: String, source: String) {
        self.name = name
        self.source = source
    }
}

/// A file share that is mounted.
public struct ShareFacts: Hashable, Sendable, Codable {
    public var path: String
    /// `nfs4`, `cifs`.
    public var kind: String
    /// `server:/export`.
    public var source: String
    public var options: [String]
    public var freeBytes: UInt64?
    public init(path: String, kind: String, source: String, options: [String], freeBytes: UInt64?) {
        self.path = path
        self.kind = kind
        self.source = source
        self.options = options
        self.freeBytes = freeBytes
    }
}
