import CPacketSocket
import Foundation
import Synchronization

/// What becomes of captured frames.
protocol FrameSink: Sendable {
    mutating func accept(_ frame: cpacket_frame, _ bytes: UnsafeRawBufferPointer)
    /// Frames were lost between the kernel and here.
    mutating func missed(_ frames: Int)
    /// The tap's counters before and after the frames just accepted.
    mutating func observe(before: cpacket_counters, after: cpacket_counters)
}

/// Keeps a packet socket drained from a thread of its own.
///
/// The thread sleeps while nothing arrives, and after a first frame waits a few milliseconds, so that a busy link costs some 200 wake-ups a
/// second and not one for each frame. Whoever wants to know the state *now* drains on its own thread, under the same lock.
final class PacketCapture<Sink: FrameSink>: Sendable {
    let interface: String
    private let state: Mutex<State>
    /// Written once, when capturing ends.
    private let wake: Int32

    private struct State: ~Copyable {
        var sink: Sink
        /// Released by the thread alone, which polls its descriptor outside the lock.
        var socket: PacketSocket?
        var isStopped = false
    }

    private static var gathering: Int32 { 5 }
    private static var longestSleep: Int32 { 1_000 }
    /// At first the counters are read several times also when nothing arrives: what they mean must be known soon.
    private static var firstLooks: Int { 5 }

    init(interface: String, guest: [UInt8], filter: PacketSocket.Filter, sink: Sink) throws(FrameError) {
        let socket = try PacketSocket(interface: interface, guest: guest, filter: filter)
        let wake = cpacket_open_event()
        guard wake >= 0 else { throw .cannotOpen(interface: interface, reason: reason(wake)) }
        let descriptor = socket.descriptor
        self.interface = interface
        self.wake = wake
        self.state = Mutex(State(sink: sink, socket: socket))
        let thread = Thread { [self] in run(descriptor) }
        thread.name = "frames \(interface)"
        thread.stackSize = 256 << 10
        thread.start()
    }

    deinit { close(wake) }

    /// Works on the sink after every frame that arrived before this call was given to it.
    func withSink<Result, Failure: Error>(
        _ body: (inout Sink, borrowing PacketSocket) throws(Failure) -> Result, ended: (inout Sink) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try state.withLock { (state) throws(Failure) in
            guard !state.isStopped, let socket = state.socket.take() else { return try ended(&state.sink) }
            Self.drain(socket, into: &state.sink)
            do throws(Failure) {
                let result = try body(&state.sink, socket)
                state.socket = consume socket
                return result
            } catch {
                state.socket = consume socket
                throw error
            }
        }
    }

    /// Ends capturing. What was captured stays readable.
    func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        // Cannot fail: the counter is far from its limit, and the descriptor lives as long as this object.
        _ = cpacket_signal(wake)
    }

    private func run(_ descriptor: Int32) {
        var isRunning = true
        var looks = 0
        while isRunning {
            var awaited = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0), pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            _ = poll(&awaited, 2, looks < Self.firstLooks ? Self.gathering : Self.longestSleep)
            looks += looks < Self.firstLooks ? 1 : 0
            if awaited[0].revents == 0, awaited[1].revents != 0 { _ = poll(&awaited, 1, Self.gathering) }
            isRunning = state.withLock { state in
                guard !state.isStopped, let socket = state.socket.take() else { return false }
                Self.drain(socket, into: &state.sink)
                state.socket = consume socket
                return true
            }
        }
        state.withLock { $0.socket = nil }
    }

    private static func drain(_ socket: borrowing PacketSocket, into sink: inout Sink) {
        let before = socket.readCounters()
        let lost = socket.drain { frame, bytes in sink.accept(frame, bytes) }
        if lost > 0 { sink.missed(lost) }
        if let before, let after = socket.readCounters() { sink.observe(before: before, after: after) }
    }
}
