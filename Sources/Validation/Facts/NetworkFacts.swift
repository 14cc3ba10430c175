/// How the node is connected.
public struct NetworkFacts: Hashable, Sendable, Codable {
    public var hostName: String?
    public var adapters: [AdapterFacts] = []
    public var bridges: [BridgeFacts] = []
    /// Which addresses the node's settings give to the cluster.
    public var roles: [AddressRole] = []
    /// Ports that programs listen on, of those that the cluster wants.
    public var listeners: [ListenerFacts] = []
    /// Which packet filters have rules: `nftables`, `iptables`, `firewalld`.
    public var firewalls: [String] = []
    /// The chains of nftables that can drop what the node sends or receives; nil from a node that does not tell.
    public var filters: [FilterChainFacts]?
    public init() {}
}

/// A network adapter, from `/sys/class/net`, netlink and ethtool.
public struct AdapterFacts: Hashable, Sendable, Codable {
    public var name: String
    /// `physical`, `bond`, `vlan`, `bridge`, `tap`, `veth`.
    public var kind: String?
    public var macAddress: String?
    /// With the prefix: `10.0.1.11/24`.
    public var addresses: [String] = []
    public var mtu: Int?
    public var isUp: Bool?
    public var hasCarrier: Bool?
    /// nil when the driver does not tell, as virtual ones do not.
    public var speedMbitPerSecond: Int?
    public var isFullDuplex: Bool?
    public var driver: String?
    public var driverVersion: String?
    public var firmwareVersion: String?
    public var pciAddress: String?
    /// The bridge or bond that it belongs to.
    public var upper: String?
    /// The adapter that carries a VLAN.
    public var lower: String?
    public var receiveErrors: Int?
    public var transmitErrors: Int?
    public var dropped: Int?
    public init(name: String) { self.name = name }
}

public struct BridgeFacts: Hashable, Sendable, Codable {
    public var name: String
    /// Adapters that are its ports, guests' taps left out.
    public var ports: [String] = []
    public var isVLANAware: Bool?
    /// VLANs that it carries, ascending.
    public var vlans: [Int] = []
    public var mtu: Int?
    public init(name: String) { self.name = name }
}

/// A base chain of nftables, see nft(8): where a packet filter begins.
public struct FilterChainFacts: Hashable, Sendable, Codable {
    /// `ip`, `ip6`, `inet`, `bridge`, `netdev`, `arp`.
    public var family: String
    public var table: String
    public var chain: String
    /// `input`, `output`, `prerouting`, `forward`, ...
    public var hook: String
    /// What becomes of packets that no rule decides on.
    public var dropsByDefault: Bool
    /// Rules of the chain, and of those that it jumps to, that drop or reject.
    public var droppingRules: Int
    public init(family: String, table: String, chain: String, hook: String, dropsByDefault: Bool, droppingRules: Int) {
        self.family = family
        self.table = table
        self.chain = chain
        self.hook = hook
        self.dropsByDefault = dropsByDefault
        self.droppingRules = droppingRules
    }
    public var canDrop: Bool { dropsByDefault || droppingRules > 0 }
}

/// An address of the node's settings, and what it is for.
public struct AddressRole: Hashable, Sendable, Codable {
    /// `cluster`, `cluster2`, `migration`, `storage`.
    public var role: String
    public var address: String
    /// The adapter that bears it; nil when none does.
    public var adapter: String?
    /// The network in CIDR notation: `10.0.1.0/24`; nil when no adapter bears the address.
    public var subnet: String?
    public init(role: String, address: String, adapter: String?, subnet: String?) {
        self.role = role
        self.address = address
        self.adapter = adapter
        self.subnet = subnet
    }
}

public struct ListenerFacts: Hashable, Sendable, Codable {
    /// `tcp` or `udp`.
    public var transport: String
    public var address: String
    public var port: Int
    /// The program's name; nil when the kernel does not tell.
    public var program: String?
    public init(transport: String, address: String, port: Int, program: String?) {
        self.transport = transport
        self.address = address
        self.port = port
        self.program = program
    }
}
