import ArgumentParser
import Glibc

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Asks a machine's TCP echo service again and again over one connection.",
        discussion: """
            Prints {"answers", "errors", "gapMaxMs", "gap2Ms", "gapMedianMs", "lastError"}. The gaps are the times between two
            answers, the interval included. A broken connection counts as an error and is opened again.
            """)

    @Argument(help: "IPv4 or IPv6 address.") var address: String
    @Option(help: "How long; without it until SIGTERM.") var seconds: Double?
    @Option(help: "Pause between an answer and the next question.") var intervalMs: Double = 2
    @Option(help: "TCP port.") var port: UInt16 = 7
    @Option(help: "File for a line per answer: monotonic ns, wall-clock ns, round trip ns.") var trace: String?

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 86_400) { throw ValidationError("--seconds must be above 0 and at most 86400") }
        guard intervalMs >= 0, intervalMs <= 60_000 else { throw ValidationError("--interval-ms must be 0 to 60000") }
    }

    func run() throws {
        Stop.onSignals()
        var probe = EchoProbe(deadline: Deadline(seconds: seconds), interval: UInt64(intervalMs * 1e6))
        if let trace {
            var file = try Trace(path: trace)
            while !probe.deadline.isReached { try probe.talk(to: address, port: port) { try file.answered(at: $0, roundTrip: $1) } }
            try file.flush()
        } else {
            while !probe.deadline.isReached { try probe.talk(to: address, port: port) { _, _ in } }
        }
        probe.gaps.end(at: Clock.monotonic())
        let gaps = probe.gaps.summary()
        try printJSON(
            Result(
                answers: probe.answers, errors: probe.errors, lastError: probe.lastError, gapMaxMs: gaps.gapMaxMs, gap2Ms: gaps.gap2Ms,
                gapMedianMs: gaps.gapMedianMs))
    }

    struct Result: Encodable {
        var answers: Int
        var errors: Int
        var lastError: String?
        var gapMaxMs: Double
        var gap2Ms: Double
        var gapMedianMs: Double
    }
}

/// Questions and answers over one TCP connection after another.
private struct EchoProbe {
    let deadline: Deadline
    let interval: UInt64
    var gaps = Gaps()
    var answers = 0
    var errors = 0
    var lastError: String?
    private var number: UInt64 = 0

    init(deadline: Deadline, interval: UInt64) {
        self.deadline = deadline
        self.interval = interval
    }

    /// One connection, from opening it to its end or the deadline.
    mutating func talk(to address: String, port: UInt16, onAnswer: (UInt64, UInt64) throws -> Void) throws {
        gaps.start(at: Clock.monotonic())
        do throws(SystemError) {
            let socket = try Socket.connected(SOCK_STREAM, to: address, port: port, timeoutSeconds: 5)
            // Short, so that the end of the measurement is noticed while the machine is silent.
            socket.setTimeout(SO_RCVTIMEO, milliseconds: 100)
            while !deadline.isReached {
                let asked = Clock.monotonic()
                guard try exchange(over: socket, at: asked) else { return }
                let now = Clock.monotonic()
                gaps.answered(at: now)
                answers += 1
                do { try onAnswer(now, now - asked) } catch { throw SystemError("write the trace") }
                if interval > 0 { Clock.sleep(until: now + interval) }
            }
        } catch {
            // A call that was interrupted because the end was asked for is no error of the machine.
            guard !deadline.isReached else { return }
            errors += 1
            lastError = error.description
            Clock.sleep(until: Clock.monotonic() + 100_000_000)
        }
    }

    /// - Returns: False when the deadline came before the answer.
    private mutating func exchange(over socket: borrowing Socket, at time: UInt64) throws(SystemError) -> Bool {
        var question = [UInt8](repeating: 0, count: Probe.byteCount)
        Probe.write(number, time, to: &question, at: 0)
        number += 1
        guard send(socket.descriptor, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else {
            throw SystemError("send a question")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Probe.byteCount)
        while answer.count < question.count {
            let count = recv(socket.descriptor, &buffer, question.count - answer.count, 0)
            if count > 0 {
                answer += buffer[..<count]
            } else if count == 0 {
                throw SystemError("go on: the machine closed the connection", code: ECONNRESET)
            } else if errno != EAGAIN && errno != EINTR {
                throw SystemError("read an answer")
            } else if deadline.isReached {
                return false
            }
        }
        guard answer == question else { throw SystemError("trust the answer: it is not what was sent", code: EBADMSG) }
        return true
    }
}
