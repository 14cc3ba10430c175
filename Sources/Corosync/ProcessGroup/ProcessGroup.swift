import CCorosync
import Dispatch
import Executors
import Glibc
import Synchronization

/// Membership in a closed process group (CPG): messages reach all members in one order, each sender's own included.
///
/// Messages are delivered with or without quorum, so whoever acts on them asks ``Votequorum`` first. The membership lasts until
/// ``leave()``, until the last reference is gone, or until the event ``ProcessGroupEvent/lost(_:)``; it is never renewed by itself,
/// because what was missed meanwhile is for the owner to find out. The owner then joins again with ``join(_:limits:within:)``.
///
/// All calls run on a queue of their own; one that Corosync does not answer blocks that queue but never a caller beyond its deadline.
public actor ProcessGroup {
    public nonisolated let name: String
    /// For one reader.
    public nonisolated let events: CorosyncEvents<ProcessGroupEvent>
    /// More than this is sent by nobody in one piece: above 1,047,552 bytes (cpg_max_atomic_msgsize_get(3)) libcpg cuts messages up and
    /// sleeps between the pieces.
    public static let maximumMessageByteCount = 1_000_000

    private enum State {
        case opening
        case open(cpg_handle_t, DescriptorWatch)
        case closed
    }
    // A handle of libqb belongs to one thread at a time: two threads on one handle get each other's replies.
    private nonisolated let executor: QueueExecutor
    private nonisolated let outlet: EventOutlet<ProcessGroupEvent>
    private var state = State.opening
    private var line: [WaitingMessage] = []
    /// Exists while the first message in line waits to be tried again.
    private var retry: Task<Void, Never>?
    /// Messages of ``post(_:within:)`` that Corosync has not taken yet, and since when it took none.
    private nonisolated let unsent = Mutex<(count: Int, since: ContinuousClock.Instant)>((0, .now))

    private struct WaitingMessage {
        var bytes: [UInt8]
        var limit: Duration
        var deadline: ContinuousClock.Instant
        /// nil for one whose sender does not wait.
        var continuation: CheckedContinuation<Result<Void, CorosyncError>, Never>?
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private init(name: String, limits: EventLimits) {
        self.name = name
        executor = QueueExecutor(label: "apus.corosync.cpg")
        outlet = EventOutlet(limits: limits)
        events = outlet.events
    }

    /// Connects and joins, trying until the deadline while Corosync is not running or is starting.
    ///
    /// - Parameters:
    ///   - name: 1 to 127 bytes; a group exists while it has members.
    ///   - limits: How far the reader of ``events`` may fall behind.
    /// - Throws: ``CorosyncError/notConnected(after:_:)``, ``CorosyncError/refused(call:_:)`` at once for want of permission.
    public static func join(
        _ name: String, limits: EventLimits = EventLimits(), within limit: Duration = .seconds(10)
    ) async throws(CorosyncError) -> ProcessGroup {
        guard (1...Int(CPG_MAX_NAME_LENGTH - 1)).contains(name.utf8.count), !name.utf8.contains(0) else { throw .invalidName(name) }
        let group = ProcessGroup(name: name, limits: limits)
        do throws(CorosyncError) {
            try await withDeadline("cpg_join", limit) { deadline throws(CorosyncError) in
                try await group.open(limit: limit, until: deadline)
            }
        } catch {
            // The queue may be blocked in a call; whatever comes of it is closed when it returns.
            Task { await group.close(nil) }
            throw error
        }
        return group
    }

    /// Sends one message to all members. Returns when Corosync has taken it; it is delivered when it comes back as an event.
    ///
    /// Messages of a caller that waits for each call keep their order; calls made side by side have none. During a change of
    /// membership Corosync may take a message and deliver it seconds later, so commands need deadlines of their own.
    /// - Throws: ``CorosyncError/busy(call:after:)`` when the queue stayed full: not sent. ``CorosyncError/noAnswer(call:after:)``
    ///   and ``CorosyncError/cancelled(call:)``: it may have been sent. ``CorosyncError/tooLarge(byteCount:limit:)``.
    public nonisolated func send(_ bytes: [UInt8], within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        guard bytes.count <= Self.maximumMessageByteCount else {
            throw .tooLarge(byteCount: bytes.count, limit: Self.maximumMessageByteCount)
        }
        try await withDeadline("cpg_mcast_joined", limit) { deadline throws(CorosyncError) in
            try await self.multicast(bytes, limit: limit, until: deadline)
        }
    }

    /// Hands one message over without waiting until Corosync has taken it. Messages that are handed over one after the other keep their
    /// order.
    ///
    /// For who cannot go on without it: when Corosync does not take it, ``events`` ends with ``ProcessGroupEvent/lost(_:)``. When
    /// Corosync hangs in a call nothing is told; see ``stalledSince``.
    public nonisolated func post(_ bytes: [UInt8], within limit: Duration = .seconds(10)) {
        let now = ContinuousClock.now
        unsent.withLock { unsent in
            if unsent.count == 0 { unsent.since = now }
            unsent.count += 1
        }
        // Straight onto the queue: a task for each message would cost more than the message.
        executor.queue.async {
            self.assumeIsolated {
                $0.wait(WaitingMessage(bytes: bytes, limit: limit, deadline: now + limit, continuation: nil))
            }
        }
    }

    /// Since when Corosync has taken none of the messages that were handed over; nil when none waits.
    public nonisolated var stalledSince: ContinuousClock.Instant? { unsent.withLock { $0.count > 0 ? $0.since : nil } }

    /// This process as the others see it.
    public nonisolated func localMember(within limit: Duration = .seconds(5)) async throws(CorosyncError) -> GroupMember {
        try await withDeadline("cpg_local_get", limit) { _ throws(CorosyncError) in try await self.local() }
    }

    /// Leaves; the others see the reason `left`. ``events`` ends. Returns at once when Corosync does not answer.
    public nonisolated func leave(within limit: Duration = .seconds(2)) async {
        do throws(CorosyncError) {
            try await withDeadline("cpg_leave", limit) { _ throws(CorosyncError) in await self.leaveAndClose() }
        } catch {
            // A hung Corosync: the events end nevertheless, and the connection closes when the call returns.
            outlet.finish(nil)
        }
    }

    // MARK: On the queue

    private func handle(_ call: String) throws(CorosyncError) -> cpg_handle_t {
        guard case .open(let handle, _) = state else { throw .closed(call: call) }
        return handle
    }

    private func open(limit: Duration, until deadline: ContinuousClock.Instant) async throws(CorosyncError) {
        var handle: cpg_handle_t = 0
        let context = Unmanaged.passRetained(outlet)
        do throws(CorosyncError) {
            try await connecting("cpg_model_initialize", limit: limit, until: deadline) { Self.initialize(&handle, context) }
        } catch {
            context.release()
            throw error
        }
        let opened = handle
        let giveBack: @Sendable () -> Void = {
            _ = cpg_finalize(opened)
            // Only now can no callback come any more.
            context.release()
        }
        guard case .opening = state else {
            giveBack()
            throw .closed(call: "cpg_join")
        }
        var descriptor: Int32 = -1
        let code = cpg_fd_get(handle, &descriptor)
        guard code == CS_OK else {
            giveBack()
            throw .refused(call: "cpg_fd_get", CorosyncCode(code))
        }
        let watch = DescriptorWatch(
            descriptor: descriptor, queue: executor.queue,
            onReadable: { [weak self] in self?.assumeIsolated { $0.dispatch() } }, onEnd: giveBack)
        state = .open(handle, watch)
        try await retrying("cpg_join", limit: limit, until: deadline) { () throws(CorosyncError) in
            var group = Self.groupName(self.name)
            return cpg_join(try self.handle("cpg_join"), &group)
        }
    }

    /// Waits in line: one message at a time is tried, so that many senders keep their order and do not crowd Corosync when it is busy.
    private func multicast(_ bytes: [UInt8], limit: Duration, until deadline: ContinuousClock.Instant) async throws(CorosyncError) {
        let result: Result<Void, CorosyncError> = await withCheckedContinuation { continuation in
            wait(WaitingMessage(bytes: bytes, limit: limit, deadline: deadline, continuation: continuation))
        }
        try result.get()
    }

    private func wait(_ message: WaitingMessage) {
        line.append(message)
        if line.count == 1 { sendLine() }
    }

    private func settle(_ message: WaitingMessage, _ result: Result<Void, CorosyncError>) {
        if let continuation = message.continuation { return continuation.resume(returning: result) }
        unsent.withLock { $0 = ($0.count - 1, .now) }
        if case .failure(let error) = result { close(error) }
    }

    private func sendLine() {
        while let next = line.first {
            guard let result = attempt(next) else {
                // Busy: those behind cannot do better.
                expireLine()
                guard !line.isEmpty else { return }
                retry = Task {
                    // A cancelled sleep would only be a shorter one.
                    try? await Task.sleep(for: .milliseconds(1))
                    sendLine()
                }
                return
            }
            line.removeFirst()
            settle(next, result)
        }
    }

    /// Tells those whose time is over, wherever they stand.
    private func expireLine() {
        let now = ContinuousClock.now
        let late = line.filter { $0.deadline <= now }
        guard !late.isEmpty else { return }
        line.removeAll { $0.deadline <= now }
        for message in late { settle(message, .failure(.busy(call: "cpg_mcast_joined", after: message.limit))) }
    }

    /// - Returns: nil when the message has to be tried again.
    private func attempt(_ message: WaitingMessage) -> Result<Void, CorosyncError>? {
        let call = "cpg_mcast_joined"
        guard case .open(let handle, _) = state else { return .failure(.closed(call: call)) }
        guard message.bytes.count <= Self.maximumMessageByteCount else {
            return .failure(.tooLarge(byteCount: message.bytes.count, limit: Self.maximumMessageByteCount))
        }
        // Also when it waited behind others: a late message is worse than none.
        guard ContinuousClock.now < message.deadline else { return .failure(.busy(call: call, after: message.limit)) }
        let code = message.bytes.withUnsafeBytes { buffer in
            // libcpg only reads what the vector points to.
            var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress), iov_len: buffer.count)
            return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &vector, 1)
        }
        if code == CS_ERR_TRY_AGAIN { return nil }
        return code == CS_OK ? .success(()) : .failure(.refused(call: call, CorosyncCode(code)))
    }

    private func local() throws(CorosyncError) -> GroupMember {
        var node: UInt32 = 0
        try check("cpg_local_get", cpg_local_get(try handle("cpg_local_get"), &node))
        return GroupMember(node: CorosyncNodeID(rawValue: node), processID: UInt32(bitPattern: getpid()))
    }

    private func dispatch() {
        guard case .open(let handle, _) = state else { return }
        // Not all there is: under a flood that has no end, and messages of our own wait on the same queue. What is left keeps the
        // descriptor readable.
        var code = CS_OK
        for _ in 0..<128 where code == CS_OK { code = cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) }
        if let failure = outlet.failure {
            close(failure)
        } else if code != CS_OK && code != CS_ERR_TRY_AGAIN {
            close(.refused(call: "cpg_dispatch", CorosyncCode(code)))
        }
    }

    private func leaveAndClose() {
        if case .open(let handle, _) = state {
            var group = Self.groupName(name)
            // Refused or not, the connection closes, and with it the membership.
            _ = cpg_leave(handle, &group)
        }
        close(nil)
    }

    private func close(_ reason: CorosyncError?) {
        if case .open(_, let watch) = state { watch.end() }
        if case .closed = state { return }
        state = .closed
        outlet.finish(reason.map(ProcessGroupEvent.lost))
        retry?.cancel()
        sendLine()
    }
}
