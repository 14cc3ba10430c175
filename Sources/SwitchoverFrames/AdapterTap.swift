import CPacketSocket
import Glibc
import Synchronization

/// Watches the adapter of a guest, and can hand the guest frames.
///
/// On the source it keeps what was sent to the guest, so that frames which arrive after the guest stopped there are not lost: QEMU reads
/// them from the adapter and drops them. On the destination the same object keeps what arrives before the guest runs, and hands the
/// guest both. One socket does all of it: the kernel does not show a socket what it sent itself, so an injected frame is never taken
/// for a new one.
public final class AdapterTap: Sendable {
    /// Frames kept at most; about a quarter of a second of small packets at line rate.
    public static let frameLimit = 8_192
    /// Bytes kept at most.
    public static let byteLimit = 16 << 20
    /// For frames not read yet, in the kernel.
    private static let receiveBuffer: Int32 = 8 << 20

    public let interface: String
    private let socket: Int32
    private let wake: Int32
    private let state = Mutex(State())
    private let thread: ReaderThread

    private struct State {
        var frames: [(sequence: UInt64, frame: SwitchoverFrame)] = []
        var bytes = 0
        /// Every frame towards the guest counts, kept or not.
        var lastSequence: UInt64 = 0
        var reading = ReadingProgress()
        /// Times of the guest's latest own frames, oldest first.
        var fromGuest: [Int64] = []
        var dropped = 0
        var isStopped = false
    }

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - interface: The tap of the guest's adapter.
    ///   - mac: The guest's address, six bytes; other nodes' unicast frames that a bridge floods are not kept.
    /// - Throws: ``FrameError``.
    public init(interface: String, mac: [UInt8]) throws(FrameError) {
        guard mac.count == 6 else { throw .badAddress(mac) }
        let socket = cpacket_open(interface, mac, Self.receiveBuffer)
        guard socket >= 0 else { throw .cannotOpen(interface: interface, errno: -socket) }
        let wake = cpacket_event()
        guard wake >= 0 else {
            close(socket)
            throw .cannotOpen(interface: interface, errno: -wake)
        }
        self.interface = interface
        self.socket = socket
        self.wake = wake
        thread = ReaderThread()
        let failure = thread.start {
            var buffer = [UInt8](repeating: 0, count: 10 + 65_550)
            while Self.wait(socket, wake), self.readAll(&buffer) {}
        }
        if failure != 0 { throw .cannotOpen(interface: interface, errno: failure) }
    }

    deinit {
        close(socket)
        close(wake)
    }

    /// Ends watching; what was kept stays readable. Whoever made the object must call this: until then its thread keeps it alive.
    public func stop() {
        signalStop()
        thread.join()
    }

    private func signalStop() {
        let first = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard first else { return }
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    /// - Returns: false when it is time to stop.
    private static func wait(_ socket: Int32, _ wake: Int32) -> Bool {
        var watched = [pollfd(fd: socket, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
        _ = poll(&watched, 2, 1_000)
        return watched[1].revents == 0
    }

    /// Takes what is there. Returns false when the adapter is gone.
    private func readAll(_ buffer: inout [UInt8]) -> Bool {
        var info = cpacket_info()
        while true {
            let count = cpacket_receive(socket, &buffer, buffer.count, &info)
            if count == -Int(EINTR) { continue }
            if count == -Int(EAGAIN) { break }
            // ENETDOWN comes once when the interface goes down; the socket goes on after it.
            if count == -Int(ENETDOWN) { continue }
            if count < 0 { return false }
            take(buffer, count, info)
        }
        return !state.withLock { $0.isStopped }
    }

    private func take(_ buffer: [UInt8], _ count: Int, _ info: cpacket_info) {
        guard info.towards_guest != 0 else {
            state.withLock { state in
                state.fromGuest.append(info.microseconds)
                if state.fromGuest.count > 4_096 { state.fromGuest.removeFirst(2_048) }
            }
            return
        }
        let isWhole = Int(info.original_size) <= count && count > SwitchoverFrame.headerSize + SwitchoverFrame.ethernetSize
        let isForOthers = !isWhole && count == SwitchoverFrame.headerSize + SwitchoverFrame.ethernetSize
        var bytes = Array(buffer[..<count])
        if info.has_vlan != 0 {
            bytes = SwitchoverFrame.insertingTag(protocol: info.vlan_tpid, control: info.vlan_tci, into: bytes)
        }
        let frame = SwitchoverFrame(microseconds: info.microseconds, bytes: bytes)
        state.withLock { state in
            state.lastSequence += 1
            state.reading.passed(info.microseconds)
            guard isWhole else {
                if !isForOthers { state.dropped += 1 }
                return
            }
            state.frames.append((state.lastSequence, frame))
            state.bytes += bytes.count
            guard state.frames.count > Self.frameLimit || state.bytes > Self.byteLimit else { return }
            // Half at a time, so that making room costs little per frame.
            let oldest = state.frames.prefix(max(state.frames.count / 2, 1))
            state.bytes -= oldest.reduce(0) { $0 + $1.frame.bytes.count }
            state.dropped += oldest.count
            state.frames.removeFirst(oldest.count)
        }
    }

    /// Frames to the guest, in order, that come after `sequence`.
    ///
    /// - Parameter time: Microseconds since 1970; earlier ones are left out.
    public func frames(after sequence: UInt64, from time: Int64 = .min) -> (frames: [SwitchoverFrame], last: UInt64) {
        state.withLock { state in
            let found = state.frames.filter { $0.sequence > sequence && $0.frame.microseconds >= time }
            return (found.map(\.frame), max(sequence, state.lastSequence))
        }
    }

    /// Notes how many frames QEMU has taken from the adapter so far. To be called now and then while the guest runs, so that at the switchover
    /// it is known which frames QEMU had not taken.
    public func noteReading() {
        guard let taken = takenByQEMU() else { return }
        let now = Self.now()
        state.withLock { $0.reading.note(taken: taken, at: now) }
    }

    /// The last frame that the guest got, to be asked just after QEMU stopped it: what comes after it must be handed over.
    ///
    /// Under load QEMU is behind with reading, so the time of its STOP event does not tell: frames that passed the adapter tens of
    /// milliseconds before may wait in it. The kernel counts what QEMU took; the rest it has not. If frames wait, QEMU took one more after the
    /// guest stopped and keeps it (net/tap.c stops reading when a frame is not delivered), so that one is handed over too.
    /// - Parameter stop: The time of QEMU's STOP event in microseconds since 1970.
    /// - Returns: A sequence for ``frames(after:from:)``.
    public func lastFrameSeen(stop: Int64) async -> UInt64 {
        let taken = takenByQEMU()
        // The reader is a little behind the kernel.
        try? await Task.sleep(for: .milliseconds(1))
        return state.withLock { $0.reading.lastSeen(taken: taken, stop: stop, passed: $0.lastSequence) }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    /// Frames that left the adapter towards QEMU, or were dropped because its queue was full (tun.c counts a frame when it is read).
    private func takenByQEMU() -> UInt64? {
        func statistic(_ name: String) -> UInt64? {
            guard let file = fopen("/sys/class/net/\(interface)/statistics/\(name)", "re") else { return nil }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 32)
            guard fgets(&line, 32, file) != nil else { return nil }
            return UInt64(String(decoding: line.prefix { $0 > 32 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        guard let packets = statistic("tx_packets"), let dropped = statistic("tx_dropped") else { return nil }
        return packets &+ dropped
    }

    /// The guest's last own frame not later than a time.
    public func lastFrameFromGuest(until limit: Int64) -> Int64? {
        state.withLock { state in state.fromGuest.last { $0 <= limit } }
    }

    /// The guest's first own frame after a time.
    public func firstFrameFromGuest(after time: Int64) -> Int64? {
        state.withLock { state in state.fromGuest.first { $0 > time } }
    }

    /// Frames that could not be kept, here or in the kernel.
    public func droppedFrames() -> Int {
        let inKernel = max(cpacket_dropped(socket), 0)
        return state.withLock { state in
            state.dropped += inKernel
            return state.dropped
        }
    }

    /// Sends frames into the adapter, to the guest, in order.
    ///
    /// - Parameter frames: As ``SwitchoverFrame/bytes``; what is too short to be a frame is left out.
    /// - Returns: How many were sent.
    /// - Throws: ``FrameError/cannotSend(interface:errno:)`` when the adapter takes none.
    @discardableResult
    public func inject(_ frames: [[UInt8]]) throws(FrameError) -> Int {
        var sent = 0
        for bytes in frames where bytes.count >= SwitchoverFrame.headerSize + SwitchoverFrame.ethernetSize {
            switch cpacket_send(socket, bytes, bytes.count) {
            case 0: sent += 1
            // A header that this kernel cannot make sense of, for instance from a hostile peer: that frame alone is lost.
            case -EINVAL, -EMSGSIZE: continue
            case -ENOBUFS, -EAGAIN: continue
            case let code: throw .cannotSend(interface: interface, errno: -code)
            }
        }
        return sent
    }
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
