import CCorosync

/// One cluster link from this node to another, as knet sees it.
public struct LinkStatus: Hashable, Sendable, Codable {
    public var node: CorosyncNodeID
    /// 0 or 1.
    public var link: Int
    /// Turns false about 1 s after a link went dead with Apus's settings; up to 2.6 s when it had come up only seconds before.
    public var isConnected: Bool
    /// In bytes; what fits into one packet, as found out so far.
    public var mtu: UInt64
}

extension LinkStatus {
    /// What Corosync says about a node; links that are not configured are passed over.
    static func links(of node: CorosyncNodeID, _ status: corosync_cfg_node_status_v1) -> [LinkStatus] {
        withUnsafeBytes(of: status.link_status) { bytes in
            bytes.bindMemory(to: corosync_knet_link_status_v1.self).enumerated().compactMap { number, link in
                guard link.enabled != 0 else { return nil }
                return LinkStatus(node: node, link: number, isConnected: link.connected != 0, mtu: UInt64(link.mtu))
            }
        }
    }
}
