import Foundation

extension CorosyncConfiguration {
    static let marker = "# Written by Apus; changes are overwritten. Cluster UUID "

    /// The file. The same value always makes the same text.
    ///
    /// - Throws: ``CorosyncConfigurationError/invalid(_:)``: nothing that Corosync would refuse gets as far as Corosync.
    public func text() throws(CorosyncConfigurationError) -> String {
        let problems = self.problems()
        guard problems.isEmpty else { throw .invalid(problems) }
        var text = Self.marker + clusterID.uuidString.lowercased() + "\n"
        text += Self.section("totem", totemLines)
        text += Self.section("quorum", quorumLines)
        text += Self.section("nodelist", nodes.sorted { $0.id < $1.id }.flatMap { Self.inner("node", nodeLines($0)) })
        text += Self.section(
            "logging",
            ["to_stderr: no", "to_syslog: no", "to_logfile: yes", "logfile: \(logFile)", "timestamp: hires"])
        return text
    }

    private var totemLines: [String] {
        var lines = [
            "version: 2", "cluster_name: \(clusterName)", "config_version: \(version)", "transport: knet", "link_mode: passive",
            "crypto_model: openssl", "crypto_cipher: aes256", "crypto_hash: sha256", "keyfile: \(keyFile)",
            "token: \(timing.token.milliseconds)", "token_coefficient: \(timing.tokenCoefficient.milliseconds)",
        ]
        for link in 0..<linkCount {
            lines += Self.inner(
                "interface",
                [
                    "linknumber: \(link)", "knet_ping_interval: \(timing.pingInterval.milliseconds)",
                    "knet_ping_timeout: \(timing.pingTimeout.milliseconds)",
                ])
        }
        return lines
    }

    private var quorumLines: [String] {
        var lines = ["provider: corosync_votequorum", "expected_votes: \(expectedVotes)"]
        if let witness {
            lines += Self.inner(
                "device",
                [
                    "model: \(Self.deviceModel)", "votes: \(witness.votes)", "timeout: \(witness.timeout.milliseconds)",
                    "sync_timeout: \(witness.syncTimeout.milliseconds)",
                ])
        }
        return lines
    }

    private func nodeLines(_ node: Node) -> [String] {
        ["nodeid: \(node.id)", "name: \(node.name)", "quorum_votes: \(node.votes)"]
            + node.addresses.enumerated().map { "ring\($0.offset)_addr: \($0.element)" }
    }

    private static func section(_ name: String, _ lines: [String]) -> String {
        "\(name) {\n" + lines.map { "    \($0)\n" }.joined() + "}\n"
    }
    private static func inner(_ name: String, _ lines: [String]) -> [String] {
        ["\(name) {"] + lines.map { "    \($0)" } + ["}"]
    }
}

extension Duration {
    /// Whole milliseconds; what is below is dropped, what does not fit is the largest number.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflows, product < .max - 1_000, product > .min + 1_000 else { return seconds < 0 ? .min : .max }
        return product + attoseconds / 1_000_000_000_000_000
    }
}
