import ClusterModel
import Foundation
import NIOCore
import NodeService
import Validation

/// How the node is connected, from ip(8), bridge(8) and sysfs.
enum NetworkCollector {
    /// - Parameter portal: Where the SAN is, `10.72.0.254:3260`; nil without one.
    static func collect(
        _ reader: inout FactReader, _ tools: ToolAnswers, _ addresses: LocalAddresses, portal: String?
    ) -> NetworkFacts {
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
        let roles = [
            ("cluster", addresses.cluster), ("cluster2", addresses.cluster2 ?? ""), ("migration", addresses.migration),
            ("storage", portal.flatMap(source) ?? ""),
        ]
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
        // Without nft there may be rules all the same, but none that a service of Debian made.
        if let ruleset = tools.ruleset.text {
            do {
                let filters = try FilterText.chains(ruleset)
                facts.filters = filters
                if filters.contains(where: \.canDrop) {
                    facts.firewalls.append(filters.contains { $0.table == "firewalld" } ? "firewalld" : "nftables")
                }
            } catch { reader.note("packet filters", "nft says something that is not understood: \(error)") }
        }
        // iptables of old keep their tables apart from nftables; each that is in use is named here.
        if let tables = reader.optional("/proc/net/ip_tables_names"), !tables.isEmpty { facts.firewalls.append("iptables") }
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

    /// The address that packets to the SAN leave with. Connecting a UDP socket sends nothing; it only asks the kernel for the route (udp(7)).
    private static func source(to portal: String) -> String? {
        let host = portal.hasPrefix("[") ? portal.dropFirst().prefix { $0 != "]" } : portal.prefix { $0 != ":" }
        guard let target = try? SocketAddress(ipAddress: String(host), port: 3_260) else { return nil }
        let descriptor = socket(target.protocol == .inet6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard target.withSockAddr({ connect(descriptor, $0, socklen_t($1)) }) == 0 else { return nil }
        var own = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let isKnown = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getsockname(descriptor, address, &length) == 0
                    && getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            }
        }
        return isKnown ? text.withUnsafeBytes { HardwareCollector.text($0) } : nil
    }

    /// The ports of Corosync, of the API, and of migrations.
    private static func wanted(_ listener: ListenerFacts) -> Bool {
        switch listener.transport {
        case "udp": (5_405...5_412).contains(listener.port)
        default: listener.port == 7_060 || (49_152...49_215).contains(listener.port)
        }
    }
}
