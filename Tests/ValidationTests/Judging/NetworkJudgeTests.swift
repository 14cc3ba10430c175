import ClusterModel
import Testing

@testable import Validation

/// Two nodes with two cluster networks, a migration network and a bridge.
enum ConnectedNodes {
    static func adapter(_ name: String, _ address: String, mac: String) -> AdapterFacts {
        var adapter = AdapterFacts(name: name)
        adapter.kind = "physical"
        adapter.driver = "i40e"
        adapter.macAddress = mac
        adapter.addresses = [address]
        adapter.mtu = 1_500
        adapter.isUp = true
        adapter.hasCarrier = true
        adapter.speedMbitPerSecond = 10_000
        adapter.isFullDuplex = true
        return adapter
    }

    static func inventory(_ number: Int) -> NodeInventory {
        var node = NodeInventory(node: NodeName(unchecked: "n\(number)"), collectedAt: GoodNodes.now)
        let networks = ["cluster": "10.0.1", "cluster2": "10.0.2", "migration": "10.0.3"]
        for (index, role) in ["cluster", "cluster2", "migration"].enumerated() {
            let address = "\(networks[role] ?? "").\(number)"
            node.network.adapters.append(adapter("eth\(index)", address + "/24", mac: "52:54:00:00:0\(index):0\(number)"))
            node.network.roles.append(
                AddressRole(role: role, address: address, adapter: "eth\(index)", subnet: "\(networks[role] ?? "").0/24"))
        }
        var bridge = BridgeFacts(name: "br0")
        bridge.ports = ["eth3"]
        bridge.isVLANAware = true
        bridge.vlans = [1, 10, 11, 12]
        bridge.mtu = 1_500
        node.network.bridges = [bridge]
        node.network.filters = []
        return node
    }

    static func facts(breaking break: (inout NodeInventory) -> Void = { _ in }) -> CollectedFacts {
        let one = inventory(1)
        var other = inventory(2)
        `break`(&other)
        return CollectedFacts(subject: ValidationSubject(nodes: [one.node, other.node]), inventories: [one.node: one, other.node: other])
    }
}

@Suite("Judges of networks")
struct NetworkJudgeTests {
    static let judged = NetworkCatalogue.tests.filter { $0.evidence == .facts }

    @Test("Every facts test of the network has a judge") func complete() {
        #expect(Self.judged.allSatisfy { FactJudges.canJudge($0.id) })
    }

    @Test("Well connected nodes get no complaint", arguments: judged)
    func good(test: ValidationTest) throws {
        let outcome = try #require(FactJudges.judge(test, from: ConnectedNodes.facts()))
        let result = TestResult(test, outcome, milliseconds: 0)
        #expect(result.verdict == .pass && outcome.headline == nil, "\(result.complaints.map(\.reason))")
    }

    @Test("Nodes that know nothing of their networks are no pass", arguments: judged)
    func unknown(test: ValidationTest) throws {
        let empty = ConnectedNodes.facts { $0.network = NetworkFacts() }
        let verdict = TestResult(test, try #require(FactJudges.judge(test, from: empty)), milliseconds: 0).verdict
        #expect(verdict == .warning || verdict == .failure)
    }

    static let faults: [Fault] = [
        Fault(NetworkCatalogue.networks, .failure, ["No adapter of n2 bears 10.0.1.2"]) { $0.network.roles[0].adapter = nil },
        Fault(NetworkCatalogue.networks, .failure, ["n2 has no address on the second cluster network", "n1 has one"]) {
            $0.network.roles.remove(at: 1)
        },
        Fault(NetworkCatalogue.networks, .failure, ["eth2 of n2", "no link"]) { $0.network.adapters[2].hasCarrier = false },
        Fault(NetworkCatalogue.sameSubnet, .failure, ["10.0.1.2 of n2 is in 10.0.1.0/25", "10.0.1.0/24"]) {
            $0.network.roles[0].subnet = "10.0.1.0/25"
        },
        Fault(NetworkCatalogue.sameSubnet, .failure, ["10.9.3.2 of n2 is in 10.9.3.0/24"]) {
            $0.network.roles[2].address = "10.9.3.2"
            $0.network.roles[2].subnet = "10.9.3.0/24"
        },
        Fault(NetworkCatalogue.sameSubnet, .warning, ["is on no adapter"]) { $0.network.roles[0].subnet = nil },
        Fault(NetworkCatalogue.redundancy, .warning, ["n2 hears the other nodes by one adapter only, eth0"]) {
            $0.network.roles.remove(at: 1)
        },
        Fault(NetworkCatalogue.redundancy, .warning, ["use eth0"]) { $0.network.roles[1].adapter = "eth0" },
        Fault(NetworkCatalogue.redundancy, .warning, ["use eth0"]) {
            $0.network.adapters[1].kind = "vlan"
            $0.network.adapters[1].lower = "eth0"
        },
        Fault(NetworkCatalogue.redundancy, .warning, ["are in 10.0.1.0/24"]) { $0.network.roles[1].subnet = "10.0.1.0/24" },
        Fault(NetworkCatalogue.redundancy, .warning, ["a bond of which 1 port has a link"]) {
            $0.network.roles.remove(at: 1)
            $0.network.adapters[0].kind = "bond"
            $0.network.adapters[1].upper = "eth0"
            $0.network.adapters[2].upper = "eth0"
            $0.network.adapters[2].hasCarrier = false
        },
        Fault(NetworkCatalogue.redundancy, .pass, ["bonds eth1 and eth2"]) {
            $0.network.roles.remove(at: 1)
            $0.network.adapters[0].kind = "bond"
            $0.network.adapters[1].upper = "eth0"
            $0.network.adapters[2].upper = "eth0"
        },
        Fault(NetworkCatalogue.linkSpeed, .warning, ["eth2 of n2 runs at 100 Mbit/s", "10 Gbit/s"]) {
            $0.network.adapters[2].speedMbitPerSecond = 100
        },
        Fault(NetworkCatalogue.linkSpeed, .warning, ["half duplex"]) { $0.network.adapters[0].isFullDuplex = false },
        Fault(NetworkCatalogue.linkSpeed, .warning, ["eth0 of n2 does not tell its speed"]) {
            $0.network.adapters[0].speedMbitPerSecond = nil
        },
        Fault(NetworkCatalogue.linkSpeed, .pass, ["2.5 Gbit/s"]) { node in
            for index in node.network.adapters.indices { node.network.adapters[index].driver = "virtio_net" }
            node.network.adapters[0].speedMbitPerSecond = .max
            node.network.adapters[1].speedMbitPerSecond = .min
            node.network.roles.removeFirst(2)
            node.network.adapters[2].speedMbitPerSecond = 2_500
            node.network.roles[0].role = "storage"
        },
        Fault(NetworkCatalogue.bridges, .failure, ["n1 has a bridge br0, n2 has none", "n2 has br1 instead"]) {
            $0.network.bridges[0].name = "br1"
        },
        Fault(NetworkCatalogue.bridges, .failure, ["n2 has no bridge"]) { $0.network.bridges[0].name = "docker0" },
        Fault(NetworkCatalogue.bridges, .warning, ["n2 has a bridge br1, n1 has none"]) {
            $0.network.bridges.append(BridgeFacts(name: "br1"))
        },
        Fault(NetworkCatalogue.bridges, .warning, ["VLANs 1, 10 to 12", "VLANs"]) { $0.network.bridges[0].vlans = [1] },
        Fault(NetworkCatalogue.bridges, .warning, ["MTU 9000", "1500"]) { $0.network.bridges[0].mtu = 9_000 },
        Fault(NetworkCatalogue.bridges, .warning, ["br0 of n2 has no adapter as a port", "eth3"]) { $0.network.bridges[0].ports = [] },
    ]

    @Test("A broken network is found, with its words and a cure", arguments: faults)
    func broken(fault: Fault) throws {
        let outcome = try #require(FactJudges.judge(fault.test, from: ConnectedNodes.facts(breaking: fault.apply)))
        let result = TestResult(fault.test, outcome, milliseconds: 0)
        let match = result.findings.first { finding in
            finding.verdict == fault.verdict && fault.words.allSatisfy { finding.reason.contains($0) }
        }
        #expect(match != nil, "\(result.findings.map(\.reason))")
        #expect(match.map { $0.verdict.needsCure == ($0.cure != nil) } == true)
        #expect((outcome.headline != nil) == result.findings.contains { $0.verdict == .failure })
    }

    @Test(
        "Numbers of VLANs in words",
        arguments: [
            ([], "none"), ([3], "3"), ([1, 2, 3, 7], "1 to 3, 7"), ([.max, .min, .min + 1], "\(Int.min) to \(Int.min + 1), \(Int.max)"),
        ])
    func numbers(vlans: [Int], expected: String) { #expect(LinkJudges.list(vlans) == expected) }

    @Test(
        "Bridges of other software are nobody's business",
        arguments: [
            ("docker0", true), ("br-0123456789ab", true), ("virbr0", true), ("cni0", true), ("br0", false), ("br-storage", false),
            ("dockerlan", false),
        ])
    func privateBridges(name: String, expected: Bool) { #expect(LinkJudges.isPrivate(name) == expected) }
}
