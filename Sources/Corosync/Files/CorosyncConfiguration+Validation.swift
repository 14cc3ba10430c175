import ClusterModel
import Glibc

extension CorosyncConfiguration {
    /// What Corosync would refuse, or accept to our harm; each a sentence. Empty when the configuration is usable.
    public func problems() -> [String] {
        nameProblems + nodeProblems + addressProblems + voteProblems + timingProblems
    }

    private var nameProblems: [String] {
        var problems: [String] = []
        let isName = clusterName.utf8.allSatisfy { byte in
            Character(UnicodeScalar(byte)).isASCIILetterOrDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        // 32 is what DLM, which shares this name on hosts that run it too, can hold.
        if !isName || !(1...32).contains(clusterName.utf8.count) {
            problems.append("The cluster name \"\(clusterName)\" must have 1 to 32 letters, digits, hyphens and underscores.")
        }
        if version == 0 { problems.append("The configuration version must be 1 or more.") }
        for (what, path) in [("key file", keyFile), ("log file", logFile)] {
            // A path ends up behind "key: " on one line.
            if !path.hasPrefix("/") || path.utf8.count > 255
                || path.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f || $0 == 0x7b || $0 == 0x7d })
            {
                problems.append("The \(what) \"\(path)\" must be an absolute path without spaces and braces.")
            }
        }
        return problems
    }

    private var nodeProblems: [String] {
        var problems: [String] = []
        // PROCESSOR_COUNT_MAX of Corosync is 384, but a process group holds 128 processes (CPG_MEMBERS_MAX).
        if !(1...128).contains(nodes.count) { problems.append("A cluster has 1 to 128 nodes, not \(nodes.count).") }
        for node in nodes where !node.id.isUsable {
            problems.append("Node \(node.name) has the number \(node.id); numbers are 1 to 65535.")
        }
        for (id, same) in Dictionary(grouping: nodes, by: \.id).sorted(by: { $0.key < $1.key }) where same.count > 1 {
            problems.append("The nodes \(same.map(\.name.rawValue).sorted().joined(separator: " and ")) have the same number \(id).")
        }
        for (name, same) in Dictionary(grouping: nodes, by: \.name).sorted(by: { $0.key < $1.key }) where same.count > 1 {
            problems.append("\(same.count) nodes have the name \(name).")
        }
        // Decoded names are checked, but one can be made without.
        for node in nodes where (try? NodeName(node.name.rawValue)) == nil {
            problems.append("\"\(node.name)\" is no node name.")
        }
        return problems
    }

    private var addressProblems: [String] {
        var problems: [String] = []
        for node in nodes where !(1...2).contains(node.addresses.count) || node.addresses.count != linkCount {
            problems.append("Node \(node.name) has \(node.addresses.count) addresses; all nodes have one, or all have two.")
        }
        var users: [IPAddress: NodeName] = [:]
        for link in 0..<min(2, linkCount) {
            var families: Set<Int32> = []
            for node in nodes where node.addresses.indices.contains(link) {
                let text = node.addresses[link]
                guard let address = IPAddress(text) else {
                    problems.append(
                        "\"\(text)\" of node \(node.name) is no IP address. Names are not used: they need a name server at boot.")
                    continue
                }
                families.insert(address.family)
                if let reason = address.reasonAgainstUse(nodeCount: nodes.count) {
                    problems.append("The address \(text) of node \(node.name) \(reason).")
                }
                if let other = users.updateValue(node.name, forKey: address) {
                    problems.append(
                        "The address \(text) is used by \(other == node.name ? "\(other) twice" : "\(other) and \(node.name)").")
                }
            }
            if families.count > 1 { problems.append("The addresses of link \(link) must be all IPv4 or all IPv6.") }
        }
        return problems
    }

    private var voteProblems: [String] {
        var problems: [String] = []
        for node in nodes where node.votes > 255 { problems.append("Node \(node.name) has \(node.votes) votes; 0 to 255 make sense.") }
        if let witness {
            if !(1...255).contains(witness.votes) { problems.append("The witness has \(witness.votes) votes; 1 to 255 make sense.") }
            // Measured with 3.1.7: it refuses to start (exit code 20); after a reload it runs on with the device disabled, and every poll
            // is answered with CS_ERR_ACCESS.
            if expectedVotes < UInt64(witness.votes) + 2 {
                problems.append("With a witness the nodes must have at least two votes together; Corosync takes no less.")
            }
            if !(500...300_000).contains(witness.timeout.milliseconds) {
                problems.append("The witness's timeout must be between 0.5 s and 300 s.")
            }
            if !(500...300_000).contains(witness.syncTimeout.milliseconds) {
                problems.append("The witness's timeout at changes of membership must be between 0.5 s and 300 s.")
            }
        }
        if expectedVotes == 0 { problems.append("Nobody has a vote.") }
        return problems
    }

    private var timingProblems: [String] {
        var problems: [String] = []
        // Corosync refuses less than 30 ms between retransmissions, which is a token of about 130 ms.
        if !(200...60_000).contains(timing.token.milliseconds) { problems.append("The token timeout must be between 0.2 s and 60 s.") }
        if !(0...5_000).contains(timing.tokenCoefficient.milliseconds) {
            problems.append("The token's growth with each node must be between 0 and 5 s.")
        }
        if !(50...10_000).contains(timing.pingInterval.milliseconds) { problems.append("Links are asked every 0.05 to 10 s.") }
        if timing.pingTimeout.milliseconds < 600 || timing.pingTimeout.milliseconds > 60_000 {
            problems.append("The links' ping timeout must be between 0.6 s and 60 s: knet looks every 0.2 s, and with less links flap.")
        } else if timing.pingTimeout < timing.pingInterval * 2 {
            problems.append("The links' ping timeout must be at least twice the interval.")
        } else if linkCount > 1, timing.pingTimeout >= timing.token {
            // Measured with a token of 0.3 s and a ping timeout of 0.8 s: the node was lost before knet changed to the other link.
            problems.append("With two links their ping timeout must be below the token timeout, or one lost link costs the membership.")
        }
        return problems
    }
}

extension Character {
    fileprivate var isASCIILetterOrDigit: Bool { isASCII && (isLetter || isNumber) }
}

/// An address as the kernel reads it, so that two spellings of one are equal.
struct IPAddress: Hashable {
    var family: Int32
    var bytes: [UInt8]

    init?(_ text: String) {
        // A zero would end the text for C and let anything follow.
        guard text.utf8.count < 64, !text.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 {
                self.family = family
                self.bytes = bytes
                return
            }
        }
        return nil
    }

    func reasonAgainstUse(nodeCount: Int) -> String? {
        let isAny = bytes.allSatisfy { $0 == 0 }
        if family == AF_INET {
            if bytes[0] == 0 || bytes[0] >= 224 { return "is no address of a host" }
            return bytes[0] == 127 && nodeCount > 1 ? "is the host's own; others cannot reach it" : nil
        }
        if isAny || bytes[0] == 0xff { return "is no address of a host" }
        if bytes[0] == 0xfe, bytes[1] & 0xc0 == 0x80 { return "is link-local; it means nothing without an interface" }
        if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xff, bytes[11] == 0xff { return "is an IPv4 address in IPv6 form" }
        return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 && nodeCount > 1
            ? "is the host's own; others cannot reach it" : nil
    }
}
