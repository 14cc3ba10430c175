import ClusterModel
import Foundation
import Validation

/// How the node is connected, from ip(8), bridge(8) and sysfs.
enum NetworkCollector {
    static func collect(_ reader: inout FactReader, _ tools: ToolAnswers, _ addresses: LocalAddresses) -> NetworkFacts {
        var facts = NetworkFacts()
        var name = [CChar](repeating: 0, count: 256)
        if gethostname(&name, name.count - 1) == 0 { facts.hostName = name.withUnsafeBytes { HardwareCollector.text($0) } }
        switch tools.addresses {
        case .success(let json):
            do { facts.adapters = try NetworkText.adapters(json).map { completed($0, reader) } } catch {
                reader.note("network adapters", "ip says something that is not understood: \(error)")
            }
        case .failure(let problem): reader.note("network adapters", problem.description)
        }
        facts.bridges = bridges(&reader, tools, facts.adapters)
        let roles = [("cluster", addresses.cluster), ("cluster2", addresses.cluster2 ?? ""), ("migration", addresses.migration)]
        facts.roles = roles.filter { !$0.1.isEmpty }.map { role, address in Self.role(role, address, facts.adapters) }
        for transport in ["tcp", "udp"] {
            for suffix in ["", "6"] {
                guard let text = reader.optional("/proc/net/\(transport)\(suffix)") else { continue }
                facts.listeners += NetworkText.listeners(text, transport: transport)
            }
        }
        facts.listeners = Array(Set(facts.listeners.filter { wanted($0) })).sorted {
            ($0.transport, $0.port, $0.address) < ($1.transport, $1.port, $1.address)
        }
        // Tables without a rule filter nothing; a rule is indented by two tabs and is no declaration of a chain.
        if let ruleset = tools.ruleset.text,
            ruleset.split(separator: "\n").contains(where: {
                $0.hasPrefix("\t\t") && !$0.contains("type ") && !$0.contains("policy accept")
            })
        {
            facts.firewalls.append("nftables")
        }
        return facts
    }

    private static func completed(_ adapter: AdapterFacts, _ reader: FactReader) -> AdapterFacts {
        var adapter = adapter
        let folder = "/sys/class/net/\(adapter.name)"
        // -1 and an error both mean that the driver does not know.
        adapter.speedMbitPerSecond = reader.optionalNumber(folder + "/speed").flatMap { $0 > 0 ? $0 : nil }
        adapter.isFullDuplex = reader.optionalLine(folder + "/duplex").flatMap { $0 == "unknown" ? nil : $0 == "full" }
        adapter.driver = reader.linkName(folder + "/device/driver")
        adapter.driverVersion = adapter.driver.flatMap { reader.optionalLine("/sys/module/\($0)/version") }
        adapter.pciAddress = reader.linkName(folder + "/device").flatMap { $0.contains(":") ? $0 : nil }
        if adapter.kind == "physical", adapter.driver == nil { adapter.kind = "virtual" }
        return adapter
    }

    private static func bridges(_ reader: inout FactReader, _ tools: ToolAnswers, _ adapters: [AdapterFacts]) -> [BridgeFacts] {
        var vlans: [String: [Int]] = [:]
        if let json = tools.vlans.text, !json.isEmpty {
            do { vlans = try NetworkText.vlans(json) } catch { reader.note("VLANs of bridges", "bridge says something else: \(error)") }
        }
        return HostFacts.bridges().map { name in
            var facts = BridgeFacts(name: name)
            let folder = "/sys/class/net/\(name)"
            facts.ports = reader.names(in: folder + "/brif").filter { port in adapters.first { $0.name == port }?.kind != "tap" }
            facts.isVLANAware = reader.optionalNumber(folder + "/bridge/vlan_filtering").map { $0 == 1 }
            if facts.isVLANAware == true { facts.vlans = Set(facts.ports.flatMap { vlans[$0] ?? [] }).sorted() }
            facts.mtu = reader.optionalNumber(folder + "/mtu")
            return facts
        }
    }

    private static func role(_ role: String, _ address: String, _ adapters: [AdapterFacts]) -> AddressRole {
        let wanted = IPNetwork(address)?.bytes
        for adapter in adapters {
            for text in adapter.addresses {
                guard let network = IPNetwork(text), let wanted, network.bytes == wanted else { continue }
                return AddressRole(role: role, address: address, adapter: adapter.name, subnet: network.networkText)
            }
        }
        return AddressRole(role: role, address: address, adapter: nil, subnet: nil)
    }

    /// The ports of Corosync, of the API, and of migrations.
    private static func wanted(_ listener: ListenerFacts) -> Bool {
        switch listener.transport {
        case "udp": (5_405...5_412).contains(listener.port)
        default: listener.port == 7_060 || (49_152...49_215).contains(listener.port)
        }
    }
}
