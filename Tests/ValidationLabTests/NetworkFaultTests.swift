import ClusterModel
import Lab
import Testing
import Validation

extension ValidationLab {
    /// Each test breaks one thing and expects that finding, with its cure, and no failure of another kind.
    @Suite("Faults of the network")
    struct NetworkFaults {
        private static let (n1, n2) = (ValidationStage.n1, ValidationStage.n2)
        /// Those of the category that load the network neither long nor so that a busy machine changes their result.
        private static let quiet = [
            "networks", "same-subnet", "link-speed", "bridges", "duplicate-addresses", "names", "udp", "tcp", "firewall", "mtu",
        ]
        .map { "network/" + $0 }

        /// - Returns: The run, after making sure that of the quiet tests only these failed.
        @discardableResult
        private func validate(failing expected: Set<String>) async throws -> ValidationRun {
            let run = try await ValidationStage.get().run(Self.quiet)
            let failed = Set(run.results.filter { $0.verdict == .failure }.map(\.id.description))
            #expect(failed == expected, "\(run.results.flatMap(\.complaints).map(\.reason))")
            return run
        }

        @Test("Nothing broken: every test of the network passes, and that there is one network is told") func healthy() async throws {
            let run = try await ValidationStage.get().run(["network"])
            #expect(run.results.count == NetworkCatalogue.tests.count)
            let failed = run.results.filter { $0.verdict == .failure }
            #expect(failed.isEmpty, "\(failed.flatMap(\.complaints).map(\.reason))")
            #expect(try run.findings("network/redundancy", .warning).map(\.subject) == [.node(Self.n1), .node(Self.n2)])
            // Every direction was measured.
            let measured = try run.result("network/throughput").findings.filter { !$0.figures.isEmpty }.map(\.subject.node)
            #expect(measured == [Self.n1, Self.n2])
        }

        @Test("A port that a filter blocks one way is named with its chain, and the cure opens it") func blockedPort() async throws {
            let node = try ValidationStage.get().node(Self.n2)
            try await ValidationStage.get().breaking {
                try await node.script(
                    """
                    nft add table inet guard
                    nft add chain inet guard inbound '{ type filter hook input priority 0 ; policy accept ; }'
                    nft add rule inet guard inbound ip saddr 10.71.0.1 udp dport 5405 drop
                    """)
            } mending: {
                _ = try await node.exec(["nft", "delete", "table", "inet", "guard"])
            } _: {
                let run = try await validate(failing: ["network/udp", "network/firewall"])
                let udp = try run.findings("network/udp", .failure)
                #expect(udp.map(\.subject.node) == [Self.n1] && udp.map(\.subject.peer) == [Self.n2])
                #expect(udp.first?.reason.contains("does not reach port 5405 of n2") == true)
                let firewall = try #require(try run.findings("network/firewall", .failure).first)
                #expect(firewall.reason.contains("UDP port 5405 of n2 does not hear n1"))
                #expect(firewall.reason.contains("chain inbound of table inet guard has 1 rule that drops"))
                let cure = try #require(firewall.cure?.firstMatch(of: /On n2: (nft insert rule [^;]*);/))
                try await node.script(String(cure.1).replacing("{", with: "'{").replacing("}", with: "}'"))
                try await validate(failing: [])
            }
        }

        @Test("What a node itself does not send is told with what its system says") func prohibited() async throws {
            let node = try ValidationStage.get().node(Self.n1)
            let rule = ["to", "10.71.0.2", "ipproto", "udp", "prohibit"]
            try await ValidationStage.get().breaking {
                try await node.script("ip rule add priority 5 \(rule.joined(separator: " "))")
            } mending: {
                _ = try await node.exec(["ip", "rule", "del", "priority", "5"])
            } _: {
                let run = try await ValidationStage.get().run(["network/udp", "network/tcp"])
                #expect(try run.result("network/tcp").verdict == .pass)
                let findings = try run.findings("network/udp", .failure)
                #expect(findings.count == 2)
                #expect(findings.contains { $0.subject.node == Self.n1 && $0.reason.contains("Permission denied") })
                #expect(findings.contains { $0.subject.node == Self.n2 && $0.reason.contains("something drops UDP from n1 to n2") })
            }
        }

        @Test("A smaller MTU on one node is found by packets that do not pass") func packetSize() async throws {
            let node = try ValidationStage.get().node(Self.n2)
            try await ValidationStage.get().breaking {
                try await node.script("ip link set migration0 mtu 1400")
            } mending: {
                try await node.script("ip link set migration0 mtu 1500")
            } _: {
                let run = try await validate(failing: ["network/mtu"])
                let finding = try #require(try run.findings("network/mtu", .failure).first)
                #expect(finding.subject.node == Self.n1 && finding.subject.peer == Self.n2)
                #expect(finding.reason.contains("Packets of 1500 bytes") && finding.reason.contains("migration0 of n2 has MTU 1400"))
                #expect(finding.cure?.contains("ip link set migration0 mtu 1500 on n2") == true)
            }
        }

        @Test("An address that somebody else has too is found with the other's hardware address") func duplicate() async throws {
            let stage = try ValidationStage.get()
            try await stage.breaking {
                try await stage.lab.switches.script("ip address add 10.73.0.2/24 dev migration")
            } mending: {
                _ = try await stage.lab.switches.exec(["ip", "address", "del", "10.73.0.2/24", "dev", "migration"])
            } _: {
                let intruder = try await stage.lab.switches.exec(["cat", "/sys/class/net/migration/address"]).output
                let mac = intruder.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? "?"
                let run = try await stage.run(["network/duplicate-addresses"])
                let findings = try run.findings("network/duplicate-addresses", .failure)
                #expect(findings.map(\.subject) == [.node(Self.n2, item: "10.73.0.2")])
                #expect(findings.first?.reason.contains(mac) == true && findings.first?.cure?.contains(mac) == true)
                #expect(try run.result("network/duplicate-addresses").headline == "10.73.0.2 of n2 is used twice")
            }
        }

        @Test("A prefix of another length is found, with the command that corrects it") func prefix() async throws {
            let node = try ValidationStage.get().node(Self.n2)
            try await ValidationStage.get().breaking {
                try await node.script("ip address del 10.73.0.2/24 dev migration0; ip address add 10.73.0.2/25 dev migration0")
            } mending: {
                try await node.script("ip address del 10.73.0.2/25 dev migration0; ip address add 10.73.0.2/24 dev migration0")
            } _: {
                let run = try await validate(failing: ["network/same-subnet"])
                let finding = try #require(try run.findings("network/same-subnet", .failure).first)
                #expect(finding.subject.node == Self.n2 && finding.reason.contains("10.73.0.0/25"))
                #expect(finding.cure?.contains("ip address replace 10.73.0.2/24 dev migration0") == true)
            }
        }

        @Test("Nodes whose bridges have different names have none in common") func bridges() async throws {
            let node = try ValidationStage.get().node(Self.n2)
            try await ValidationStage.get().breaking {
                try await node.script("ip link set br0 down; ip link set br0 name br9; ip link set br9 up")
            } mending: {
                try await node.script("ip link set br9 down; ip link set br9 name br0; ip link set br0 up")
            } _: {
                let run = try await validate(failing: ["network/bridges"])
                #expect(try run.result("network/bridges").headline == "n1 and n2 have no bridge in common")
                let finding = try #require(
                    try run.findings("network/bridges", .failure).first { $0.subject == .node(Self.n2, item: "br0") })
                #expect(finding.reason.contains("n2 has br9 instead"))
                #expect(finding.cure?.contains("ip link set br9 name br0") == true)
            }
        }

        @Test("A name that leads elsewhere is found") func names() async throws {
            let node = try ValidationStage.get().node(Self.n2)
            try await ValidationStage.get().breaking {
                try await node.script("sed s/10.71.0.1/10.71.0.77/ /etc/hosts >/run/hosts; mount --bind /run/hosts /etc/hosts")
            } mending: {
                try await node.script("umount /etc/hosts; rm /run/hosts")
                // The name server of the resolver keeps nothing: the file is read each time.
                #expect(try await node.exec(["getent", "hosts", "10.71.0.1"]).output.contains("n1"))
            } _: {
                let run = try await validate(failing: [])
                let finding = try #require(try run.findings("network/names", .warning).first)
                #expect(finding.subject == .pair(Self.n2, Self.n1) && finding.reason.contains("10.71.0.77"))
                #expect(finding.cure?.contains("its address is 10.71.0.1") == true)
            }
        }

        @Test("A switch that does not learn where an address went is found") func stubbornSwitch() async throws {
            let stage = try ValidationStage.get()
            try await stage.breaking {
                try await stage.lab.switches.script("bridge link set dev n2-machine learning off")
            } mending: {
                try await stage.lab.switches.script("bridge link set dev n2-machine learning on")
            } _: {
                let run = try await stage.run(["network/gratuitous-arp"])
                let findings = try run.findings("network/gratuitous-arp", .failure)
                #expect(findings.map(\.subject) == [.pair(Self.n1, Self.n2, network: "br0")])
                #expect(findings.first?.reason.contains("the switch still sends them to where it was") == true)
                #expect(findings.first?.cure?.contains("port of n2") == true)
            }
        }

        @Test("A slow migration network is found") func slowLink() async throws {
            let stage = try ValidationStage.get()
            try await stage.breaking {
                try await stage.lab.limit(to: BitRate("40Mbit"))
            } mending: {
                try await stage.lab.limit(to: nil)
            } _: {
                let run = try await stage.run(["network/throughput"])
                let findings = try run.findings("network/throughput", .warning)
                #expect(findings.count == 2, "\(run.results.flatMap(\.findings).map(\.reason))")
                #expect(findings.allSatisfy { $0.reason.contains("Mbit/s: moving a machine takes minutes") && $0.cure != nil })
            }
        }
    }
}
