import Foundation
import SwitchoverFrames
import Validation

/// Asks the network who else has this node's addresses.
enum DuplicateProbe {
    private static let mostPlaces = 16
    /// Three questions, 100 ms apart, and time for the last answer.
    private static let (questions, interval, patience) = (3, 100, 400)

    static func ask(_ question: DuplicateQuestion) async throws -> DuplicateQuestion.Evidence {
        guard question.places.count <= mostPlaces else { throw ProbeProblem("\(question.places.count) addresses are too many to ask for.") }
        return try await withThrowingTaskGroup(of: (Int, DuplicateQuestion.Answer).self) { group in
            for (index, place) in question.places.enumerated() { group.addTask { (index, try await answer(place)) } }
            let answers = try await group.reduce(into: [Int: DuplicateQuestion.Answer]()) { $0[$1.0] = $1.1 }
            return .init(answers: answers.sorted { $0.key < $1.key }.map(\.value))
        }
    }

    private static func answer(_ place: DuplicateQuestion.Place) async throws -> DuplicateQuestion.Answer {
        guard let address = IPNetwork(place.address)?.bytes else {
            return .init(place: place, claimants: [], problem: "\"\(place.address)\" is no address.")
        }
        if address.count == 16 { return try await detected(place) }
        return try await BlockingWork.run("duplicates") { isCancelled in
            do { return try .init(place: place, claimants: listen(for: address, on: place.adapter, isCancelled)) } catch {
                return .init(place: place, claimants: [], problem: "\(error)")
            }
        }
    }

    private static func listen(for address: [UInt8], on adapter: String, _ isCancelled: () -> Bool) throws -> [String] {
        let socket = try ARPSocket(interface: adapter)
        var claimants: [String] = []
        let begin = ContinuousClock.now
        var asked = 0
        while !isCancelled() {
            let elapsed = Int((ContinuousClock.now - begin) / .milliseconds(1))
            if asked < questions, elapsed >= asked * interval {
                try socket.send(.probe(for: address, from: socket.hardwareAddress))
                asked += 1
            }
            let end = (questions - 1) * interval + patience
            guard elapsed < end || asked < questions else { break }
            guard let packet = try socket.receive(within: 20) else { continue }
            // Whoever has the address says so as the sender, in an answer or in an announcement of its own.
            guard packet.sender == address, packet.senderHardware != socket.hardwareAddress else { continue }
            let text = EthernetText.text(packet.senderHardware)
            if !claimants.contains(text), claimants.count < 16 { claimants.append(text) }
        }
        return claimants
    }

    /// For IPv6 the kernel has asked already (RFC 4862, 5.4), and keeps what it heard.
    private static func detected(_ place: DuplicateQuestion.Place) async throws -> DuplicateQuestion.Answer {
        do {
            let json = try await ToolRun.text(["ip", "-json", "-6", "address", "show", "dev", place.adapter])
            let failed = try NetworkText.duplicates(json).contains { IPNetwork($0)?.bytes == IPNetwork(place.address)?.bytes }
            return .init(place: place, claimants: failed ? ["unknown"] : [])
        } catch { return .init(place: place, claimants: [], problem: "\(error)") }
    }
}

/// Ethernet addresses as people write them.
enum EthernetText {
    static func text(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }

    /// - Returns: nil when it is no address of one station.
    static func bytes(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 && $0.allSatisfy(\.isHexDigit) ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0 else { return nil }
        return bytes
    }
}
