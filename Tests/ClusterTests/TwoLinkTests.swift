import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// Two real nodes with two networks between them: one may fail.
@Suite(.serialized, .cluster(nodes: 2, hasWitness: true, links: 2), .enabled(if: geteuid() == 0, "The lab needs root."))
struct TwoLinkTests {
    private static let networks = [LabNetwork.cluster, .cluster2]

    @Test("the file of every node has both links, encrypted, and Corosync uses both")
    func bothLinksConfigured() async throws {
        try await story { stage in
            for node in stage.lab.nodes {
                let shown = try await node.exec(["cat", "/etc/corosync/corosync.conf"])
                let lines = Set(shown.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
                for other in stage.lab.nodes {
                    for (ring, network) in Self.networks.enumerated() {
                        #expect(lines.contains("ring\(ring)_addr: \(try #require(other.address(on: network)))"))
                    }
                }
                #expect(lines.contains("crypto_cipher: aes256") && lines.contains("crypto_hash: sha256"))
                // What Corosync runs with, not only what it was given.
                let running = try await node.exec(["corosync-cmapctl", "-g", "totem.crypto_cipher"])
                #expect(running.output.contains("= aes256"))
            }
            for node in stage.nodes { try await wait(stage, node, broken: []) }
        }
    }

    /// A node may be lost for a moment all the same when Corosync gets no processor for a second: knet gives a link up after 1 s, Corosync a
    /// node after 2.2 s. So each network has some attempts, one of which must cost nothing.
    @Test("one of two links is cut: nothing happens, but every node warns", arguments: Extent.cases(false, true))
    func oneLinkCut(isSilent: Bool) async throws {
        try await story { stage in
            for network in Self.networks {
                var losses: [[String]] = []
                repeat {
                    try await settled(stage, network)
                    let before = try await stage.lastEvent(at: stage.nodes[0])
                    try await stage.node(stage.nodes[1]).cut(network, isSilent: isSilent)
                    for node in stage.nodes { try await wait(stage, node, broken: [network]) }
                    try await stage.wait(open: stage.nodes, "one link is left")
                    // Only what the story's own writer changes.
                    let events = try await stage.client(of: stage.nodes[0]).events(after: before).filter { $0.kind != .quorumChanged }
                    try await stage.node(stage.nodes[1]).restore(network)
                    for node in stage.nodes { try await wait(stage, node, broken: []) }
                    try await stage.wait(open: stage.nodes, "both links are back")
                    losses.append(events.map(\.sentence))
                } while losses.last?.isEmpty == false && losses.count < 4
                #expect(losses.last == [], "with \(network.rawValue) cut something happened each time: \(losses)")
            }
        }
    }

    @Test("both links are cut: one side goes on; with either link back the cluster is whole")
    func bothLinksCut() async throws {
        try await story { stage in
            let holder = try await stage.holder()
            let other = stage.others(holder)[0]
            for (index, first) in Self.networks.enumerated() {
                for network in Self.networks { try await stage.node(other).cut(network) }
                try await stage.decided(open: [holder], closed: [other], "no link is left")
                try await stage.node(other).restore(first)
                try await stage.settle()
                try await stage.node(other).restore(Self.networks[1 - index])
                for node in stage.nodes { try await wait(stage, node, broken: []) }
            }
        }
    }

    /// Waits until a link has been up for so many answers to pings (five a second) that knet gives it up as soon as it ever does: measured
    /// were 2.5 s after 4 s of uptime, and 1.0 s after 8 s.
    private func settled(_ stage: ClusterStage, _ network: LabNetwork) async throws {
        let key = "stats.knet.node2.link\(network == .cluster ? 0 : 1).rx_pong_packets"
        let node = try stage.node(stage.nodes[0])
        var first: Int?
        let end = ContinuousClock.now + .seconds(ClusterStage.patience)
        while ContinuousClock.now < end {
            let shown = try await node.exec(["corosync-cmapctl", "-m", "stats", "-g", key])
            let count = shown.output.split(separator: " ").last.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            if let count, count - (first ?? count) >= 60 { return }
            first = first ?? count
            try await Task.sleep(for: .milliseconds(200))
        }
        Issue.record("\(network.rawValue) does not answer pings: \(key)")
    }

    /// Waits until a node warns of these networks and no others.
    private func wait(_ stage: ClusterStage, _ node: NodeName, broken: [LabNetwork]) async throws {
        let expected = Set(broken.map { $0 == .cluster ? "first" : "second" })
        _ = try await stage.wait(node, until: "\(node) warns of \(expected)") { report in
            let named = report.warnings.compactMap { $0.firstMatch(of: /the (first|second) cluster network does not reach/)?.1 }
            return Set(named.map(String.init)) == expected && Set(report.nodes.filter(\.isPresent).map(\.name)) == Set(stage.nodes)
        }
    }
}

/// Four nodes with two networks: halves that find each other again while Corosync's links are looked after.
///
/// On two cores four Corosyncs that do not sleep leave nothing to anybody, so this is asked for.
@Suite(
    .serialized, .cluster(nodes: 4, hasWitness: true, links: 2), .enabled(if: geteuid() == 0, "The lab needs root."),
    .enabled(if: Extent.isFull, "Needs most of the machine; APUS_CLUSTER=1 asks for it."))
struct FourNodeTwoLinkTests {
    @Test("two join two again, some seconds after the cut: the cluster is whole", arguments: [4, 2, 4, 2])
    func rejoin(seconds: Int) async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let halves = [Array(stage.nodes.prefix(2)), Array(stage.nodes.suffix(2))]
        for network in [LabNetwork.cluster, .cluster2] { try await stage.lab.split(network, into: halves) }
        try await Task.sleep(for: .seconds(seconds))
        for network in [LabNetwork.cluster, .cluster2] { try await stage.lab.join(network) }
        try await stage.settle()
    }
}
