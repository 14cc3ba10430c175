import ClusterModel
import Foundation

/// The lab's networks: a bridge for each in the switches' namespace, and a pair of virtual interfaces for each plug.
struct Networks: Sendable {
    let switches: Keeper
    /// Those that the lab has.
    let all: [LabNetwork]

    /// The plug of a member in a switch, for instance `n1-cluster`.
    static func port(_ member: Member, _ network: LabNetwork) -> String { "\(member.name)-\(network.rawValue)" }

    /// Networks a member is plugged into.
    private func networks(of member: Member) -> [LabNetwork] {
        switch member {
        case .node: all
        case .san: [.storage]
        case .client: [.machine]
        case .switches: []
        }
    }

    func makeSwitches() async throws(LabError) {
        // Multicast snooping off: without a querier on the network it floods anyway, but only after a delay.
        try await batch(
            all.flatMap { network in
                ["link add \(network.rawValue) type bridge mcast_snooping 0", "link set \(network.rawValue) up"]
            })
    }

    /// Plugs a member into its networks and gives it its addresses.
    ///
    /// - Parameter parts: The part of each network that it belongs to, where that is not the first.
    func connect(
        _ keeper: Keeper, number: Int?, limit: BitRate?, parts: [LabNetwork: Int] = [:]
    ) async throws(LabError) {
        let member = keeper.member
        let process = try keeper.process()
        let networks = self.networks(of: member)
        try await batch(
            networks.flatMap { network in
                let port = Self.port(member, network)
                return [
                    "link add \(port) type veth peer name \(network.interface) netns \(process)",
                    "link set \(port) master \(Self.bridge(network, part: parts[network] ?? 0)) up",
                ]
            })
        // `machine0` is up before `br0` has it, so that the bridge port forwards at once.
        var lines = ["link set lo up"] + networks.map { "link set \($0.interface) up" }
        switch member {
        case .node:
            lines += ["link add br0 type bridge", "link set machine0 master br0", "link set br0 up"]
            for network in networks {
                guard let number, let address = network.address(ofNode: number) else { continue }
                lines.append("addr add \(address)/24 dev \(network.interface)")
            }
        case .san: lines.append("addr add \(LabNetwork.sanAddress)/24 dev storage0")
        case .client:
            lines += [
                "addr add \(LabNetwork.clientAddress)/16 dev machine0",
                // Duplicate address detection would keep the address silent for a second.
                "addr add \(LabNetwork.clientAddress6)/64 dev machine0 nodad",
            ]
        case .switches: break
        }
        try await keeper.check(Self.batchWords(lines))
        if case .node = member { try await self.limit(keeper, to: limit) }
        try await waitForLinks(keeper, networks)
    }

    /// The switch of the part of a network; the first part keeps the network's own.
    private static func bridge(_ network: LabNetwork, part: Int) -> String { part == 0 ? network.rawValue : "\(network.rawValue)-\(part)" }

    /// Moves plugs to switches of their own, one for each part. Nodes that are off are plugged in there when they boot.
    ///
    /// - Parameter members: The nodes that run; the others have no plug.
    func split(_ network: LabNetwork, into parts: [[NodeName]], running members: Set<NodeName>) async throws(LabError) {
        try check(network)
        for (part, nodes) in parts.enumerated() {
            let bridge = Self.bridge(network, part: part)
            let known = try await Command.run(try switches.entering(["ip", "link", "show", bridge])).isSuccess
            var lines = known ? [] : ["link add \(bridge) type bridge mcast_snooping 0", "link set \(bridge) up"]
            // Out of the switch before into another one: `ip` moves a port at once, and says nothing when it is there already.
            lines += nodes.filter(members.contains).map { "link set \(Self.port(.node($0), network)) master \(bridge)" }
            try await batch(lines)
        }
    }

    /// Takes a member's plugs away, which takes its interfaces away.
    func disconnect(_ member: Member) async throws(LabError) {
        for network in networks(of: member) {
            let port = Self.port(member, network)
            let result = try await Command.run(try switches.entering(["ip", "link", "del", port]))
            // Gone already with the namespace of the other end: that is what was wanted.
            guard result.isSuccess || result.errors.contains("Cannot find device") else {
                throw .command(words: ["ip", "link", "del", port], output: result.errors)
            }
        }
    }

    /// Limits what a node sends on the migration network. Both directions are limited when all nodes are.
    func limit(_ node: Keeper, to limit: BitRate?) async throws(LabError) {
        guard let limit else {
            let result = try await Command.run(try node.entering(["tc", "qdisc", "del", "dev", "migration0", "root"]))
            guard result.isSuccess || result.errors.contains("handle of zero") || result.errors.contains("No such file") else {
                throw .command(words: ["tc", "qdisc", "del"], output: result.errors)
            }
            return
        }
        // A packet larger than the bucket is cut up in the kernel, which costs more than the limit itself; veth passes on packets of
        // up to 64 KiB. Two milliseconds of the rate keep the bucket from running dry between two ticks (tc-tbf(8)).
        let burst = max(256 << 10, limit.bitsPerSecond / 8 / 500)
        let bucket = ["rate", "\(limit.bitsPerSecond)bit", "burst", "\(burst)", "latency", "50ms"]
        try await node.check(["tc", "qdisc", "replace", "dev", "migration0", "root", "tbf"] + bucket)
    }

    private func check(_ network: LabNetwork) throws(LabError) {
        guard all.contains(network) else {
            throw .refused("This lab has no network \(network.rawValue); a lab with it is built with `apus lab up --links 2`.")
        }
    }

    /// Pulls a plug. Silent: the interface still believes in its link, but nothing passes, as with a dead switch behind a live port.
    func cut(_ member: Member, _ network: LabNetwork, isSilent: Bool) async throws(LabError) {
        try check(network)
        let port = Self.port(member, network)
        if isSilent {
            try await switches.check(["bridge", "link", "set", "dev", port, "state", "0"])
        } else {
            try await switches.check(["ip", "link", "set", port, "down"])
        }
    }

    /// Puts a plug back; returns when frames pass again.
    func restore(_ keeper: Keeper, _ network: LabNetwork) async throws(LabError) {
        try check(network)
        let port = Self.port(keeper.member, network)
        try await switches.check(["ip", "link", "set", port, "up"])
        // The kernel's link watch tells a bridge that a port has a link again, up to a second after it has. Until then the port has no
        // state that could be set.
        try await waitForLinks(keeper, [network], isForwarding: false)
        try await switches.check(["bridge", "link", "set", "dev", port, "state", "3"])
        try await waitForLinks(keeper, [network])
    }

    /// Waits until plugs have a link at both ends, and pass frames on.
    private func waitForLinks(_ keeper: Keeper, _ networks: [LabNetwork], isForwarding: Bool = true) async throws(LabError) {
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let ready = Set(try await links(of: switches).filter { $0.isUp && ($0.forwards || !isForwarding) }.map(\.ifname))
            // An interface that somebody set down inside is meant to be down.
            let waiting = Set(
                try await links(of: keeper).filter { $0.flags.contains("UP") && !($0.isUp && ($0.forwards || !isForwarding)) }.map(\.ifname)
            )
            let missing = networks.filter { !ready.contains(Self.port(keeper.member, $0)) || waiting.contains($0.interface) }
            if missing.isEmpty { return }
            guard ContinuousClock.now < end else {
                let names = missing.map(\.rawValue).joined(separator: ", ")
                throw .timeout("\(keeper.member.name) has no link after 10 s in: \(names). Is the interface at its other end up?")
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw .refused("Waiting for a link was cancelled.") }
        }
    }

    /// The ports that are cut, for instance `n1-storage`.
    func cutPorts() async throws(LabError) -> Set<String> {
        let links = try await links(of: switches)
        return Set(links.filter { !$0.flags.contains("UP") || $0.linkinfo?.port?.state == "disabled" }.map(\.ifname))
    }

    /// The ends of plugs in a member.
    private func links(of keeper: Keeper) async throws(LabError) -> [Link] {
        let output = try await keeper.check(["ip", "-json", "-details", "link", "show", "type", "veth"])
        do { return try JSONDecoder().decode([Link].self, from: Data(output.utf8)) } catch {
            throw .command(words: ["ip", "-json", "link"], output: "its answer is not understood: \(error)")
        }
    }

    /// What `ip -json -details link` says; its names.
    private struct Link: Decodable {
        var ifname: String
        var flags: [String]
        /// RFC 2863: `UP` once the kernel has acted on the link, which is later than the carrier's own flag.
        var operstate: String?
        var linkinfo: Info?
        var isUp: Bool { operstate == "UP" }
        /// True also of an interface that is no port of a bridge.
        var forwards: Bool { linkinfo?.port?.state.map { $0 == "forwarding" } ?? true }
        struct Info: Decodable {
            var port: Port?
            enum CodingKeys: String, CodingKey { case port = "info_slave_data" }
        }
        struct Port: Decodable { var state: String? }
    }

    private func batch(_ lines: [String]) async throws(LabError) { try await switches.check(Self.batchWords(lines)) }

    /// One `ip` for many changes: starting it costs more than what it does.
    private static func batchWords(_ lines: [String]) -> [String] {
        ["sh", "-c", #"printf '%s\n' "$@" | ip -batch -"#, "sh"] + lines
    }
}
