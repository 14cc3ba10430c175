import ClusterModel
import Testing

@testable import Validation

@Suite("Judges of what network probes saw")
struct NetworkProbeJudgeTests {
    static let (n1, n2) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"))
    static func verdict(_ test: ValidationTest, _ outcome: TestOutcome) -> Verdict { TestResult(test, outcome, milliseconds: 0).verdict }

    // MARK: Names

    static let host = NameQuestion.Host(name: n2, address: "10.0.1.2")

    @Test(
        "Names",
        arguments: [
            (NameQuestion.Answer(host: host, addresses: ["10.0.1.2"], names: ["n2.example.org"]), Verdict.pass, "n2 is 10.0.1.2"),
            (.init(host: host, addresses: ["10.0.3.2"], names: ["N2"]), .pass, "10.0.3.2"),
            (.init(host: host, addresses: [], names: ["n2"]), .warning, "does not know the name n2"),
            (.init(host: host, addresses: ["10.0.1.2", "127.0.0.1"], names: ["n2"]), .warning, "at 127.0.0.1, which is no address of n2"),
            (.init(host: host, addresses: ["not an address"], names: ["n2"]), .warning, "no address of n2"),
            (.init(host: host, addresses: ["10.0.1.2"], names: []), .warning, "finds no name for 10.0.1.2"),
            (.init(host: host, addresses: ["10.0.1.2"], names: ["old"]), .warning, "finds the name old"),
            (.init(host: host, addresses: [], names: [], problem: "The resolver did not answer within 4 s."), .warning, "within 4 s"),
        ])
    func names(answer: NameQuestion.Answer, expected: Verdict, words: String) {
        let outcome = NameJudge.judge(Self.n1, [answer], known: [Self.n2: ["10.0.1.2", "10.0.3.2"]])
        #expect(Self.verdict(NetworkCatalogue.names, outcome) == expected)
        #expect(outcome.findings[0].reason.contains(words) && outcome.findings[0].subject == .pair(Self.n1, Self.n2))
    }

    // MARK: Duplicates

    static let place = DuplicateQuestion.Place(address: "10.0.1.2", adapter: "eth0")

    @Test(
        "Duplicate addresses",
        arguments: [
            (DuplicateQuestion.Answer(place: place, claimants: []), Verdict.pass, "Nobody but n2"),
            // Linux answers for any of its addresses on any adapter.
            (.init(place: place, claimants: ["52:54:00:00:01:02"]), .pass, "Nobody but n2"),
            (.init(place: place, claimants: ["aa:bb:cc:00:00:01"]), .failure, "hardware address aa:bb:cc:00:00:01"),
            (.init(place: place, claimants: ["52:54:00:00:00:01"]), .failure, "eth0 of n1"),
            (.init(place: place, claimants: [], problem: "ARP is not possible."), .warning, "ARP is not possible"),
        ])
    func duplicates(answer: DuplicateQuestion.Answer, expected: Verdict, words: String) {
        let outcome = DuplicateJudge.judge(Self.n2, [answer], in: ConnectedNodes.facts())
        #expect(Self.verdict(NetworkCatalogue.duplicateAddresses, outcome) == expected)
        #expect(outcome.findings[0].reason.contains(words), "\(outcome.findings[0].reason)")
        #expect(outcome.headline == (expected == .failure ? "10.0.1.2 of n2 is used twice" : nil))
    }

    @Test("Nodes that were copied from one image have one hardware address")
    func cloned() throws {
        let facts = ConnectedNodes.facts { $0.network.adapters[0].macAddress = "52:54:00:00:00:01" }
        let finding = try #require(DuplicateJudge.judge(Self.n2, [], in: facts).findings.first)
        #expect(finding.verdict == .failure && finding.reason.contains("eth0 of n2 and eth0 of n1 have the same hardware address"))
    }

    // MARK: Moved addresses

    static func move(heard: Bool = true, sent: Int = 25, arrived: [Int]) -> MoveEvidence {
        MoveEvidence(bridge: "br0", from: n1, to: n2, wasHeard: heard, sent: sent, arrived: arrived)
    }

    @Test(
        "Moved addresses",
        arguments: [
            (move(arrived: Array(0..<25)), Verdict.pass, "at once"), (move(arrived: [5]), .pass, "at once"),
            (move(arrived: [6]), .warning, "only after 120 ms"), (move(arrived: []), .failure, "none of 25 frames"),
            (move(heard: false, arrived: [0]), .failure, "n1 did not hear of it"), (move(arrived: [.min, .max]), .failure, "none of 25"),
            (move(sent: 0, arrived: [0]), .failure, "none of 0"),
        ])
    func moved(move: MoveEvidence, expected: Verdict, words: String) {
        let outcome = MovedAddressJudge.judge([move])
        #expect(Self.verdict(NetworkCatalogue.gratuitousARP, outcome) == expected)
        #expect(outcome.findings[0].reason.contains(words), "\(outcome.findings[0].reason)")
        #expect((outcome.headline == "a moved address is not found again between n1 and n2") == (expected == .failure))
    }

    // MARK: Throughput

    static func flow(_ speed: Double, link: Double? = nil, from: NodeName = n1, to: NodeName = n2) -> ThroughputEvidence {
        ThroughputEvidence(from: from, to: to, network: "migration network", bitsPerSecond: speed, linkBitsPerSecond: link)
    }

    @Test(
        "Throughput",
        arguments: [
            (flow(9.4e9, link: 10e9), Verdict.pass, "9.4 Gbit/s of 10 Gbit/s"),
            (flow(5e9, link: 10e9), .warning, "the link promises 10 Gbit/s"),
            (flow(8e9, link: 100e9), .pass, "of 100 Gbit/s"), (flow(94e6), .warning, "94 Mbit/s: moving a machine takes minutes"),
            (flow(2e6), .failure, "2 Mbit/s: no machine can be moved"), (flow(.nan), .failure, "no machine"),
            (flow(.infinity), .failure, "no machine"), (flow(-1), .failure, "no machine"),
        ])
    func throughput(flow: ThroughputEvidence, expected: Verdict, words: String) {
        let outcome = ThroughputJudge.judge([flow])
        #expect(Self.verdict(NetworkCatalogue.throughput, outcome) == expected)
        #expect(outcome.findings[0].reason.contains(words), "\(outcome.findings[0].reason)")
        #expect((outcome.headline == nil) == (expected != .failure))
    }

    @Test("A direction that is much slower than the other is told")
    func oneWay() {
        let outcome = ThroughputJudge.judge([Self.flow(200e6), Self.flow(940e6, from: Self.n2, to: Self.n1)])
        #expect(outcome.findings.map(\.verdict) == [.warning, .pass])
        #expect(outcome.findings[0].reason.contains("the other way it is 940 Mbit/s"))
    }

    // MARK: Filters

    static func way(_ ports: [PortsEvidence.Port]) -> PortsEvidence {
        PortsEvidence(
            from: n1, to: n2, fromAddress: "10.0.1.1", toAddress: "10.0.1.2", network: "cluster network 10.0.1.0/24", ports: ports)
    }
    static func chain(_ name: String, _ hook: String, table: String = "filter", byDefault: Bool = false) -> FilterChainFacts {
        FilterChainFacts(
            family: "inet", table: table, chain: name, hook: hook, dropsByDefault: byDefault, droppingRules: byDefault ? 0 : 1)
    }
    static let closed: [PortsEvidence.Port] = [.init(.udp, 5_405, .lost), .init(.tcp, 7_060, .arrived)]

    @Test(
        "A closed port is blamed on the filter that can have closed it, and the cure opens it there",
        arguments: [
            (
                [chain("in", "input")], [], "on n2, chain in of table inet filter has 1 rule that drops",
                "On n2: nft insert rule inet filter in ip saddr 10.0.1.1 udp dport { 5405 } accept"
            ),
            ([chain("a", "input", byDefault: true), chain("b", "input")], [], "on n2, chain b", "inet filter b"),
            (
                [], [chain("out", "output", byDefault: true)], "on n1, chain out of table inet filter drops what no rule accepts",
                "On n1: nft insert rule inet filter out ip daddr 10.0.1.2 udp dport"
            ),
            ([chain("filter_INPUT", "input", table: "firewalld", byDefault: true)], [], "table inet firewalld", "firewall-cmd"),
            ([chain("fw", "forward")], [], "Neither node has a filter", "Look for `ip rule`"),
            ([], [], "Neither node has a filter", "allow UDP port 5405 from 10.0.1.1"),
        ])
    func filters(receiving: [FilterChainFacts], sending: [FilterChainFacts], words: String, cure: String) throws {
        var facts = ConnectedNodes.facts { $0.network.filters = receiving }
        facts.inventories[Self.n1]?.network.filters = sending
        let outcome = FilterJudge.judge([Self.way(Self.closed)], in: facts)
        let finding = try #require(outcome.findings.first)
        #expect(finding.verdict == .failure && finding.reason.contains("UDP port 5405 of n2 does not hear n1"))
        #expect(finding.reason.contains(words), "\(finding.reason)")
        #expect(finding.cure?.contains(cure) == true, "\(finding.cure ?? "")")
        #expect(outcome.headline == "packets are dropped from n1 to n2")
    }

    @Test("Samples of a range stand for the range in the cure, and what the system says is told")
    func samples() throws {
        let facts = ConnectedNodes.facts { $0.network.filters = [Self.chain("in", "input")] }
        let ports: [PortsEvidence.Port] = [
            .init(.tcp, 33_000, .lost, isSample: true, problem: "Operation not permitted"), .init(.tcp, 45_000, .lost, isSample: true),
        ]
        let finding = try #require(FilterJudge.judge([Self.way(ports)], in: facts).findings.first)
        #expect(finding.reason.contains("TCP ports 33000 and 45000 of n2 do not hear n1"))
        #expect(finding.reason.contains("n1 says: Operation not permitted."))
        #expect(finding.cure?.contains("tcp dport { 7060, 32768-60999 } accept") == true)
    }

    @Test("Open ports pass, also behind filters")
    func open() {
        let outcome = FilterJudge.judge([Self.way([.init(.udp, 5_405, .arrived)])], in: ConnectedNodes.facts())
        #expect(Self.verdict(NetworkCatalogue.firewall, outcome) == .pass && outcome.headline == nil)
    }
}
