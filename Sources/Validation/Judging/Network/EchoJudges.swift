import ClusterModel

/// What packets between two nodes tell.
public enum EchoJudges {
    private static func subject(_ evidence: EchoEvidence) -> FindingSubject {
        .pair(evidence.from, evidence.to, network: evidence.network)
    }

    /// `network/udp` and `network/tcp`: whether anything passes, and which way is closed if not.
    public static func reachability(_ transport: EchoTransport, _ all: [EchoEvidence]) -> TestOutcome {
        let word = transport == .udp ? "UDP" : "TCP"
        let findings = all.map { evidence -> ValidationFinding in
            let (from, to) = (evidence.from, evidence.to)
            if let first = Distribution(evidence.sending.answers) {
                return ValidationFinding(
                    .pass, subject(evidence), reason: "\(word) port \(evidence.port) of \(to) answers \(from).",
                    figures: [Figure("Round trip", first, .milliseconds)])
            }
            let said = evidence.sending.problem.map { " \(from) says: \($0)." } ?? ""
            if transport == .udp, let received = evidence.received, received > 0 {
                return ValidationFinding(
                    .failure, subject(evidence),
                    reason:
                        "UDP of \(from) reaches \(to), but no answer comes back to \(from): something drops UDP from \(to) to \(from).\(said)",
                    cure:
                        "Look for a packet filter on \(from) (nft list ruleset) and between the nodes; allow UDP from \(to), ports 5405 to 5412."
                )
            }
            return ValidationFinding(
                .failure, subject(evidence),
                reason: "\(word) of \(from) does not reach port \(evidence.port) of \(to) on the \(evidence.network).\(said)",
                cure:
                    "Look for a packet filter on \(to) (nft list ruleset) and between the nodes; allow \(word) port \(evidence.port) from \(from)."
            )
        }
        let closed = zip(all, findings).filter { $0.1.verdict == .failure }.map { "\($0.0.from) to \($0.0.to)" }
        return TestOutcome(
            findings,
            headline: closed.isEmpty
                ? nil : "\(word) does not pass from \(NodeList.text(closed.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }))")
    }

    public static func loss(_ all: [EchoEvidence]) -> TestOutcome {
        let findings = all.map { evidence -> ValidationFinding in
            let (sent, answered) = (evidence.sending.sent, evidence.sending.answers.count)
            guard sent > 0 else { return nothing(evidence) }
            let percent = Double(sent - answered) / Double(sent) * 100
            let verdict: Verdict = answered == sent ? .pass : percent > 1 ? .failure : .warning
            return ValidationFinding(
                verdict, subject(evidence),
                reason: "\(sent - answered) of \(sent) packets from \(evidence.from) to \(evidence.to) got no answer.",
                figures: [Figure("Loss", percent, .percent)])
        }
        return outcome(findings, all) { "packets are lost between \($0)" }
    }

    /// Corosync's token goes round all nodes in a second, and its links are given up after 800 ms: an answer must take a small part of that.
    private static let (slow, tooSlow) = (5.0, 100.0)

    public static func latency(_ all: [EchoEvidence]) -> TestOutcome {
        let findings = all.map { evidence -> ValidationFinding in
            guard let spread = Distribution(evidence.sending.answers) else { return nothing(evidence) }
            // A long way delays every answer, a busy node only some: where the best ones are fast the network is not what is slow.
            let verdict: Verdict = min(spread.median, spread.minimum * 10) > tooSlow ? .failure : spread.median > slow ? .warning : .pass
            return ValidationFinding(
                verdict, subject(evidence),
                reason: "Half of the answers came within \(text(spread.median)), 99 of 100 within \(text(spread.p99)).",
                figures: [Figure("Round trip", spread, .milliseconds), Figure("Median round trip", spread.median, .milliseconds)])
        }
        return outcome(findings, all) { "answers are too slow between \($0)" }
    }

    private static let (uneven, tooUneven) = (20.0, 400.0)

    public static func jitter(_ all: [EchoEvidence]) -> TestOutcome {
        let findings = all.map { evidence -> ValidationFinding in
            guard let spread = Distribution(evidence.sending.answers) else { return nothing(evidence) }
            let jitter = spread.p99 - spread.median
            // One in a hundred may be late because a node is busy; one in ten is what the token would meet at each turn.
            let verdict: Verdict = spread.p90 - spread.median > tooUneven ? .failure : jitter > uneven ? .warning : .pass
            return ValidationFinding(
                verdict, subject(evidence),
                reason:
                    "The slowest of 100 answers took \(text(jitter)) longer than most; the slowest of all took \(text(spread.maximum)).",
                figures: [Figure("Jitter", jitter, .milliseconds)])
        }
        return outcome(findings, all) { "answers come unevenly between \($0)" }
    }

    /// What large packets of one direction met: the MTU of the sender's adapter, and the receiver's with its name.
    public struct PacketSizeEvidence: Hashable, Sendable {
        public var echo: EchoEvidence
        public var mtu: Int
        public var receiver: String
        public var receiverMTU: Int?
        public init(_ echo: EchoEvidence, mtu: Int, receiver: String, receiverMTU: Int?) {
            self.echo = echo
            self.mtu = mtu
            self.receiver = receiver
            self.receiverMTU = receiverMTU
        }
    }

    public static func packetSize(_ all: [PacketSizeEvidence]) -> TestOutcome {
        let findings = all.map { size -> ValidationFinding in
            let (evidence, mtu) = (size.echo, size.mtu)
            guard evidence.sending.answers.isEmpty else {
                return ValidationFinding(
                    .pass, subject(evidence), reason: "Packets of \(mtu) bytes pass whole.",
                    figures: [Figure("Packet size", Double(mtu), .bytes)])
            }
            let said = evidence.sending.problem.map { " \(evidence.from) says: \($0)." } ?? ""
            let other = size.receiverMTU.flatMap { $0 == mtu ? nil : $0 }
            let difference = other.map { " \(size.receiver) of \(evidence.to) has MTU \($0)." } ?? ""
            return ValidationFinding(
                .failure, subject(evidence),
                reason: "Packets of \(mtu) bytes, as large as the adapter of \(evidence.from) claims, do not pass from \(evidence.from) to "
                    + "\(evidence.to) and back.\(difference)\(said)",
                cure: other == nil
                    ? "Allow packets of \(mtu) bytes on the switch ports of the \(evidence.network), or lower the MTU on both nodes."
                    : "Set the same MTU on both nodes: ip link set \(size.receiver) mtu \(mtu) on \(evidence.to), and in its network settings; "
                        + "the switch ports must take it too.")
        }
        return outcome(findings, all.map(\.echo)) { "large packets do not pass between \($0)" }
    }

    /// Certificates and logs bear a second; a minute means that nothing keeps the clock.
    private static let (apart, tooFarApart) = (1_000.0, 60_000.0)

    /// - Parameter milliseconds: How far the clock of `other` is ahead of that of `one`.
    public static func clocks(_ one: NodeName, _ other: NodeName, ahead milliseconds: Double) -> TestOutcome {
        let distance = abs(milliseconds)
        let verdict: Verdict = distance > tooFarApart ? .failure : distance > apart ? .warning : .pass
        let words = distance < 1_000 ? text(distance) : "\(Int(min(distance / 1_000, 1e12).rounded())) s"
        let (late, early) = milliseconds > 0 ? (one, other) : (other, one)
        return TestOutcome(
            [
                ValidationFinding(
                    verdict, .pair(one, other),
                    reason: verdict == .pass
                        ? "The clocks agree within \(words)." : "The clock of \(early) is \(words) ahead of that of \(late).",
                    figures: [Figure("Clock offset", distance, .milliseconds)])
            ], headline: verdict == .failure ? "the clocks of \(one) and \(other) differ by \(words)" : nil)
    }

    private static func nothing(_ evidence: EchoEvidence) -> ValidationFinding {
        ValidationFinding(
            .failure, subject(evidence),
            reason: "No packet from \(evidence.from) to \(evidence.to) was answered.\(evidence.sending.problem.map { " \($0)." } ?? "")")
    }

    private static func outcome(_ findings: [ValidationFinding], _ all: [EchoEvidence], clause: (String) -> String) -> TestOutcome {
        let pairs = zip(all, findings).filter { $0.1.verdict == .failure }.map { NodeList.text([$0.0.from, $0.0.to].sorted()) }
        let names = pairs.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return TestOutcome(findings, headline: names.isEmpty ? nil : clause(names.joined(separator: ", and between ")))
    }

    private static func text(_ milliseconds: Double) -> String {
        milliseconds >= 10 ? "\(Int(milliseconds.rounded())) ms" : "\((milliseconds * 100).rounded() / 100) ms"
    }
}
