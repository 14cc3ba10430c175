import ArgumentParser
import Glibc

struct UDPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "udp",
        abstract: "Sends numbered datagrams to a machine's UDP echo service at a steady pace.",
        discussion: """
            Prints {"sent", "answered", "lost", "duplicated", "reordered", "roundTripMaxMs", "gapMaxMs", "gap2Ms", "gapMedianMs",
            "sendErrors"}. Nothing is sent twice, so a datagram lost anywhere on the way counts.
            """)

    @Argument(help: "IPv4 or IPv6 address.") var address: String
    @Option(help: "How long; without it until SIGTERM.") var seconds: Double?
    @Option(help: "Time from one datagram to the next.") var intervalMs: Double = 2
    @Option(help: "UDP port.") var port: UInt16 = 7
    // Less than the 10 s after which the lab ends a program that was told to stop.
    @Option(help: "How long to wait at most for the last answers.") var lingerMs: Double = 8_000

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 86_400) { throw ValidationError("--seconds must be above 0 and at most 86400") }
        guard intervalMs >= 0.01, intervalMs <= 60_000 else { throw ValidationError("--interval-ms must be 0.01 to 60000") }
        guard lingerMs >= 0, lingerMs <= 60_000 else { throw ValidationError("--linger-ms must be 0 to 60000") }
    }

    func run() throws {
        Stop.onSignals()
        let socket = try Socket.connected(SOCK_DGRAM, to: address, port: port, timeoutSeconds: 1)
        socket.setReceiveBuffer(byteCount: 4 << 20)
        let deadline = Deadline(seconds: seconds)
        let interval = UInt64(intervalMs * 1e6)
        // Answers to an earlier run from the same port must not count.
        let run = UInt64.random(in: .min ... .max)
        var tally = Tally()
        var gaps = Gaps()
        var sendErrors = 0
        var datagram = [UInt8](repeating: 0, count: 8 + Probe.byteCount)

        var due = Clock.monotonic()
        gaps.start(at: due)
        while !deadline.isReached {
            let now = Clock.monotonic()
            if now >= due {
                Probe.write(run, 0, to: &datagram, at: 0)
                Probe.write(tally.ask(), now, to: &datagram, at: 8)
                // A refused or unreachable peer is reported with the next call; the datagram then counts as lost.
                if send(socket.descriptor, datagram, datagram.count, 0) < 0 { sendErrors += 1 }
                due = max(due + interval, now)
            }
            receive(from: socket, withinNanoseconds: deadline.remaining(until: due), run, &tally, &gaps)
        }
        let end = Clock.monotonic()
        let last = end + UInt64(lingerMs * 1e6)
        while tally.answered < tally.sent, Clock.monotonic() < last {
            receive(from: socket, withinNanoseconds: 10_000_000, run, &tally, &gaps)
        }
        if tally.answered < tally.sent { gaps.end(at: end) }
        try printJSON(Result(summary: tally.summary(gaps.summary()), sendErrors: sendErrors))
    }

    private func receive(
        from socket: borrowing Socket, withinNanoseconds wait: UInt64, _ run: UInt64, _ tally: inout Tally, _ gaps: inout Gaps
    ) {
        guard socket.isReadable(withinNanoseconds: wait) else { return }
        var buffer = [UInt8](repeating: 0, count: 64)
        while true {
            let count = recv(socket.descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count >= 0 else { return }
            let now = Clock.monotonic()
            guard count == 8 + Probe.byteCount, Probe.read(buffer, at: 0).number == run else { continue }
            let (number, time) = Probe.read(buffer, at: 8)
            if tally.answer(number, sentAt: time, now: now) { gaps.answered(at: now) }
        }
    }

    struct Result: Encodable {
        var summary: TallySummary
        var sendErrors: Int
        enum Keys: CodingKey { case sendErrors }
        func encode(to encoder: any Encoder) throws {
            try summary.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(sendErrors, forKey: .sendErrors)
        }
    }
}
