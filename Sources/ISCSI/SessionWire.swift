import CISCSI
import Foundation

/// Stands between libiscsi and its connection, because libiscsi (1.19) breaks a busy session by itself.
///
/// A target asks for a sign of life with a NOP-In. libiscsi answers with an immediate NOP-Out, which it puts at the head of its queue with
/// the number of the PDU that was there. When that is a Data-Out, its number belongs to a write that the target has begun, so it is lower
/// than what the target expects next. libiscsi then refuses to send its own answer ("cmdsn < expcmdsn") and gives the session up.
///
/// So a question is kept back until libiscsi has nothing to send. libiscsi reads whatever its socket holds, a question right behind the
/// PDU that makes it send data as well; therefore its socket is one end of a local pair, and the bytes are carried over here.
///
/// Belongs to the session's thread.
final class SessionWire {
    private let context: OpaquePointer
    private let connection: Int32
    /// The other end of what libiscsi takes for its connection.
    private let near: Int32
    private var stream = PDUStream()
    private var incoming = ByteQueue(capacity: 256 << 10)
    private var outgoing = ByteQueue(capacity: 256 << 10)
    private var hasEnded = false

    /// Takes the connection over. Only between two PDUs: right after the login, when libiscsi waits for nothing.
    ///
    /// - Returns: nil when the system has no descriptors left.
    init?(context: OpaquePointer) {
        self.context = context
        var pair: [Int32] = [-1, -1]
        guard ciscsi_socketpair(&pair) == 0 else { return nil }
        near = pair[0]
        connection = ciscsi_replace(iscsi_get_fd(context), pair[1])
        Foundation.close(pair[1])
        if connection < 0 {
            Foundation.close(near)
            return nil
        }
    }

    /// What the target has not taken yet is dropped (SO_LINGER). After libiscsi's context has gone.
    func close() {
        Foundation.close(near)
        Foundation.close(connection)
    }

    /// What to wait for on the connection.
    var interest: pollfd {
        let wantsOut = !outgoing.isEmpty || iscsi_which_events(context) & Int32(POLLOUT) != 0
        let events = (hasEnded || incoming.isFull ? 0 : POLLIN) | (wantsOut ? POLLOUT : 0)
        return pollfd(fd: connection, events: Int16(events), revents: 0)
    }

    /// Carries over what there is, in both directions, as far as both sides take it.
    ///
    /// - Returns: Why the session is over, when it is. What came before the end has reached libiscsi.
    func exchange() -> String? {
        var end = receive()
        while true {
            let delivered = deliver()
            guard serve() else { return SessionLoop.errorText(of: context) }
            let (carried, failure) = carryOut()
            end = end ?? failure
            if delivered + carried == 0 { return end }
        }
    }

    /// From the target. At most one buffer a turn, so that nothing else on this thread waits for long.
    private func receive() -> String? {
        while !hasEnded, !incoming.isFull {
            let count = incoming.fill { recv(connection, $0.baseAddress, $0.count, 0) }
            if count > 0 { continue }
            if count < 0, errno == EAGAIN || errno == EINTR { break }
            hasEnded = true
            return count == 0 ? "the target closed the connection" : "the connection broke: \(String(cString: strerror(errno)))"
        }
        return nil
    }

    /// To libiscsi. Returns how many bytes it can read more.
    private func deliver() -> Int {
        guard !incoming.isEmpty else { return 0 }
        let mayAsk = iscsi_which_events(context) & Int32(POLLOUT) == 0
        return incoming.drain { bytes in
            let count = stream.passable(bytes, mayAsk: mayAsk)
            guard count > 0 else { return 0 }
            let sent = send(near, bytes.baseAddress, count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { return 0 }
            stream.advance(over: sent, of: bytes)
            return sent
        }
    }

    /// Lets libiscsi read all that it has, then write. False when it gives the session up.
    private func serve() -> Bool {
        // It reads one PDU at a time when it waits for no answer.
        var unread = ciscsi_unread(iscsi_get_fd(context))
        while unread > 0 {
            guard iscsi_service(context, Int32(POLLIN)) >= 0 else { return false }
            let left = ciscsi_unread(iscsi_get_fd(context))
            guard left < unread else { break }
            unread = left
        }
        return iscsi_service(context, iscsi_which_events(context) & Int32(POLLOUT)) >= 0
    }

    /// From libiscsi to the target.
    private func carryOut() -> (count: Int, failure: String?) {
        while !outgoing.isFull, outgoing.fill({ recv(near, $0.baseAddress, $0.count, 0) }) > 0 {}
        var failure: String?
        let count = outgoing.drain { bytes in
            let sent = send(connection, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if sent < 0, errno != EAGAIN, errno != EINTR { failure = "the connection broke: \(String(cString: strerror(errno)))" }
            return max(sent, 0)
        }
        return (count, failure)
    }
}

/// Bytes on their way, in memory that is used again.
struct ByteQueue: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    init(capacity: Int) { memory = .allocate(byteCount: capacity, alignment: 16) }
    deinit { memory.deallocate() }

    var isEmpty: Bool { start == end }
    var isFull: Bool { end - start == memory.count }

    /// Adds what `read` puts into the free room. Returns what it returned, a count or an error below 1.
    mutating func fill(_ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        if end == memory.count, start > 0 {
            memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            (start, end) = (0, end - start)
        }
        let count = read(UnsafeMutableRawBufferPointer(rebasing: memory[end...]))
        end += max(count, 0)
        return count
    }

    /// Removes as many bytes from the beginning as `take` says.
    mutating func drain(_ take: (UnsafeRawBufferPointer) -> Int) -> Int {
        guard !isEmpty else { return 0 }
        let count = take(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        start += count
        if isEmpty { (start, end) = (0, 0) }
        return count
    }
}
