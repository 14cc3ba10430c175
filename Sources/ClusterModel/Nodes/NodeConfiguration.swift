/// What a node is told at start: `/etc/apus/node.yaml`.
public struct NodeConfiguration: Hashable, Sendable, Codable {
    /// The name of the cluster.
    public var cluster: String
    /// This node; one of ``nodes``.
    public var node: NodeName
    /// Every node, this one included, the same list in the same order everywhere. The first is the coordinator: the only one that
    /// writes volume metadata.
    public var nodes: [NodeAddress]
    /// TCP port of the API on the cluster addresses.
    public var apiPort: Int
    public var san: SANConfiguration?
    public var directories: NodeDirectories
    /// The system user that QEMU runs as.
    public var machineUser: String
    /// Migrations that this node sends at a time; more wait.
    public var outgoingMigrations: Int
    /// Migrations that this node receives at a time; more wait.
    public var incomingMigrations: Int

    public init(
        cluster: String, node: NodeName, nodes: [NodeAddress], apiPort: Int = 7060, san: SANConfiguration?,
        directories: NodeDirectories = NodeDirectories(), machineUser: String = "apus-qemu", outgoingMigrations: Int = 2,
        incomingMigrations: Int = 2
    ) {
        self.cluster = cluster
        self.node = node
        self.nodes = nodes
        self.apiPort = apiPort
        self.san = san
        self.directories = directories
        self.machineUser = machineUser
        self.outgoingMigrations = outgoingMigrations
        self.incomingMigrations = incomingMigrations
    }
}

/// Where a node is reached.
public struct NodeAddress: Hashable, Sendable, Codable {
    public var name: NodeName
    /// IP address on the cluster network: API calls between nodes.
    public var cluster: String
    /// IP address on the migration network: memory streams.
    public var migration: String
    public init(name: NodeName, cluster: String, migration: String) {
        self.name = name
        self.cluster = cluster
        self.migration = migration
    }
}

/// How a node reaches the SAN.
public struct SANConfiguration: Hashable, Sendable, Codable {
    /// `ADDRESS:PORT`.
    public var portal: String
    /// The target's iSCSI qualified name.
    public var target: String
    /// This node's iSCSI qualified name.
    public var initiator: String
    /// CHAP user; nil when the target asks for none.
    public var user: String?
    /// A file that holds the CHAP secret, mode 0600; never on a command line.
    public var secretFile: String?
    public init(portal: String, target: String, initiator: String, user: String?, secretFile: String?) {
        self.portal = portal
        self.target = target
        self.initiator = initiator
        self.user = user
        self.secretFile = secretFile
    }
}

/// Where a node keeps things.
public struct NodeDirectories: Hashable, Sendable, Codable {
    /// Survives a reboot: machines known here, migration history.
    public var state: String
    /// Gone after a reboot: sockets, process files.
    public var runtime: String
    /// Certificate authority's certificate, this node's certificate and key.
    public var identity: String
    public init(state: String = "/var/lib/apus", runtime: String = "/run/apus", identity: String = "/etc/apus/identity") {
        self.state = state
        self.runtime = runtime
        self.identity = identity
    }
    /// The API socket for root.
    public var apiSocket: String { runtime + "/apusd.sock" }
}
