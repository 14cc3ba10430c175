import ArgumentParser
import Glibc

struct FramesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frames",
        abstract: "Sends numbered Ethernet frames to a machine: to its address, to all, and VLAN-tagged.",
        discussion: """
            Type 0x88B5 (IEEE 802 local experimental); the guest answers each. Prints {"unicast", "broadcast", "tagged",
            "taggedBroadcast"}, each with the numbers that `udp` prints. Example:
            apus lab exec client -- apus-lab-client frames --interface machine0 --mac 52:54:00:77:01:0a --seconds 10
            """)

    @Option(help: "The interface to send from.") var interface: String
    @Option(help: "The machine's MAC address.") var mac: String
    @Option(help: "VLAN of the tagged frames.") var vlan: UInt16 = 5
    @Option(help: "How long; without it until SIGTERM.") var seconds: Double?
    @Option(help: "Time from one frame to the next; the kinds take turns.") var intervalMs: Double = 2
    @Option(help: "How long to wait at most for the last answers.") var lingerMs: Double = 8_000

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 86_400) { throw ValidationError("--seconds must be above 0 and at most 86400") }
        guard intervalMs >= 0.01, intervalMs <= 60_000 else { throw ValidationError("--interval-ms must be 0.01 to 60000") }
        guard lingerMs >= 0, lingerMs <= 60_000 else { throw ValidationError("--linger-ms must be 0 to 60000") }
        guard (1...4_094).contains(vlan) else { throw ValidationError("--vlan must be 1 to 4094") }
        guard machineAddress != nil else { throw ValidationError("--mac must be like 52:54:00:77:01:0a") }
    }

    private var machineAddress: [UInt8]? {
        let pairs = mac.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = pairs.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        // A sign would pass as a digit.
        return pairs.count == 6 && bytes.count == 6 && mac.allSatisfy { $0.isHexDigit || $0 == ":" } ? bytes : nil
    }

    func run() throws {
        Stop.onSignals()
        let socket = try PacketSocket(interface: interface)
        var probe = FrameProbe(machine: machineAddress ?? [], source: socket.address, vlan: vlan)
        let deadline = Deadline(seconds: seconds)
        let interval = UInt64(intervalMs * 1e6)
        var due = Clock.monotonic()
        var turn = 0
        while !deadline.isReached {
            let now = Clock.monotonic()
            if now >= due {
                let kind = FrameKind.allCases[turn % FrameKind.allCases.count]
                turn += 1
                if !socket.send(probe.question(kind, at: now)) { probe.sendErrors += 1 }
                due = max(due + interval, now)
            }
            if socket.isReadable(withinNanoseconds: deadline.remaining(until: due)) {
                while let frame = socket.receive() { probe.take(frame, at: Clock.monotonic()) }
            }
        }
        let end = Clock.monotonic()
        while !probe.isComplete, Clock.monotonic() < end + UInt64(lingerMs * 1e6) {
            guard socket.isReadable(withinNanoseconds: 10_000_000) else { continue }
            while let frame = socket.receive() { probe.take(frame, at: Clock.monotonic()) }
        }
        try printJSON(probe.result(at: end))
    }
}

enum FrameKind: Int, CaseIterable {
    case unicast, broadcast, tagged, taggedBroadcast

    static let etherType: UInt16 = 0x88b5
    var isTagged: Bool { self == .tagged || self == .taggedBroadcast }
    var isBroadcast: Bool { self == .broadcast || self == .taggedBroadcast }
}

/// Builds the questions and counts the answers, a tally for each kind.
private struct FrameProbe {
    let machine: [UInt8]
    let source: [UInt8]
    let vlan: UInt16
    var sendErrors = 0
    private var tallies = [Tally](repeating: Tally(), count: FrameKind.allCases.count)
    private var gaps = [Gaps](repeating: Gaps(), count: FrameKind.allCases.count)

    init(machine: [UInt8], source: [UInt8], vlan: UInt16) {
        self.machine = machine
        self.source = source
        self.vlan = vlan
    }

    var isComplete: Bool { tallies.allSatisfy { $0.answered == $0.sent } }

    /// The payload is that of the guest's `frames` program; the kind of the question hides in the counter's top byte.
    mutating func question(_ kind: FrameKind, at time: UInt64) -> [UInt8] {
        gaps[kind.rawValue].start(at: time)
        var frame = (kind.isBroadcast ? [UInt8](repeating: 0xff, count: 6) : machine) + source
        if kind.isTagged { frame += [0x81, 0x00, UInt8(vlan >> 8), UInt8(vlan & 0xff)] }
        frame += [UInt8(FrameKind.etherType >> 8), UInt8(FrameKind.etherType & 0xff)] + Array("APUF".utf8) + [1, 0, 0, 0]
        let counter = frame.count
        frame += [UInt8](repeating: 0, count: Probe.byteCount)
        Probe.write(tallies[kind.rawValue].ask() | UInt64(kind.rawValue) << 56, time, to: &frame, at: counter)
        // The shortest frame that Ethernet knows, without its checksum (IEEE 802.3 clause 3.2.8).
        if frame.count < 60 { frame += [UInt8](repeating: 0, count: 60 - frame.count) }
        return frame
    }

    mutating func take(_ frame: ReceivedFrame, at time: UInt64) {
        let bytes = frame.bytes
        guard bytes.count >= 38, bytes[0..<6].elementsEqual(source), bytes[12] == UInt8(FrameKind.etherType >> 8),
            bytes[13] == UInt8(FrameKind.etherType & 0xff), bytes[14..<18].elementsEqual("APUF".utf8), bytes[18] == 2
        else { return }
        let (number, sentAt) = Probe.read(bytes, at: 22)
        guard let kind = FrameKind(rawValue: Int(number >> 56)) else { return }
        // An answer that lost its tag on the way is no answer.
        guard kind.isTagged == (frame.tag != nil), !kind.isTagged || frame.tag.map({ $0 & 0xfff }) == vlan else { return }
        if tallies[kind.rawValue].answer(number & 0xff_ffff_ffff_ffff, sentAt: sentAt, now: time) {
            gaps[kind.rawValue].answered(at: time)
        }
    }

    mutating func result(at end: UInt64) -> Result {
        func summary(_ kind: FrameKind) -> TallySummary {
            let tally = tallies[kind.rawValue]
            if tally.answered < tally.sent { gaps[kind.rawValue].end(at: end) }
            return tally.summary(gaps[kind.rawValue].summary())
        }
        return Result(
            unicast: summary(.unicast), broadcast: summary(.broadcast), tagged: summary(.tagged),
            taggedBroadcast: summary(.taggedBroadcast), sendErrors: sendErrors)
    }

    struct Result: Encodable {
        var unicast: TallySummary
        var broadcast: TallySummary
        var tagged: TallySummary
        var taggedBroadcast: TallySummary
        var sendErrors: Int
    }
}
