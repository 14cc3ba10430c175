import ClusterModel
import Foundation
import Testing

@testable import Corosync

/// Three nodes with a witness, of which tests change one thing.
func sample(nodes: Int = 3, links: Int = 1, witness: Bool = true, version: UInt64 = 7) -> CorosyncConfiguration {
    CorosyncConfiguration(
        clusterID: UUID(uuid: (0x8a, 0x1b, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1)), clusterName: "berlin", version: version,
        nodes: (1...nodes).map { number in
            CorosyncConfiguration.Node(
                id: CorosyncNodeID(rawValue: UInt32(number)), name: NodeName(unchecked: "n\(number)"),
                addresses: (1...links).map { "10.98.\($0).\(number)" })
        }, witness: witness ? CorosyncConfiguration.Witness() : nil)
}

struct ConfigurationTests {
    @Test("The file is the measured one, to the letter")
    func text() throws {
        #expect(
            try sample(nodes: 2, links: 2).text() == """
                # Written by Apus; changes are overwritten. Cluster UUID 8a1b0000-0000-4000-8000-000000000001
                totem {
                    version: 2
                    cluster_name: berlin
                    config_version: 7
                    transport: knet
                    link_mode: passive
                    crypto_model: openssl
                    crypto_cipher: aes256
                    crypto_hash: sha256
                    keyfile: /etc/corosync/authkey
                    token: 1000
                    token_coefficient: 100
                    interface {
                        linknumber: 0
                        knet_ping_interval: 200
                        knet_ping_timeout: 800
                    }
                    interface {
                        linknumber: 1
                        knet_ping_interval: 200
                        knet_ping_timeout: 800
                    }
                }
                quorum {
                    provider: corosync_votequorum
                    expected_votes: 3
                    device {
                        model: apus-disk
                        votes: 1
                        timeout: 3000
                        sync_timeout: 5000
                    }
                }
                nodelist {
                    node {
                        nodeid: 1
                        name: n1
                        quorum_votes: 1
                        ring0_addr: 10.98.1.1
                        ring1_addr: 10.98.2.1
                    }
                    node {
                        nodeid: 2
                        name: n2
                        quorum_votes: 1
                        ring0_addr: 10.98.1.2
                        ring1_addr: 10.98.2.2
                    }
                }
                logging {
                    to_stderr: no
                    to_syslog: no
                    to_logfile: yes
                    logfile: /var/log/corosync/corosync.log
                    timestamp: hires
                }

                """)
    }

    @Test("Without a witness there is no device; expected votes are written all the same")
    func noWitness() throws {
        let text = try sample(nodes: 5, witness: false).text()
        #expect(!text.contains("device {"))
        #expect(text.contains("    expected_votes: 5\n"))
        var weighted = sample(nodes: 3)
        weighted.nodes[1].votes = 0
        weighted.witness?.votes = 2
        #expect(try weighted.text().contains("    expected_votes: 4\n"))
    }

    @Test("What was written reads back the same", arguments: [(1, 1, false), (2, 1, true), (16, 2, true), (128, 2, false)])
    func roundTrip(nodes: Int, links: Int, witness: Bool) throws {
        var configuration = sample(nodes: nodes, links: links, witness: witness)
        configuration.timing.token = .milliseconds(1_300)
        configuration.nodes[0].votes = 3
        #expect(try CorosyncConfiguration(parsing: configuration.text()) == configuration)
        #expect(CorosyncConfiguration.isOurs(try configuration.text()))
    }

    @Test("IPv6 addresses read back the same")
    func roundTripIPv6() throws {
        var configuration = sample(nodes: 2)
        for index in 0..<2 { configuration.nodes[index].addresses = ["fd98::\(index + 1)"] }
        #expect(try CorosyncConfiguration(parsing: configuration.text()) == configuration)
    }

    static let faults: [(String, @Sendable (inout CorosyncConfiguration) -> Void)] = [
        ("cluster name \"\"", { $0.clusterName = "" }),
        ("cluster name \"a b\"", { $0.clusterName = "a b" }),
        ("cluster name \"a\n}\"", { $0.clusterName = "a\n}" }),
        ("cluster name \"größe\"", { $0.clusterName = "größe" }),
        ("32 letters", { $0.clusterName = String(repeating: "x", count: 33) }),
        ("version must be 1", { $0.version = 0 }),
        ("1 to 128 nodes, not 0", { $0.nodes = [] }),
        ("1 to 65535", { $0.nodes[0].id = 0 }),
        ("1 to 65535", { $0.nodes[0].id = 65_536 }),
        ("n1 and n2 have the same number 1", { $0.nodes[1].id = 1 }),
        ("2 nodes have the name n1", { $0.nodes[1].name = NodeName(unchecked: "n1") }),
        ("is no node name", { $0.nodes[1].name = NodeName(unchecked: "n1\n}") }),
        ("has 0 addresses", { $0.nodes[1].addresses = [] }),
        ("has 2 addresses", { $0.nodes[1].addresses.append("10.98.2.2") }),
        ("is no IP address", { $0.nodes[1].addresses = ["node2.example"] }),
        ("is no IP address", { $0.nodes[1].addresses = ["10.98.1.2\0x"] }),
        ("is no IP address", { $0.nodes[1].addresses = [" 10.98.1.2"] }),
        ("all IPv4 or all IPv6", { $0.nodes[1].addresses = ["fd98::2"] }),
        ("used by n1 and n2", { $0.nodes[1].addresses = ["10.98.1.1"] }),
        ("others cannot reach it", { $0.nodes[1].addresses = ["127.0.0.2"] }),
        ("no address of a host", { $0.nodes[1].addresses = ["224.0.0.1"] }),
        ("no address of a host", { $0.nodes[1].addresses = ["0.0.0.0"] }),
        ("link-local", { for index in 0..<3 { $0.nodes[index].addresses = ["fe80::\(index + 1)"] } }),
        (
            "used by n1 and n2",
            {
                $0.nodes[0].addresses = ["fd98::1"]
                $0.nodes[1].addresses = ["fd98:0::1"]
            }
        ),
        ("256 votes", { $0.nodes[0].votes = 256 }),
        (
            "Nobody has a vote",
            {
                $0.witness = nil
                for index in 0..<3 { $0.nodes[index].votes = 0 }
            }
        ),
        ("at least two votes together", { $0.nodes.removeLast(2) }),
        ("at least two votes together", { for index in 1..<3 { $0.nodes[index].votes = 0 } }),
        ("witness has 0 votes", { $0.witness?.votes = 0 }),
        ("witness's timeout must", { $0.witness?.timeout = .seconds(-1) }),
        ("changes of membership must", { $0.witness?.syncTimeout = .seconds(Int64.max) }),
        ("token timeout", { $0.timing.token = .milliseconds(100) }),
        ("token's growth", { $0.timing.tokenCoefficient = .seconds(-1) }),
        ("Links are asked", { $0.timing.pingInterval = .zero }),
        ("0.6 s and 60 s", { $0.timing.pingTimeout = .milliseconds(400) }),
        ("twice the interval", { $0.timing.pingInterval = .milliseconds(700) }),
        (
            "With two links",
            {
                $0 = sample(links: 2)
                $0.timing.token = .milliseconds(600)
            }
        ),
        ("absolute path", { $0.keyFile = "authkey" }),
        ("absolute path", { $0.logFile = "/a\n}" }),
    ]

    @Test("What Corosync would refuse, or accept to our harm, is not written", arguments: faults.indices)
    func validation(index: Int) throws {
        let (words, change) = Self.faults[index]
        var configuration = sample()
        change(&configuration)
        let error = try #require(throws: CorosyncConfigurationError.self) { try configuration.text() }
        #expect(error.description.contains(words), "\(error)")
        #expect(sample().problems().isEmpty)
    }

    @Test(
        "A file that was changed by hand is told, with the line",
        arguments: [
            ("    expected_votes: 4\n", "", 22), ("expected_votes: 4", "expected_votes: 9", 22), ("model: apus-disk", "model: net", 24),
            ("logging {", "two_node: 1\nlogging {", 50), ("version: 2", "version: 2\n    secauth: off", 4),
            ("nodeid: 1", "nodeid: 99999999999", 31), ("name: n1", "name: N1", 31), ("quorum {", "quorum", 20),
            ("}\nnodelist", "nodelist", nil), ("token: 1000", "token: -1", 2), ("10.98.1.1", "10.98.1.2", nil),
            ("config_version: 7", "config_version: 0", nil),
        ] as [(String, String, Int?)])
    func damage(from: String, to: String, line: Int?) throws {
        let text = try sample().text()
        let changed = text.replacingOccurrences(of: from, with: to)
        try #require(changed != text)
        let error = try #require(throws: CorosyncConfigurationError.self) { try CorosyncConfiguration(parsing: changed) }
        guard case .damaged(let found, _) = error else {
            Issue.record("\(error)")
            return
        }
        if let line { #expect(found == line) }
    }

    @Test("Foreign files are not ours, Debian's example is known")
    func foreign() throws {
        #expect(throws: CorosyncConfigurationError.notOurs) { try CorosyncConfiguration(parsing: "totem {\n}\n") }
        #expect(throws: CorosyncConfigurationError.notOurs) { try CorosyncConfiguration(parsing: "") }
        let example =
            "# Please read\ntotem {\n\tversion: 2\n\n\t# Needed.\n\tcluster_name: debian\n\n\tcrypto_hash: none\n}\nnodelist {\n\tnode {\n\t\tring0_addr: 127.0.0.1\n\t}\n}\n"
        #expect(CorosyncConfiguration.isPackageExample(example))
        #expect(!CorosyncConfiguration.isPackageExample(example.replacingOccurrences(of: "127.0.0.1", with: "10.0.0.1")))
        #expect(!CorosyncConfiguration.isPackageExample(example.replacingOccurrences(of: "debian", with: "prod")))
        #expect(!CorosyncConfiguration.isPackageExample(try sample().text()))
    }

    @Test("No text makes the parser fail otherwise than with an error: 2,000 damaged files and some made to hurt")
    func hostile() throws {
        let text = Array(try sample(nodes: 3, links: 2).text().utf8)
        var random = SystemRandomNumberGenerator()
        var refused = 0
        for _ in 0..<2_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place = Int.random(in: 60..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 40)], at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 100))
                }
            }
            let damaged = String(decoding: bytes, as: UTF8.self)
            do throws(CorosyncConfigurationError) {
                // Accepted is only what Apus itself would write.
                let configuration = try CorosyncConfiguration(parsing: damaged)
                #expect(try configuration.text() == damaged)
            } catch { refused += 1 }
        }
        #expect(refused > 1_000)
        let first = text.prefix { $0 != 0x0a } + [0x0a]
        for tail in [
            String(repeating: "a {\n", count: 100_000), String(repeating: "}\n", count: 1_000), "a {\n\0: 1\n}\n", ":", "{", "}",
            String(repeating: "x", count: 3 << 20), "\r\n\r\n}\r\n",
        ] {
            let hostile = String(decoding: first, as: UTF8.self) + tail
            #expect(throws: CorosyncConfigurationError.self) { try CorosyncConfiguration(parsing: hostile) }
            #expect(!CorosyncConfiguration.isPackageExample(hostile))
        }
    }
}
