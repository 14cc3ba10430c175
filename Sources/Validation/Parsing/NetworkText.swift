import Foundation

/// Reads what ip(8), bridge(8) and `/proc/net` say.
public enum NetworkText {
    /// `ip -json -details -statistics address show`.
    ///
    /// - Throws: When it is no such list.
    public static func adapters(_ json: String) throws -> [AdapterFacts] {
        try JSONDecoder().decode([Link].self, from: Data(json.utf8)).filter { $0.ifname != "lo" }.map(\.facts)
    }

    /// `ip -json -6 address show`: addresses that somebody else had first (RFC 4862, 5.4.5).
    public static func duplicates(_ json: String) throws -> [String] {
        try JSONDecoder().decode([Link].self, from: Data(json.utf8)).flatMap { $0.addressList ?? [] }
            .compactMap { $0.hasFailed == true ? $0.local : nil }
    }

    private struct Link: Decodable {
        struct Address: Decodable {
            enum CodingKeys: String, CodingKey {
                case local, prefixlen, scope
                case hasFailed = "dadfailed"
            }
            var hasFailed: Bool?
            var local: String?
            var prefixlen: Int?
            var scope: String?
        }
        struct Info: Decodable {
            var kind: String?
            enum CodingKeys: String, CodingKey { case kind = "info_kind" }
        }
        struct Statistics: Decodable {
            struct Side: Decodable {
                var errors: Int?
                var dropped: Int?
            }
            var rx: Side?
            var tx: Side?
        }
        var ifname: String
        var flags: [String]?
        var mtu: Int?
        var master: String?
        var link: String?
        var address: String?
        var linkType: String?
        var linkinfo: Info?
        var addressList: [Address]?
        var stats64: Statistics?

        enum CodingKeys: String, CodingKey {
            case ifname, flags, mtu, master, link, address, linkinfo, stats64
            case linkType = "link_type"
            case addressList = "addr_info"
        }

        var facts: AdapterFacts {
            var facts = AdapterFacts(name: ifname)
            facts.kind = linkinfo?.kind ?? (linkType == "ether" ? "physical" : linkType)
            if facts.kind == "tun" { facts.kind = "tap" }
            facts.macAddress = address
            facts.addresses = (addressList ?? []).compactMap { address in
                guard let local = address.local, let length = address.prefixlen, (0...128).contains(length) else { return nil }
                return "\(local)/\(length)"
            }
            facts.mtu = mtu
            facts.isUp = flags?.contains("UP")
            facts.hasCarrier = flags?.contains("LOWER_UP")
            facts.upper = master
            // Of a veth it is the other end, which is no adapter below.
            facts.lower = facts.kind == "vlan" || facts.kind == "macvlan" ? link : nil
            facts.receiveErrors = stats64?.rx?.errors
            facts.transmitErrors = stats64?.tx?.errors
            let dropped = [stats64?.rx?.dropped, stats64?.tx?.dropped].compactMap { $0 }
            facts.dropped = dropped.isEmpty ? nil : dropped.reduce(0) { $0.addingReportingOverflow($1).partialValue }
            return facts
        }
    }

    /// `bridge -json vlan show`: VLANs by port, ascending.
    public static func vlans(_ json: String) throws -> [String: [Int]] {
        struct Port: Decodable {
            struct Range: Decodable {
                var vlan: Int
                var vlanEnd: Int?
            }
            var ifname: String
            var vlans: [Range]?
        }
        let ports = try JSONDecoder().decode([Port].self, from: Data(json.utf8))
        return Dictionary(
            ports.map { port in
                let numbers = (port.vlans ?? []).flatMap { range -> [Int] in
                    let end = range.vlanEnd ?? range.vlan
                    // IEEE 802.1Q: 1 to 4094.
                    guard (1...4_094).contains(range.vlan), (range.vlan...4_094).contains(end) else { return [] }
                    return Array(range.vlan...end)
                }
                return (port.ifname, Set(numbers).sorted())
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Sockets that listen, from `/proc/net/tcp`, `tcp6`, `udp` and `udp6` (proc(5)).
    ///
    /// - Parameter transport: `tcp` or `udp`: TCP sockets count in state LISTEN (0A), UDP ones when they are bound and not connected (07).
    public static func listeners(_ text: String, transport: String) -> [ListenerFacts] {
        let state = transport == "tcp" ? "0A" : "07"
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 3, fields[3] == state else { return nil }
            let parts = fields[1].split(separator: ":")
            guard parts.count == 2, let port = UInt16(parts[1], radix: 16), let address = address(parts[0]) else { return nil }
            return ListenerFacts(transport: transport, address: address, port: Int(port), program: nil)
        }
    }

    /// The kernel prints each 32 bits of an address as a number of its own byte order; all our machines are little-endian.
    static func address(_ hex: Substring) -> String? {
        guard hex.utf8.count == 8 || hex.utf8.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var rest = hex
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            rest = rest.dropFirst(8)
        }
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        return IPNetwork(bytes: bytes, length: 128)?.addressText
    }

    /// File shares in `/proc/self/mountinfo` (proc(5)): where, what, from whom, options.
    public static func shares(_ text: String) -> [ShareFacts] {
        text.split(separator: "\n").compactMap { line in
            let halves = line.split(separator: " ", omittingEmptySubsequences: true)
            guard let dash = halves.firstIndex(of: "-"), dash >= 6, halves.count >= dash + 4 else { return nil }
            let kind = String(halves[dash + 1])
            guard shareKinds.contains(kind) else { return nil }
            let options = Set((halves[5] + "," + halves[dash + 3]).split(separator: ",").map(String.init)).sorted()
            return ShareFacts(
                path: unescaped(halves[4]), kind: kind, source: unescaped(halves[dash + 2]), options: options, freeBytes: nil)
        }
    }
    private static let shareKinds: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs", "ocfs2", "gfs2", "9p",
    ]

    /// Spaces and their like are written as `\040`.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let first = rest.first {
            if first == UInt8(ascii: "\\"), rest.count >= 4,
                let value = UInt8(String(decoding: rest.dropFirst().prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
