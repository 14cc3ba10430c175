import CCorosync

/// Orders to Corosync itself (libcfg). Connects when it is used, and again after a restart.
public final class CorosyncControl: Sendable {
    private let connection: LibraryConnection<corosync_cfg_handle_t>

    public init() {
        connection = LibraryConnection(
            label: "apus.corosync.cfg", call: "corosync_cfg_initialize", none: 0,
            initialize: { handle in
                // Nobody asks us whether Corosync may stop.
                var callbacks = corosync_cfg_callbacks_t()
                return corosync_cfg_initialize(&handle, &callbacks)
            },
            finalize: { _ = corosync_cfg_finalize($0) })
    }

    /// Makes **all** members read their corosync.conf again, which must have been written on each of them before.
    ///
    /// - Throws: ``CorosyncError/refused(call:_:)`` with `CS_ERR_INVALID_PARAM` when a file is not usable: nothing has changed then.
    public func reload(within limit: Duration = .seconds(10)) async throws(CorosyncError) {
        try await connection.perform("corosync_cfg_reload_config", within: limit) { handle throws(CorosyncError) in
            try check("corosync_cfg_reload_config", corosync_cfg_reload_config(handle))
        }
    }

    /// The id of this node.
    public func localNode(within limit: Duration = .seconds(5)) async throws(CorosyncError) -> CorosyncNodeID {
        try await connection.perform("corosync_cfg_local_get", within: limit) { handle throws(CorosyncError) in
            var node: UInt32 = 0
            try check("corosync_cfg_local_get", corosync_cfg_local_get(handle, &node))
            return CorosyncNodeID(rawValue: node)
        }
    }

    /// Makes Corosync end on another member. It obeys only if it still hears us: this is no fencing.
    public func kill(_ node: CorosyncNodeID, reason: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try await connection.perform("corosync_cfg_kill_node", within: limit) { handle throws(CorosyncError) in
            try check("corosync_cfg_kill_node", corosync_cfg_kill_node(handle, node.rawValue, reason))
        }
    }

    /// How this node reaches others over its links: one question for each node.
    ///
    /// The statistics of cmap say the same under some forty keys for each link, each of which Corosync answers with a look at all of a link
    /// under knet's lock; that many questions every second are a burden just when rings form.
    ///
    /// - Returns: By node and link; nothing about a node that Corosync does not know.
    public func links(to nodes: [CorosyncNodeID], within limit: Duration = .seconds(5)) async throws(CorosyncError) -> [LinkStatus] {
        try await connection.perform("corosync_cfg_node_status_get", within: limit) { handle throws(CorosyncError) in
            var found: [LinkStatus] = []
            for node in nodes {
                var status = corosync_cfg_node_status_v1()
                let code = corosync_cfg_node_status_get(handle, node.rawValue, CFG_NODE_STATUS_V1, &status)
                if code == CS_ERR_NOT_EXIST { continue }
                try check("corosync_cfg_node_status_get", code)
                found += LinkStatus.links(of: node, status)
            }
            return found
        }
    }
}
