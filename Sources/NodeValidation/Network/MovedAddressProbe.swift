import Foundation
import SwitchoverFrames
import Synchronization
import Validation

/// Plays a guest's address that moves: announces it here and there, and counts what the network brings to it.
enum MovedAddressProbe {
    /// Longer than the step that uses one.
    private static let lifetime = Duration.seconds(30)
    private static let watchers = Mutex<[UUID: Watcher]>([:])
    /// Networks that nobody has: documentation (RFC 5737), and tests of network devices (RFC 2544). No station takes them for its own.
    private static let announced: [UInt8] = [192, 0, 2, 1]
    private static func numbered(_ number: Int) -> [UInt8] { [198, 18, UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)] }
    private static let numbers = 0..<65_536

    static func watch(_ question: MovedAddressWatchQuestion, _ context: ProbeContext) async throws -> MovedAddressWatchQuestion.Evidence {
        let socket = try ARPSocket(interface: question.bridge, hearsEverything: true)
        let watcher = Watcher(address: try address(question.hardwareAddress))
        let id = try await context.held.hold(
            for: context.run, lifetime: lifetime, "stopped watching \(question.bridge) for a moved address"
        ) {
            watcher.stop()
        }
        // What is given back without a tally leaves its entry until the next one comes.
        watchers.withLock { watchers in
            watchers = watchers.filter { !$0.value.isStopped }
            watchers[id] = watcher
        }
        watcher.start(on: socket)
        return .init(watcher: id)
    }

    static func tally(_ question: MovedAddressTallyQuestion, _ context: ProbeContext) async throws -> MovedAddressTallyQuestion.Evidence {
        let watcher = watchers.withLock { $0.removeValue(forKey: question.watcher) }
        try await watcher?.catchUp(within: ProbePatience.probe)
        guard try await context.held.giveBack(question.watcher), let watcher else {
            throw ProbeProblem("The watcher was closed before; the run took too long.")
        }
        if let problem = watcher.problem { throw ProbeProblem(problem) }
        return watcher.seen
    }

    static func send(_ question: MovedAddressSendQuestion) async throws -> MovedAddressSendQuestion.Evidence {
        let address = try address(question.hardwareAddress)
        guard (1...200).contains(question.count), numbers.contains(question.first), numbers.contains(question.first + question.count) else {
            throw ProbeProblem("\(question.count) frames from number \(question.first) on are not sent.")
        }
        let socket = try ARPSocket(interface: question.bridge)
        for index in 0..<question.count {
            let number = numbered(question.first + index)
            switch question.kind {
            case .announcement:
                var packet = ARPPacket.announcement(of: announced, at: address)
                // The target's hardware address means nothing in an announcement; here it carries the number.
                packet.targetHardware = [0, 0] + number
                try socket.send(packet)
            case .frame: try socket.send(.request(for: announced, to: address, sender: number, from: socket.hardwareAddress))
            }
            if index + 1 < question.count { try await Task.sleep(for: .milliseconds(MovedAddressSendQuestion.interval)) }
        }
        return .init(sent: question.count)
    }

    private static func address(_ text: String) throws -> [UInt8] {
        // Locally administered (IEEE 802, 8.2): no adapter has it by birth, so none is impersonated.
        guard let bytes = EthernetText.bytes(text), bytes[0] & 2 == 2 else {
            throw ProbeProblem("\"\(text)\" is no locally administered Ethernet address.")
        }
        return bytes
    }

    /// Counts on a thread of its own until it is stopped.
    private final class Watcher: Sendable {
        private struct State {
            var seen = MovedAddressTallyQuestion.Evidence(announcements: [], frames: [])
            var problem: String?
            /// How often nothing was left to read.
            var pauses = 0
        }
        private let address: [UInt8]
        private let state = Mutex(State())
        private let flag = CancellationFlag()

        init(address: [UInt8]) { self.address = address }

        var seen: MovedAddressTallyQuestion.Evidence {
            let seen = state.withLock { $0.seen }
            return .init(announcements: Set(seen.announcements).sorted(), frames: Set(seen.frames).sorted())
        }
        var problem: String? { state.withLock { $0.problem } }
        var isStopped: Bool { flag.isSet }
        func stop() { flag.set() }

        /// Waits until everything that came is counted: on a busy node the thread may be behind.
        func catchUp(within limit: Duration) async throws {
            let (pauses, end) = (state.withLock { $0.pauses }, ContinuousClock.now + limit)
            while state.withLock({ $0.pauses == pauses && $0.problem == nil }), ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(5))
            }
        }

        /// The thread alone has the socket, which is closed when it ends.
        func start(on socket: ARPSocket) {
            let thread = Thread { self.listen(on: socket) }
            thread.name = "moved-address"
            thread.start()
        }

        private func listen(on socket: ARPSocket) {
            while !flag.isSet {
                do {
                    guard let packet = try socket.receive(within: 100) else {
                        state.withLock { $0.pauses += 1 }
                        continue
                    }
                    state.withLock { take(packet, into: &$0) }
                } catch {
                    state.withLock { $0.problem = "\(error)" }
                    return
                }
            }
        }

        private func take(_ packet: ARPPacket, into state: inout State) {
            guard packet.target == MovedAddressProbe.announced, state.seen.announcements.count + state.seen.frames.count < 4_096 else {
                return
            }
            if packet.senderHardware == address, packet.destination == ARPPacket.broadcast {
                state.seen.announcements.append(Int(packet.targetHardware[4]) << 8 | Int(packet.targetHardware[5]))
            } else if packet.destination == address, packet.sender.starts(with: [198, 18]) {
                state.seen.frames.append(Int(packet.sender[2]) << 8 | Int(packet.sender[3]))
            }
        }
    }
}
