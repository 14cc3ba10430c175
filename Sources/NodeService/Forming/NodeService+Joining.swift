import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import Membership
import NodeClient
import NodeIdentity
import Subprocess

/// The node as it offers itself to a cluster, becomes a member, and a free node again.
extension NodeService: JoiningHost {
    public func offer() async throws(APIError) -> JoinOffer {
        guard let forming else { throw fixedList }
        var disks: [SharedDiskStatus] = []
        var diskProblem: String?
        do { disks = try await self.disks() } catch { diskProblem = error.message }
        return JoinOffer(
            session: Data(), node: node, addresses: forming.settings.addresses.shared, apiPort: configuration.apiPort,
            corosyncVersion: await CorosyncVersion.installed(), now: Date(), facts: try await facts(), disks: disks,
            diskProblem: diskProblem)
    }

    public func becomeMember(_ record: MemberRecord) async throws(APIError) {
        guard let forming else { throw fixedList }
        member = record
        do {
            try forming.shown.showMember(folder: forming.folder.identity, isRenewal: false)
            try peers.follow(cluster: record.cluster.rawValue, nodes: record.nodes, coordinator: record.nodes.first?.name ?? node)
        } catch { throw translate(error, while: "Becoming a member of \(record.cluster)") }
        try await forming.engine.start(record)
        engineRuns = true
        logger.notice("member of a cluster", metadata: ["cluster": "\(record.cluster)"])
    }

    public func memberState() async -> JoinState {
        guard let forming, member != nil else { return JoinState(phase: .failed, note: "\(node) is no member.") }
        return engineRuns ? await forming.engine.state() : JoinState(phase: .starting, note: "Corosync is being started.")
    }

    public func becomeFree() async throws(APIError) {
        guard let forming else { throw fixedList }
        guard member != nil else { return }
        engineRuns = false
        try await forming.engine.stop()
        try await forming.engine.uninstall()
        do {
            let own = NodeAddress(name: node, cluster: configuration.ownAddress.cluster, migration: configuration.ownAddress.migration)
            try peers.follow(cluster: "", nodes: [own], coordinator: node)
            try forming.shown.showFree(try forming.free)
        } catch { throw translate(error, while: "Becoming a free node") }
        logger.notice("no longer a member", metadata: ["cluster": "\(member.map { $0.cluster.rawValue } ?? "")"])
        member = nil
    }

    public func isMember(_ other: NodeAddress, of cluster: UUID, identity: String) async -> Bool {
        guard let client = try? NodeClient(address: other.cluster, port: configuration.apiPort, node: other.name, identity: identity)
        else { return false }
        let membership = try? await client.waiting(Peers.patience).membership()
        await client.close()
        return membership?.state == .member && membership?.clusterID == cluster
    }

    /// Starts the engine of a member, again when that failed, and lets go of joins that nobody goes on with. Until cancelled.
    func keepMembership() async {
        guard let forming else { return }
        await resumeCreation()
        var complaint: String?
        while !Task.isCancelled {
            // While a cluster is being created it is the creation that starts the engine, or nobody does.
            if let member, !engineRuns, !forming.folder.isStopped, forming.folder.eviction() == nil, forming.folder.founding() == nil {
                do throws(APIError) {
                    try await forming.engine.start(member)
                    engineRuns = true
                    complaint = nil
                } catch {
                    if error.message != complaint {
                        logger.error("the cluster cannot be joined; trying again", metadata: ["reason": "\(error)"])
                    }
                    complaint = error.message
                }
            }
            if let member, engineRuns, !forming.folder.isStopped { await forming.engine.reviveCorosync(member) }
            await (try? forming.desk)?.lookAfter()
            await lookAfterMembership()
            // Ends early when the service stops, which the loop's condition sees.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    var fixedList: APIError {
        error(
            .refused,
            "The nodes of \(node) are listed in its node.yaml. To form a cluster with a replicated configuration, leave out cluster: and nodes:, "
                + "give its addresses:, and restart apusd.")
    }

    /// For whatever makes sense only in a cluster.
    func requireCluster() throws(APIError) {
        guard forming != nil, member == nil else { return }
        throw error(
            .refused,
            "\(node) belongs to no cluster. Form one with `apus cluster create NAME --nodes \(node),...`, or take it into one with "
                + "`apus node add` there.")
    }
}

extension NodeService: JoinOperations {
    public func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer { try await desk.prepareJoin(request) }
    public func deliverMembership(_ request: MembershipDelivery) async throws(APIError) { try await desk.deliverMembership(request) }
    public func activateMembership(_ request: JoinOrder) async throws(APIError) { try await desk.activateMembership(request) }
    public func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState { try await desk.joinState(request) }
    public func abortJoin(_ request: JoinOrder) async throws(APIError) { try await desk.abortJoin(request) }

    var desk: JoinDesk {
        get throws(APIError) {
            guard let forming else { throw fixedList }
            return try forming.desk
        }
    }
}

/// Which Corosync is installed.
enum CorosyncVersion {
    /// - Returns: For instance `3.1.7`; nil when there is none.
    static func installed() async -> String? {
        let run = try? await Subprocess.run(
            .name("timeout"), arguments: ["--kill-after=2", "5", "corosync", "-v"], input: .none, output: .string(limit: 4_096),
            error: .discarded)
        // Corosync Cluster Engine, version '3.1.7'
        return run?.standardOutput.split(separator: "'").dropFirst().first.map(String.init)
    }
}
