import ClusterModel

/// What a lab consists of. Names and addresses follow from it, so whoever knows the prefix finds everything again.
public struct LabDescription: Hashable, Sendable, Codable {
    /// 1 to 6 lower-case letters; begins the name of every namespace and folder. Two labs need different ones.
    public let prefix: String
    /// 1 to 16, called n1, n2, ...
    public let nodeCount: Int
    /// What a node may send on the migration network; nil means as fast as the machine is.
    public var migrationLimit: BitRate?
    /// In order of their numbers, from LUN 1.
    public let disks: [LabDisk]
    /// Networks that Corosync has between the nodes: 1, or 2 with ``LabNetwork/cluster2``.
    public let clusterLinks: Int
    /// The process that the lab is for, if it is for one: when that is gone, nobody wants the lab any more. nil for a lab that
    /// stays until somebody ends it.
    public let owner: Int32?

    /// - Throws: ``LabError/invalid(_:)`` with the field and what is allowed.
    public init(
        prefix: String = "lab", nodeCount: Int = 2, migrationLimit: BitRate? = nil, disks: [LabDisk] = LabDisk.standard,
        clusterLinks: Int = 1, owner: Int32? = nil
    ) throws(LabError) {
        guard (1...6).contains(prefix.utf8.count), prefix.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }) else {
            throw .invalid("\"\(prefix)\" is no prefix for a lab: use 1 to 6 lower-case letters.")
        }
        guard (1...16).contains(nodeCount) else { throw .invalid("A lab has 1 to 16 nodes, not \(nodeCount).") }
        guard (1...16).contains(disks.count) else { throw .invalid("A lab's SAN has 1 to 16 disks, not \(disks.count).") }
        for disk in disks where disk.byteCount < 1 << 20 || disk.byteCount > 1 << 44 || disk.byteCount % (1 << 20) != 0 {
            throw .invalid("A disk of the lab's SAN has a multiple of 1 MiB, at most 16 TiB, not \(disk.byteCount) bytes.")
        }
        for disk in disks where disk.product.wholeMatch(of: /[A-Z0-9_-]{1,16}/) == nil {
            throw .invalid("\"\(disk.product)\" is no product name for a disk: use 1 to 16 upper-case letters, digits, - and _.")
        }
        guard (1...2).contains(clusterLinks) else { throw .invalid("A lab has 1 or 2 links between its nodes, not \(clusterLinks).") }
        self.clusterLinks = clusterLinks
        self.owner = owner
        self.prefix = prefix
        self.nodeCount = nodeCount
        self.migrationLimit = migrationLimit
        self.disks = disks
    }

    /// Names of the nodes, in order.
    public var nodes: [NodeName] { (1...nodeCount).map { NodeName(unchecked: "n\($0)") } }
    /// The networks there are.
    public var networks: [LabNetwork] { LabNetwork.allCases.filter { $0 != .cluster2 || clusterLinks > 1 } }
}

/// A disk that the lab's SAN offers.
public struct LabDisk: Hashable, Sendable, Codable {
    /// SCSI product identification, up to 16 characters (SPC-4 6.6.2).
    public var product: String
    /// The file behind it is sparse: room is taken as it is written.
    public var byteCount: UInt64
    public init(product: String, byteCount: UInt64) {
        self.product = product
        self.byteCount = byteCount
    }

    /// LUN 1 for the witness, LUNs 2 and 3 for Cluster Shared Volumes.
    public static let standard = [
        LabDisk(product: "WITNESS", byteCount: 64 << 20), LabDisk(product: "CSV", byteCount: 8 << 30),
        LabDisk(product: "CSV", byteCount: 8 << 30),
    ]
    /// SCSI vendor identification of every disk.
    public static let vendor = "APUS"
    /// Unit serial number of the disk with this LUN (SPC-4 7.8.15), for instance `APUSLAB00000001`. Also its T10 designator.
    public static func serial(lun: Int) -> String {
        let digits = String(lun)
        return "APUSLAB" + String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
    }
}

/// Bits a second.
public struct BitRate: Hashable, Sendable, Codable, CustomStringConvertible {
    public let bitsPerSecond: UInt64

    /// - Returns: nil below 1 kbit/s and above 100 Gbit/s.
    public init?(bitsPerSecond: UInt64) {
        guard (1_000...100_000_000_000).contains(bitsPerSecond) else { return nil }
        self.bitsPerSecond = bitsPerSecond
    }

    /// Understands `1Gbit`, `2.5Gbit`, `100Mbit`, `64kbit`, in any case, with `bit/s` or `bps` as well.
    public init?(_ text: String) {
        var text = Substring(text.lowercased())
        for ending in ["bit/s", "bits", "bit", "bps"] where text.hasSuffix(ending) {
            text = text.dropLast(ending.count)
            break
        }
        let factors: [Character: Double] = ["k": 1e3, "m": 1e6, "g": 1e9]
        let factor = text.last.flatMap { factors[$0] }
        let digits = factor == nil ? text : text.dropLast()
        guard !digits.isEmpty, digits.utf8.count <= 20, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let value = Double(digits), value * (factor ?? 1) <= 1e12
        else { return nil }
        self.init(bitsPerSecond: UInt64((value * (factor ?? 1)).rounded()))
    }

    public var description: String {
        for (unit, size) in [("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000)] as [(String, UInt64)]
        where bitsPerSecond >= size && bitsPerSecond % (size / 10) == 0 {
            let tenths = bitsPerSecond / (size / 10)
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bitsPerSecond) bit/s"
    }
}

/// The networks between the members of a lab. Each is a switch of its own.
public enum LabNetwork: String, Hashable, Sendable, Codable, CaseIterable {
    /// 10.71.0.0/24: the nodes among themselves.
    case cluster
    /// 10.74.0.0/24: a second way for Corosync, in labs with two links.
    case cluster2
    /// 10.72.0.0/24: nodes and SAN.
    case storage
    /// 10.73.0.0/24: memory of migrating machines; the one that can be limited.
    case migration
    /// 10.77.0.0/16 and fd77::/64: virtual machines and the client, through the bridge `br0` of each node.
    case machine

    /// The node's interface, for instance `cluster0`; that of ``cluster2`` is `cluster1`.
    public var interface: String { self == .cluster2 ? "cluster1" : rawValue + "0" }

    /// The address of node `number` (1, 2, ...) here; nil on the machine network, where a node has none.
    public func address(ofNode number: Int) -> String? {
        switch self {
        case .cluster: "10.71.0.\(number)"
        case .cluster2: "10.74.0.\(number)"
        case .storage: "10.72.0.\(number)"
        case .migration: "10.73.0.\(number)"
        case .machine: nil
        }
    }
    /// The SAN's address on the storage network.
    public static let sanAddress = "10.72.0.254"
    /// The client's addresses on the machine network.
    public static let clientAddress = "10.77.255.254"
    public static let clientAddress6 = "fd77::fffe"
}
