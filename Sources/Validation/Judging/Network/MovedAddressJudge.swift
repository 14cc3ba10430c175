import ClusterModel

/// An address that went from one node to another, and what the network made of it.
public struct MoveEvidence: Hashable, Sendable {
    public var bridge: String
    public var from: NodeName
    /// Where it is now, and was announced.
    public var to: NodeName
    /// Whether `from` heard the announcement of `to`.
    public var wasHeard: Bool
    /// How many frames `from` sent to the address, one each ``MovedAddressSendQuestion/interval``.
    public var sent: Int
    /// Which of them `to` received, counted from 0.
    public var arrived: [Int]
    public init(bridge: String, from: NodeName, to: NodeName, wasHeard: Bool, sent: Int, arrived: [Int]) {
        self.bridge = bridge
        self.from = from
        self.to = to
        self.wasHeard = wasHeard
        self.sent = sent
        self.arrived = arrived
    }
}

/// `network/gratuitous-arp`.
public enum MovedAddressJudge {
    /// Milliseconds. A guest is silent that much longer after each migration.
    private static let late = 100

    public static func judge(_ moves: [MoveEvidence]) -> TestOutcome {
        let findings = moves.map(finding)
        let failed = zip(moves, findings).filter { $0.1.verdict == .failure }.map { NodeList.text([$0.0.from, $0.0.to].sorted()) }
        let pairs = failed.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return TestOutcome(
            findings,
            headline: pairs.isEmpty ? nil : "a moved address is not found again between \(pairs.joined(separator: ", and between "))")
    }

    private static func finding(_ move: MoveEvidence) -> ValidationFinding {
        let subject = FindingSubject.pair(move.from, move.to, network: move.bridge)
        guard move.wasHeard else {
            return ValidationFinding(
                .failure, subject,
                reason:
                    "An address was announced on \(move.bridge) of \(move.to), and \(move.from) did not hear of it: gratuitous ARP from a "
                    + "hardware address that is not the adapter's own is dropped on the way.",
                cure:
                    "Check that \(move.bridge) of both nodes leads to the same network, and that the switch ports allow several hardware addresses "
                    + "(port security) and gratuitous ARP (dynamic ARP inspection). On a virtual host below: allow forged transmits and MAC changes."
            )
        }
        guard let first = move.arrived.min(), first >= 0, first < move.sent else {
            return ValidationFinding(
                .failure, subject,
                reason:
                    "After an address had moved from \(move.from) to \(move.to) and was announced there, none of \(move.sent) frames from "
                    + "\(move.from) reached it: the switch still sends them to where it was.",
                cure:
                    "Let the switch learn addresses on the port of \(move.to) (no static entries, no sticky or locked port, no limit of one address)."
            )
        }
        let delay = first * MovedAddressSendQuestion.interval
        let figures = [Figure("Found again after", Double(delay), .milliseconds)]
        guard delay <= late else {
            return ValidationFinding(
                .warning, subject,
                reason: "After an address had moved from \(move.from) to \(move.to), frames reached it only after \(delay) ms.",
                cure:
                    "Look for port security, spanning tree or a loop protection on the switch ports that delays the learning of an address.",
                figures: figures)
        }
        return ValidationFinding(
            .pass, subject, reason: "An address that moved from \(move.from) to \(move.to) was found there at once.", figures: figures)
    }
}
