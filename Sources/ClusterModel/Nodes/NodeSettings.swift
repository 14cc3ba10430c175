/// What a node knows of itself, before and after it is a member: the local form of `/etc/apus/node.yaml`.
///
/// It names no cluster and no other node. Those stand in the replicated configuration, once the node has joined one.
public struct NodeSettings: Hashable, Sendable, Codable {
    public var node: NodeName
    public var addresses: LocalAddresses
    /// TCP port of the API on the first cluster address.
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
        node: NodeName, addresses: LocalAddresses, apiPort: Int = 7060, san: SANConfiguration? = nil,
        directories: NodeDirectories = NodeDirectories(), machineUser: String = "apus-qemu", outgoingMigrations: Int = 2,
        incomingMigrations: Int = 2
    ) {
        self.node = node
        self.addresses = addresses
        self.apiPort = apiPort
        self.san = san
        self.directories = directories
        self.machineUser = machineUser
        self.outgoingMigrations = outgoingMigrations
        self.incomingMigrations = incomingMigrations
    }

    /// Written by hand, so that a file need only say what differs from the defaults.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let defaults = NodeSettings(
            node: try container.decode(NodeName.self, forKey: .node), addresses: LocalAddresses(cluster: "", migration: ""))
        node = defaults.node
        addresses = try container.decode(LocalAddresses.self, forKey: .addresses)
        apiPort = try container.decodeIfPresent(Int.self, forKey: .apiPort) ?? defaults.apiPort
        san = try container.decodeIfPresent(SANConfiguration.self, forKey: .san)
        directories = try container.decodeIfPresent(NodeDirectories.self, forKey: .directories) ?? defaults.directories
        machineUser = try container.decodeIfPresent(String.self, forKey: .machineUser) ?? defaults.machineUser
        outgoingMigrations = try container.decodeIfPresent(Int.self, forKey: .outgoingMigrations) ?? defaults.outgoingMigrations
        incomingMigrations = try container.decodeIfPresent(Int.self, forKey: .incomingMigrations) ?? defaults.incomingMigrations
    }

    /// What the node service is given once it is known which cluster this node belongs to.
    ///
    /// - Parameters:
    ///   - identity: The folder of the certificates of that cluster.
    ///   - nodes: Every member, this one included.
    public func configuration(cluster: String, nodes: [NodeAddress], identity: String) -> NodeConfiguration {
        var directories = directories
        directories.identity = identity
        return NodeConfiguration(
            cluster: cluster, node: node, nodes: nodes, apiPort: apiPort, san: san, directories: directories, machineUser: machineUser,
            outgoingMigrations: outgoingMigrations, incomingMigrations: incomingMigrations)
    }
}

/// The IP addresses of a node, by network, as its administrator writes them.
public struct LocalAddresses: Hashable, Sendable, Codable {
    /// On the cluster network: the API, and Corosync's first ring.
    public var cluster: String
    /// On a second cluster network: Corosync's second ring. All nodes of a cluster have one, or none has.
    public var cluster2: String?
    /// On the migration network: memory streams.
    public var migration: String
    public init(cluster: String, cluster2: String? = nil, migration: String) {
        self.cluster = cluster
        self.cluster2 = cluster2
        self.migration = migration
    }
    /// As the cluster knows them.
    public var shared: NodeAddresses { NodeAddresses(rings: [cluster] + (cluster2.map { [$0] } ?? []), migration: migration) }
}

extension NodeAddresses {
    /// Where others reach the node of that name: the API is on the first ring.
    public func address(of name: NodeName) -> NodeAddress {
        NodeAddress(name: name, cluster: rings.first ?? "", migration: migration)
    }
    /// Every one of them, in order, each once.
    public var all: [String] { (rings + [migration]).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }
}
