/// One cluster link from this node to another, as knet sees it.
public struct LinkStatus: Hashable, Sendable, Codable {
    public var node: CorosyncNodeID
    /// 0 or 1.
    public var link: Int
    public var isEnabled: Bool
    /// Turns false about 1 s after a link went dead with Apus's settings; up to 2.6 s when it had come up only seconds before.
    public var isConnected: Bool
    /// Of the pings; nil before the first answer.
    public var averageLatencyMicroseconds: UInt64?
    public var maximumLatencyMicroseconds: UInt64?
    public var mtu: UInt64
    /// How often the link came and went since Corosync started.
    public var upCount: UInt64
    public var downCount: UInt64
}

extension ConfigurationMap {
    /// The links to all other nodes, by node and link. A snapshot; once a second is often enough.
    public func links(within limit: Duration = .seconds(5)) async throws(CorosyncError) -> [LinkStatus] {
        // knet keeps a loopback link to the node itself, which says nothing.
        let own = try await integer("runtime.votequorum.this_node_id", within: limit)
        let all = LinkStatus.parse(try await values(prefix: "stats.knet.node", in: .statistics, within: limit))
        return all.filter { UInt64($0.node.rawValue) != own }
    }
}

extension LinkStatus {
    /// Reads keys like `stats.knet.node2.link0.connected`; others are passed over.
    static func parse(_ values: [String: ConfigurationValue]) -> [LinkStatus] {
        struct Place: Hashable {
            var node: UInt32
            var link: Int
        }
        var found: [Place: [String: UInt64]] = [:]
        for (key, value) in values {
            let parts = key.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0] == "stats", parts[1] == "knet", parts[2].hasPrefix("node"), parts[3].hasPrefix("link"),
                let node = UInt32(parts[2].dropFirst(4)), let link = Int(parts[3].dropFirst(4)), let number = value.integer
            else { continue }
            found[Place(node: node, link: link), default: [:]][String(parts[4])] = number
        }
        return found.compactMap { place, facts in
            guard let connected = facts["connected"], let enabled = facts["enabled"] else { return nil }
            return LinkStatus(
                node: CorosyncNodeID(rawValue: place.node), link: place.link, isEnabled: enabled != 0, isConnected: connected != 0,
                averageLatencyMicroseconds: facts["latency_ave"].flatMap { $0 == 0 ? nil : $0 },
                maximumLatencyMicroseconds: facts["latency_max"].flatMap { $0 == 0 ? nil : $0 }, mtu: facts["mtu"] ?? 0,
                upCount: facts["up_count"] ?? 0, downCount: facts["down_count"] ?? 0)
        }.sorted { ($0.node, $0.link) < ($1.node, $1.link) }
    }
}
