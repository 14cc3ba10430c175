import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// Three nodes: one that was away comes back, is evicted while it is off, and is told so; a cluster ends although a node is off.
///
/// One story from the first loss to the end of the cluster, so a lab of its own.
@Suite(.serialized, .cluster(nodes: 3, hasWitness: false), .enabled(if: geteuid() == 0, "The lab needs root."))
struct EvictionTests {
    private static let (n1, n2, n3) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"), NodeName(unchecked: "n3"))
    private static let patience = 90.0

    @Test("A node that was off while the votes changed comes back; evicted while it is off it is refused, told why, and may join anew")
    func awayAndEvicted() async throws {
        let lab = try ClusterStage.get().lab
        do { try await tellStory(lab) } catch {
            for node in lab.nodes { print("    \(node.name): \(ends(of: node).joined(separator: "\n        "))") }
            throw error
        }
    }

    /// What the lab says of services that ended, with the lines before: a crash must not pass for a connection that broke.
    private func ends(of node: LabNode) -> [Substring] {
        let lines = ((try? String(contentsOfFile: node.serviceLog, encoding: .utf8)) ?? "").split(separator: "\n")
        return lines.indices.filter { lines[$0].hasPrefix("lab: apusd ended") }.flatMap { lines[max(0, $0 - 10)...$0] }
    }

    private func tellStory(_ lab: Lab) async throws {
        let (first, third) = (try lab.node("n1"), try lab.node("n3"))
        let client = NodeClient(socketPath: first.apiSocket).waiting(.seconds(30))
        // Its Corosync has an old file when it comes back.
        try await third.powerOff()
        try await wait("the votes follow the loss", at: first) { $0.isOpen && $0.votesTotal == 1 }
        try await third.powerOn()
        try await wait("it is back", at: first) { $0.votesTotal == 3 && $0.votesPresent == 3 }

        try await third.powerOff()
        try await wait("it is lost", at: first) { $0.nodes.first { $0.name == Self.n3 }?.state == .down }
        let key = try await key(of: first)
        let refused = await #expect(throws: APIError.self) {
            try await follow(try await client.evictNode(Self.n3, ForceRequest(force: false)), client)
        }
        #expect(refused?.message.contains("--force") == true)
        try await follow(try await client.evictNode(Self.n3, ForceRequest(force: true)), client)
        let left = try await client.clusterStatus()
        #expect(left.isOpen && left.nodes.map(\.name) == [Self.n1, Self.n2])
        // Whoever has the old key is not heard any more.
        try await until("both have another key") {
            let new = [try await self.key(of: first), try await self.key(of: lab.node("n2"))]
            return new[0] != key && new[0] == new[1]
        }

        try await third.powerOn()
        try await third.waitForService(seconds: 90)
        let evicted = NodeClient(socketPath: third.apiSocket).waiting(.seconds(30))
        try await until("it is told") { try await evicted.membership().state == .evicted }
        #expect(try await evicted.membership().note.contains("was evicted from cluster lab"))
        try await follow(
            try await evicted.destroyCluster(DestroyClusterRequest(name: nil, localOnly: true, force: false)), evicted)
        #expect(try await evicted.membership().state == .free)
        try await addInterrupted(evicted, by: lab.node("n2"), lookingAt: first)
        try await wait("it votes again", at: first) { $0.votesTotal == 3 && $0.votesPresent == 3 }

        // The end: one node is off, and is left out only by force.
        try await third.powerOff()
        try await wait("it is lost again", at: first) { $0.isOpen && $0.nodes.first { $0.name == Self.n3 }?.state == .down }
        let name = ClusterName(unchecked: "lab")
        let whole = await #expect(throws: APIError.self) {
            try await follow(
                try await client.destroyCluster(DestroyClusterRequest(name: name, localOnly: false, force: false)), client)
        }
        #expect(whole?.message.contains("Nothing was changed") == true)
        try await follow(try await client.destroyCluster(DestroyClusterRequest(name: name, localOnly: false, force: true)), client)
        for node in [first, try lab.node("n2")] {
            let membership = try await NodeClient(socketPath: node.apiSocket).membership()
            #expect(membership.state == .free)
        }
        try await third.powerOn()
        try await third.waitForService(seconds: 90)
        try await follow(try await evicted.destroyCluster(DestroyClusterRequest(name: nil, localOnly: true, force: true)), evicted)
        #expect(try await evicted.membership().state == .free)
        #expect(ends(of: first).isEmpty, "The service of n1 ended by itself: \(ends(of: first).joined(separator: "\n"))")
        try await createInterrupted(by: first, with: [try lab.node("n2"), third])
    }

    private func key(of node: LabNode) async throws -> String {
        let result = try await node.exec(["sha256sum", "/etc/corosync/authkey"])
        try #require(result.isSuccess, "\(result)")
        return result.output
    }

    /// A node that leaves its cluster starts its service anew, so the telling may break off in between.
    private func follow(_ change: ClusterChange, _ client: NodeClient) async throws {
        let end = ContinuousClock.now + .seconds(Self.patience)
        while true {
            do {
                for try await step in try await client.waiting(.seconds(120)).followChange(change.id) {
                    guard let outcome = step.outcome else { continue }
                    guard outcome == .done else { throw APIError(.failed, step.message ?? "no reason") }
                    return
                }
            } catch let error as APIError where error.code == .unreachable && ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(300))
            }
            try #require(ContinuousClock.now < end, "The node service stopped telling about the change.")
        }
    }

    /// The node that adds another one is killed in the middle: both are as before, and the same order works afterwards.
    private func addInterrupted(_ newcomer: NodeClient, by driver: LabNode, lookingAt witness: LabNode) async throws {
        let client = NodeClient(socketPath: driver.apiSocket).waiting(.seconds(30))
        _ = try await client.addNode(AddNodeRequest(token: try await newcomer.makeToken(TokenRequest()).token))
        // It is in the configuration some seconds before it is told to become a member.
        try await wait("it is in the configuration", at: witness) { $0.nodes.contains { $0.name == Self.n3 } }
        #expect(driver.signal(SIGKILL, processesNamed: "apusd") == 1)
        try await wait("the addition is over", at: witness) { report in
            guard let found = report.nodes.first(where: { $0.name == Self.n3 }) else { return report.isOpen }
            return found.votes == 1
        }
        try await driver.waitForService(seconds: 90)
        // On a slow machine it was told before the kill, and is a member now.
        guard try await newcomer.membership().state == .free else { return }
        let token = try await newcomer.makeToken(TokenRequest()).token
        try await wait("the node that adds takes part again", at: driver) { $0.isOpen && $0.nodes.map(\.name) == [Self.n1, Self.n2] }
        try await follow(try await client.addNode(AddNodeRequest(token: token)), client)
    }

    /// The node that creates a cluster is killed when it has just become a member: all are members soon, or all are free again.
    private func createInterrupted(by creator: LabNode, with others: [LabNode]) async throws {
        var tokens: [String] = []
        for node in others { tokens.append(try await NodeClient(socketPath: node.apiSocket).makeToken(TokenRequest()).token) }
        _ = try await NodeClient(socketPath: creator.apiSocket).createCluster(
            CreateClusterRequest(
                name: ClusterName(unchecked: "again"), nodes: ([creator] + others).map(\.name), tokens: tokens, witness: .none,
                validation: .skipped))
        try await until("the creator is a member", every: .milliseconds(2)) {
            FileManager.default.fileExists(atPath: creator.stateFolder + "/cluster")
        }
        #expect(creator.signal(SIGKILL, processesNamed: "apusd") == 1)
        try await until("all are members, or all are free") {
            var states: Set<Bool> = []
            for node in [creator] + others {
                let client = NodeClient(socketPath: node.apiSocket).waiting(.seconds(3))
                let isMember = try await client.membership().state == .member
                if isMember { guard try await client.clusterStatus().isOpen else { return false } }
                states.insert(isMember)
            }
            return states.count == 1
        }
    }

    private func wait(_ what: String, at node: LabNode, _ isSo: (ClusterStatusReport) -> Bool) async throws {
        let client = NodeClient(socketPath: node.apiSocket).waiting(.seconds(3))
        try await until(what) { isSo(try await client.clusterStatus()) }
    }

    private func until(_ what: String, every interval: Duration = .milliseconds(200), _ isSo: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(Self.patience)
        while ContinuousClock.now < end {
            if (try? await isSo()) == true { return }
            try await Task.sleep(for: interval)
        }
        try #require(Bool(false), "not within \(Self.patience) s: \(what)")
    }
}
