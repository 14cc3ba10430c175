import ClusterModel

/// What one TCP connection carried from one node to another.
public struct ThroughputEvidence: Hashable, Sendable {
    public var from: NodeName
    public var to: NodeName
    public var network: String
    public var bitsPerSecond: Double
    /// What the slower adapter promises; nil when neither says, or when what they say means nothing.
    public var linkBitsPerSecond: Double?
    public init(from: NodeName, to: NodeName, network: String, bitsPerSecond: Double, linkBitsPerSecond: Double?) {
        self.from = from
        self.to = to
        self.network = network
        self.bitsPerSecond = bitsPerSecond
        self.linkBitsPerSecond = linkBitsPerSecond
    }
}

/// `network/throughput`.
public enum ThroughputJudge {
    /// One connection on one processor does not fill more, whatever the link is.
    private static let mostExpected = 10e9
    /// Of what the link promises. TCP over Ethernet reaches 94 in 100 on an idle link.
    private static let share = 0.6
    /// Below it a machine with 4 GiB moves for six minutes.
    private static let slow = 100e6
    private static let useless = 10e6

    public static func judge(_ all: [ThroughputEvidence]) -> TestOutcome {
        let findings = all.map { evidence in finding(evidence, all.first { $0.from == evidence.to && $0.to == evidence.from }) }
        let failed = zip(all, findings).filter { $0.1.verdict == .failure }.map { "from \($0.0.from) to \($0.0.to)" }
        return TestOutcome(findings, headline: failed.isEmpty ? nil : "hardly anything passes \(NodeList.text(failed))")
    }

    private static func finding(_ evidence: ThroughputEvidence, _ back: ThroughputEvidence?) -> ValidationFinding {
        let speed = evidence.bitsPerSecond
        let subject = FindingSubject.pair(evidence.from, evidence.to, network: evidence.network)
        let figures = [Figure("Throughput", speed, .bitsPerSecond)]
        let carries = "One connection from \(evidence.from) to \(evidence.to) carries \(text(speed))"
        if speed < useless || !speed.isFinite {
            return ValidationFinding(.failure, subject, reason: "\(carries): no machine can be moved over it.", figures: figures)
        }
        if speed < slow {
            return ValidationFinding(
                .warning, subject, reason: "\(carries): moving a machine takes minutes for each GiB of its memory.", figures: figures)
        }
        if let link = evidence.linkBitsPerSecond, speed < min(link, mostExpected) * share {
            return ValidationFinding(.warning, subject, reason: "\(carries), the link promises \(text(link)).", figures: figures)
        }
        if let back, speed < back.bitsPerSecond / 4, speed < 1e9 {
            return ValidationFinding(
                .warning, subject, reason: "\(carries), the other way it is \(text(back.bitsPerSecond)).",
                cure: "Compare speed and duplex of both ends (ethtool), and look for other traffic in that direction.", figures: figures)
        }
        return ValidationFinding(
            .pass, subject,
            reason: "\(carries)\(evidence.linkBitsPerSecond.map { " of \(text($0))" } ?? "").", figures: figures)
    }

    /// `940 Mbit/s`, `9.4 Gbit/s`.
    static func text(_ bits: Double) -> String {
        guard bits.isFinite, bits >= 0, bits < 1e15 else { return "an unknown rate" }
        if bits >= 9.95e9 { return "\(Int((bits / 1e9).rounded())) Gbit/s" }
        if bits >= 0.995e9 { return "\((bits / 1e8).rounded() / 10) Gbit/s" }
        if bits >= 0.995e6 { return "\(Int((bits / 1e6).rounded())) Mbit/s" }
        return "\(Int((bits / 1e3).rounded())) kbit/s"
    }
}
