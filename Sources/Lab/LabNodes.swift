/// What the nodes of a lab are when it has just been built.
public enum LabNodes: String, Hashable, Sendable, Codable, CaseIterable {
    /// Hosts without a node service, with the files of ``fixed``.
    case bare
    /// They run the node service and belong to no cluster, as on new hosts.
    case unjoined
    /// They run the node service, and the node.yaml of each lists all of them: no Corosync, no quorum.
    case fixed

    /// Whether each node runs `apusd`.
    public var startsService: Bool { self != .bare }
}
