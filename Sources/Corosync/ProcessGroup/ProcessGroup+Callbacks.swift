import CCorosync

extension ProcessGroup {
    /// Connects with callbacks that put events into the outlet behind the context.
    static func initialize(
        _ handle: inout cpg_handle_t, _ context: Unmanaged<EventOutlet<ProcessGroupEvent>>
    ) -> cs_error_t {
        var model = cpg_model_v1_data_t()
        model.model = CPG_MODEL_V1
        model.flags = UInt32(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF)
        model.cpg_deliver_fn = { handle, _, node, process, bytes, count in
            let message = [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
            let sender = GroupMember(node: CorosyncNodeID(rawValue: node), processID: process)
            ProcessGroup.outlet(handle)?.deliver(.message(from: sender, message), byteCount: count)
        }
        model.cpg_confchg_fn = { handle, _, members, memberCount, left, leftCount, joined, joinedCount in
            ProcessGroup.outlet(handle)?.deliver(
                .membership(
                    members: ProcessGroup.changes(members, memberCount).map(\.member), left: ProcessGroup.changes(left, leftCount),
                    joined: ProcessGroup.changes(joined, joinedCount)))
        }
        model.cpg_totem_confchg_fn = { handle, ring, count, nodes in
            let list = UnsafeBufferPointer(start: nodes, count: Int(count))
            ProcessGroup.outlet(handle)?.deliver(
                .ring(
                    RingID(representative: CorosyncNodeID(rawValue: ring.nodeid), sequence: ring.seq),
                    nodes: list.map(CorosyncNodeID.init(rawValue:))))
        }
        return withUnsafeMutablePointer(to: &model) { pointer in
            // The first member of every model says which one it is; the library reads the rest by it.
            pointer.withMemoryRebound(to: cpg_model_data_t.self, capacity: 1) {
                cpg_model_initialize(&handle, CPG_MODEL_V1, $0, context.toOpaque())
            }
        }
    }

    private static func outlet(_ handle: cpg_handle_t) -> EventOutlet<ProcessGroupEvent>? {
        var context: UnsafeMutableRawPointer?
        guard cpg_context_get(handle, &context) == CS_OK, let context else { return nil }
        return Unmanaged<EventOutlet<ProcessGroupEvent>>.fromOpaque(context).takeUnretainedValue()
    }

    private static func changes(_ list: UnsafePointer<cpg_address>?, _ count: Int) -> [GroupChange] {
        UnsafeBufferPointer(start: list, count: count).map { address in
            GroupChange(
                GroupMember(node: CorosyncNodeID(rawValue: address.nodeid), processID: address.pid), GroupChangeReason(address.reason))
        }
    }

    static func groupName(_ text: String) -> cpg_name {
        var name = cpg_name()
        let bytes = text.utf8.prefix(Int(CPG_MAX_NAME_LENGTH))
        name.length = UInt32(bytes.count)
        withUnsafeMutableBytes(of: &name.value) { $0.copyBytes(from: bytes) }
        return name
    }
}
