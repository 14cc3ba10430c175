import ClusterModel

/// What a test found out about one thing: a node, a disk, a pair of nodes, or all together.
public struct ValidationFinding: Hashable, Sendable, Codable {
    public var verdict: Verdict
    public var subject: FindingSubject
    /// What was seen: sentences with names and numbers. For `notApplicable` and `cancelled`: why.
    public var reason: String
    /// What the operator can do. Every warning and failure has one.
    public var cure: String?
    public var figures: [Figure]

    public init(_ verdict: Verdict, _ subject: FindingSubject = .all, reason: String, cure: String? = nil, figures: [Figure] = []) {
        self.verdict = verdict
        self.subject = subject
        self.reason = reason
        self.cure = cure
        self.figures = figures
    }
}

/// What a finding is about. What is nil is not what it is about; with nothing set it is about all nodes together.
public struct FindingSubject: Hashable, Sendable, Codable {
    public var node: NodeName?
    /// With ``node``: the pair, seen from `node` towards `peer`.
    public var peer: NodeName?
    public var disk: DiskID?
    /// A network by its name or subnet.
    public var network: String?
    /// Anything else by the name the operator knows: a file share, an adapter, a package, a machine.
    public var item: String?

    public init(node: NodeName? = nil, peer: NodeName? = nil, disk: DiskID? = nil, network: String? = nil, item: String? = nil) {
        self.node = node
        self.peer = peer
        self.disk = disk
        self.network = network
        self.item = item
    }

    public static let all = FindingSubject()
    public static func node(_ node: NodeName, item: String? = nil) -> Self { Self(node: node, item: item) }
    public static func pair(_ node: NodeName, _ peer: NodeName, network: String? = nil) -> Self {
        Self(node: node, peer: peer, network: network)
    }
    public static func disk(_ disk: DiskID, node: NodeName? = nil) -> Self { Self(node: node, disk: disk) }

    /// `node1 to node2, migration network`; "all nodes" when nothing is set.
    public var title: String {
        var parts: [String] = []
        switch (node, peer) {
        case (let node?, let peer?): parts.append("\(node) to \(peer)")
        case (let node?, nil), (nil, let node?): parts.append("\(node)")
        case (nil, nil): break
        }
        parts += [disk?.rawValue, network, item].compactMap { $0 }
        return parts.isEmpty ? "all nodes" : parts.joined(separator: ", ")
    }
}
