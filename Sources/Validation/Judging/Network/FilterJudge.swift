import ClusterModel

/// `network/firewall`: every port that the cluster uses, one way between two nodes, and the filters on both.
public enum FilterJudge {
    /// - Parameters:
    ///   - ways: For each direction and network what became of the packets to each port.
    ///   - facts: They tell the filters.
    public static func judge(_ ways: [PortsEvidence], in facts: CollectedFacts) -> TestOutcome {
        let findings = ways.map { finding($0, facts) }
        let closed = zip(ways, findings).filter { $0.1.verdict == .failure }.map { "from \($0.0.from) to \($0.0.to)" }
        let names = closed.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return TestOutcome(findings, headline: names.isEmpty ? nil : "packets are dropped \(NodeList.text(names))")
    }

    private static func finding(_ way: PortsEvidence, _ facts: CollectedFacts) -> ValidationFinding {
        let (from, to) = (way.from, way.to)
        let subject = FindingSubject.pair(from, to, network: way.network)
        let lost = way.ports.filter { $0.fate == .lost }
        let filters = (
            sending: chains(from, ["output", "postrouting", "egress"], facts),
            receiving: chains(to, ["input", "prerouting", "ingress"], facts)
        )
        guard !lost.isEmpty else {
            // An answer that is lost is the other direction's business, which has a finding of its own.
            let all = filters.sending.isEmpty && filters.receiving.isEmpty ? "" : " The filters there let them through."
            return ValidationFinding(.pass, subject, reason: "\(PortText.text(way.ports)) of \(to) hear \(from).\(all)")
        }
        let said = lost.compactMap(\.problem).first.map { " \(from) says: \($0)." } ?? ""
        var causes: [String] = []
        if let chain = filters.receiving.first { causes.append("on \(to), \(name(chain)) \(verb(chain))") }
        if let chain = filters.sending.first { causes.append("on \(from), \(name(chain)) \(verb(chain))") }
        let cause =
            causes.isEmpty
            ? " Neither node has a filter of nftables that could do so."
            : " What could do so: \(causes.joined(separator: "; "))."
        return ValidationFinding(
            .failure, subject,
            reason:
                "\(PortText.text(lost)) of \(to) do\(lost.count == 1 ? "es" : "") not hear \(from) on the \(way.network).\(said)\(cause)",
            cure: cure(way, lost, filters))
    }

    private static func chains(_ node: NodeName, _ hooks: [String], _ facts: CollectedFacts) -> [FilterChainFacts] {
        // A rule that drops is a surer suspect than a default that other rules were made for.
        (facts.inventories[node]?.network.filters ?? []).filter { $0.canDrop && hooks.contains($0.hook) }
            .sorted { !$0.dropsByDefault && $1.dropsByDefault }
    }

    private static func name(_ chain: FilterChainFacts) -> String { "chain \(chain.chain) of table \(chain.family) \(chain.table)" }
    private static func verb(_ chain: FilterChainFacts) -> String {
        chain.dropsByDefault
            ? "drops what no rule accepts"
            : "has \(chain.droppingRules) rule\(chain.droppingRules == 1 ? "" : "s") that drop\(chain.droppingRules == 1 ? "s" : "")"
    }

    private static func cure(
        _ way: PortsEvidence, _ lost: [PortsEvidence.Port], _ filters: (sending: [FilterChainFacts], receiving: [FilterChainFacts])
    ) -> String {
        let isSending = filters.receiving.isEmpty && !filters.sending.isEmpty
        guard let chain = isSending ? filters.sending.first : filters.receiving.first else {
            return
                "Look for `ip rule` and `ip route` entries on \(way.from) that prohibit it, for iptables on both nodes, and for a firewall between "
                + "them; allow \(PortText.text(lost)) from \(way.fromAddress) to \(way.toAddress)."
        }
        let node = isSending ? way.from : way.to
        if chain.table == "firewalld" {
            return
                "firewall-cmd --permanent --zone=trusted --add-source=\(way.fromAddress) on \(node), then firewall-cmd --reload; the same for each node."
        }
        let isSix = way.fromAddress.contains(":")
        let match = isSending ? "\(isSix ? "ip6" : "ip") daddr \(way.toAddress)" : "\(isSix ? "ip6" : "ip") saddr \(way.fromAddress)"
        let commands = ["udp", "tcp"].compactMap { transport -> String? in
            let ports = lost.filter { $0.transport.rawValue == transport }
            guard !ports.isEmpty else { return nil }
            let list =
                transport == "tcp" && ports.contains { $0.isSample } ? PortText.all : ports.map { String($0.port) }.joined(separator: ", ")
            return "nft insert rule \(chain.family) \(chain.table) \(chain.chain) \(match) \(transport) dport { \(list) } accept"
        }
        return "On \(node): \(commands.joined(separator: "; ")); and write it into /etc/nftables.conf."
    }
}

/// What became of packets to several ports of a node.
public struct PortsEvidence: Hashable, Sendable {
    public enum Fate: String, Hashable, Sendable {
        /// It arrived, whether or not an answer came back.
        case arrived
        case lost
    }
    public struct Port: Hashable, Sendable {
        public var transport: EchoTransport
        public var port: Int
        public var fate: Fate
        /// One of a range, of which each may be used.
        public var isSample: Bool
        /// What the sender's system said.
        public var problem: String?
        public init(_ transport: EchoTransport, _ port: Int, _ fate: Fate, isSample: Bool = false, problem: String? = nil) {
            self.transport = transport
            self.port = port
            self.fate = fate
            self.isSample = isSample
            self.problem = problem
        }
    }
    public var from: NodeName
    public var to: NodeName
    public var fromAddress: String
    public var toAddress: String
    public var network: String
    public var ports: [Port]
    public init(from: NodeName, to: NodeName, fromAddress: String, toAddress: String, network: String, ports: [Port]) {
        self.from = from
        self.to = to
        self.fromAddress = fromAddress
        self.toAddress = toAddress
        self.network = network
        self.ports = ports
    }
}

enum PortText {
    /// The ports that Linux gives to programs that want any (ip-sysctl, ip_local_port_range), and that of the API.
    static let all = "7060, 32768-60999"

    /// `UDP port 5405 and TCP ports 7060 and 40000`.
    static func text(_ ports: [PortsEvidence.Port]) -> String {
        let parts = [EchoTransport.udp, .tcp].compactMap { transport -> String? in
            let numbers = Set(ports.filter { $0.transport == transport }.map(\.port)).sorted().map(String.init)
            guard !numbers.isEmpty else { return nil }
            return "\(transport.rawValue.uppercased()) port\(numbers.count == 1 ? "" : "s") \(NodeList.text(numbers))"
        }
        return NodeList.text(parts)
    }
}
