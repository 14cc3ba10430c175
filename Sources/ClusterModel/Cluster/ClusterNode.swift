/// A member of the cluster as the configuration keeps it.
public struct ClusterNode: Hashable, Sendable, Codable {
    public var id: NodeID
    public var name: NodeName
    public var addresses: NodeAddresses
    public var presence: NodePresence
    public var service: NodeAvailability
    public var joinedAt: WallTime
    /// What proves the node to the others.
    public var certificate: CertificateFacts

    public init(
        id: NodeID, name: NodeName, addresses: NodeAddresses, presence: NodePresence, service: NodeAvailability = .active,
        joinedAt: WallTime, certificate: CertificateFacts
    ) {
        self.id = id
        self.name = name
        self.addresses = addresses
        self.presence = presence
        self.service = service
        self.joinedAt = joinedAt
        self.certificate = certificate
    }

    /// The one word `apus node list` shows.
    public var state: NodeState {
        switch (presence, service) {
        case (.up, .active): .up
        case (.up, .draining): .draining
        case (.up, .paused): .paused
        default: .down
        }
    }
}

/// Whether a node is there, as the log knows it.
public enum NodePresence: String, Hashable, Sendable, Codable, CaseIterable {
    case up
    /// It said good-bye: its machines were stopped or moved before.
    case stopped
    /// It vanished. It may still write to the shared disks.
    case lost
    /// It vanished, and is proven unable to write to any cluster disk.
    case fenced

    /// Whether what it ran may be started elsewhere: it can no longer write.
    public var isHarmless: Bool { self == .stopped || self == .fenced }
}

/// Whether the cluster places machines on a node. Kept while the node is down: a paused node that reboots comes back paused.
public enum NodeAvailability: String, Hashable, Sendable, Codable, CaseIterable {
    case active
    /// Its machines are being moved away; paused once none is left.
    case draining
    case paused
}

/// What an operator sees of a node, in one word.
public enum NodeState: String, Hashable, Sendable, Codable, CaseIterable {
    case up, down, paused, draining, evicted
}

/// Where a node is reached.
public struct NodeAddresses: Hashable, Sendable, Codable {
    /// IP addresses on the cluster networks, one for each of Corosync's rings: one or two.
    public var rings: [String]
    /// IP address on the migration network.
    public var migration: String
    public init(rings: [String], migration: String) {
        self.rings = rings
        self.migration = migration
    }
}

/// A node that is no member any more. Remembered, so that it is told why it is refused when it comes back.
public struct EvictedNode: Hashable, Sendable, Codable {
    public var id: NodeID
    public var name: NodeName
    public var evictedAt: WallTime
    /// A sentence.
    public var reason: String
    public init(id: NodeID, name: NodeName, evictedAt: WallTime, reason: String) {
        self.id = id
        self.name = name
        self.evictedAt = evictedAt
        self.reason = reason
    }
}

/// A network that the nodes share.
public struct ClusterNetwork: Hashable, Sendable, Codable {
    public enum Use: String, Hashable, Sendable, Codable, CaseIterable {
        /// Corosync and the API between nodes.
        case cluster
        /// Memory streams.
        case migration
        /// Known, but not used by the cluster.
        case none
    }
    public var name: String
    /// In CIDR notation, for instance `10.0.1.0/24`.
    public var subnet: String
    public var use: Use
    public init(name: String, subnet: String, use: Use) {
        self.name = name
        self.subnet = subnet
        self.use = use
    }
}
