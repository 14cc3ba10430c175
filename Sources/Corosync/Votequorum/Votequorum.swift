import CCorosync
import Dispatch
import Executors

/// Votes and quorum of this node, and its quorum device.
///
/// The connection lasts until ``close()``, until the last reference is gone, or until the event ``VotequorumEvent/lost(_:)``; the owner
/// then connects again and registers the device again. All calls run on a queue of their own, which nothing else may delay: a device
/// that is silent holds up the decision of every node.
public actor Votequorum {
    /// For one reader.
    public nonisolated let events: CorosyncEvents<VotequorumEvent>

    private enum State {
        case opening
        case open(votequorum_handle_t, DescriptorWatch)
        case closed
    }
    // A handle of libqb belongs to one thread at a time: two threads on one handle get each other's replies.
    private nonisolated let executor: QueueExecutor
    private nonisolated let outlet: EventOutlet<VotequorumEvent>
    private var state = State.opening

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private init(limits: EventLimits) {
        executor = QueueExecutor(label: "apus.corosync.votequorum")
        outlet = EventOutlet(limits: limits)
        events = outlet.events
    }

    /// Connects, trying until the deadline while Corosync is not running or is starting. The present ring and quorum are the first
    /// events.
    public static func connect(
        limits: EventLimits = EventLimits(), within limit: Duration = .seconds(10)
    ) async throws(CorosyncError) -> Votequorum {
        let connection = Votequorum(limits: limits)
        do throws(CorosyncError) {
            try await withDeadline("votequorum_initialize", limit) { deadline throws(CorosyncError) in
                try await connection.open(limit: limit, until: deadline)
            }
        } catch {
            // The queue may be blocked in a call; whatever comes of it is closed when it returns.
            Task { await connection.close(nil) }
            throw error
        }
        return connection
    }

    /// Ends the connection and ``events``. The quorum device's vote counts until its timeout unless it was unregistered before.
    public nonisolated func close() {
        outlet.finish(nil)
        Task { await self.close(nil) }
    }

    /// How votequorum counts, as `node` sees it.
    public nonisolated func info(
        of node: CorosyncNodeID, within limit: Duration = .seconds(5)
    ) async throws(CorosyncError) -> VotequorumInfo {
        let call = "votequorum_getinfo"
        return try await withDeadline(call, limit) { deadline throws(CorosyncError) in
            try await self.readInfo(call, node, limit: limit, until: deadline)
        }
    }

    /// Runs one call with this connection's handle until Corosync takes it.
    nonisolated func perform(
        _ call: String, within limit: Duration, _ body: @escaping @Sendable (votequorum_handle_t) -> cs_error_t
    ) async throws(CorosyncError) {
        try await withDeadline(call, limit) { deadline throws(CorosyncError) in
            try await self.repeating(call, limit: limit, until: deadline, body)
        }
    }

    // MARK: On the queue

    private func handle(_ call: String) throws(CorosyncError) -> votequorum_handle_t {
        guard case .open(let handle, _) = state else { throw .closed(call: call) }
        return handle
    }

    private func repeating(
        _ call: String, limit: Duration, until deadline: ContinuousClock.Instant, _ body: (votequorum_handle_t) -> cs_error_t
    ) async throws(CorosyncError) {
        try await retrying(call, limit: limit, until: deadline) { () throws(CorosyncError) in body(try self.handle(call)) }
    }

    private func readInfo(
        _ call: String, _ node: CorosyncNodeID, limit: Duration, until deadline: ContinuousClock.Instant
    ) async throws(CorosyncError) -> VotequorumInfo {
        var info = votequorum_info()
        try await retrying(call, limit: limit, until: deadline) { () throws(CorosyncError) in
            votequorum_getinfo(try self.handle(call), node.rawValue, &info)
        }
        return VotequorumInfo(info)
    }

    private func open(limit: Duration, until deadline: ContinuousClock.Instant) async throws(CorosyncError) {
        var handle: votequorum_handle_t = 0
        try await connecting("votequorum_initialize", limit: limit, until: deadline) { Self.initialize(&handle) }
        let opened = handle
        let context = Unmanaged.passRetained(outlet)
        let giveBack: @Sendable () -> Void = {
            _ = votequorum_finalize(opened)
            // Only now can no callback come any more.
            context.release()
        }
        guard case .opening = state else {
            giveBack()
            throw .closed(call: "votequorum_initialize")
        }
        var descriptor: Int32 = -1
        do throws(CorosyncError) {
            try check("votequorum_context_set", votequorum_context_set(handle, context.toOpaque()))
            try check("votequorum_fd_get", votequorum_fd_get(handle, &descriptor))
        } catch {
            giveBack()
            throw error
        }
        let watch = DescriptorWatch(
            descriptor: descriptor, queue: executor.queue,
            onReadable: { [weak self] in self?.assumeIsolated { $0.dispatch() } }, onEnd: giveBack)
        state = .open(handle, watch)
        try await repeating("votequorum_trackstart", limit: limit, until: deadline) { handle in
            votequorum_trackstart(handle, 0, UInt32(CS_TRACK_CURRENT | CS_TRACK_CHANGES))
        }
    }

    private func dispatch() {
        guard case .open(let handle, _) = state else { return }
        let code = votequorum_dispatch(handle, CS_DISPATCH_ALL)
        if let failure = outlet.failure {
            close(failure)
        } else if code != CS_OK && code != CS_ERR_TRY_AGAIN {
            close(.refused(call: "votequorum_dispatch", CorosyncCode(code)))
        }
    }

    private func close(_ reason: CorosyncError?) {
        if case .open(_, let watch) = state { watch.end() }
        if case .closed = state { return }
        state = .closed
        outlet.finish(reason.map(VotequorumEvent.lost))
    }

    private static func initialize(_ handle: inout votequorum_handle_t) -> cs_error_t {
        var callbacks = votequorum_callbacks_t()
        callbacks.votequorum_quorum_notify_fn = { handle, _, isQuorate, count, nodes in
            let list = UnsafeBufferPointer(start: nodes, count: Int(count)).map {
                VotequorumNode(node: CorosyncNodeID(rawValue: $0.nodeid), state: VotequorumNode.State($0.state))
            }
            Votequorum.outlet(handle)?.deliver(.quorum(isQuorate: isQuorate != 0, nodes: list))
        }
        callbacks.votequorum_nodelist_notify_fn = { handle, _, ring, count, nodes in
            let list = UnsafeBufferPointer(start: nodes, count: Int(count)).map(CorosyncNodeID.init(rawValue:))
            Votequorum.outlet(handle)?.deliver(
                .ring(RingID(representative: CorosyncNodeID(rawValue: ring.nodeid), sequence: ring.seq), nodes: list))
        }
        callbacks.votequorum_expectedvotes_notify_fn = { handle, _, votes in
            Votequorum.outlet(handle)?.deliver(.expectedVotes(votes))
        }
        return votequorum_initialize(&handle, &callbacks)
    }

    private static func outlet(_ handle: votequorum_handle_t) -> EventOutlet<VotequorumEvent>? {
        var context: UnsafeMutableRawPointer?
        guard votequorum_context_get(handle, &context) == CS_OK, let context else { return nil }
        return Unmanaged<EventOutlet<VotequorumEvent>>.fromOpaque(context).takeUnretainedValue()
    }
}
