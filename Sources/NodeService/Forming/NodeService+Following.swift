import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import Membership
import NodeClient
import NodeIdentity
import QEMU

/// The node follows what the cluster's configuration says about its members.
extension NodeService {
    /// Called every second.
    func lookAfterMembership() async {
        guard let forming, let member, engineRuns else { return }
        guard await forming.engine.state().phase == .open, let state = await forming.engine.configuration() else {
            await askTheOthers(member)
            return
        }
        follow(state)
        await endForgottenReplacement(state)
        await abandonForgottenAddition(state)
        await renewCertificate(state)
    }

    /// The list of nodes, who of them coordinates, and whose certificates are refused.
    func follow(_ state: ClusterState) {
        guard let forming, var record = member, let identity = state.identity, identity.id == record.clusterID else { return }
        let nodes = state.nodes.values.sorted { $0.id < $1.id }
        let coordinator = state.coordinator.flatMap { state.nodes[$0]?.name } ?? peers.coordinator
        let addresses = nodes.map(\.address)
        do {
            if addresses != peers.nodes || coordinator != peers.coordinator {
                try peers.follow(cluster: identity.name.rawValue, nodes: addresses, coordinator: coordinator)
            }
            if record.nodes != addresses {
                record.nodes = addresses
                try forming.folder.keep(record)
                member = record
            }
        } catch { logger.error("the list of nodes cannot be followed", metadata: ["reason": "\(error)"]) }
        forming.refuse(Self.revoked(state))
    }

    /// By serial, what its holder is told.
    static func revoked(_ state: ClusterState) -> [String: String] {
        var revoked: [String: String] = [:]
        for certificate in state.certificates.values where certificate.revokedAt != nil {
            let evicted = certificate.node.flatMap { state.evicted[$0] }
            let cluster = state.identity?.name.rawValue ?? ""
            revoked[certificate.facts.serial] =
                evicted.map {
                    "\($0.name) was evicted from cluster \(cluster) on \($0.evictedAt.date.formatted(.iso8601)). \($0.reason)"
                } ?? "This certificate of \(certificate.subject) was revoked in cluster \(cluster). Use its newest one."
        }
        return revoked
    }

    /// A node that was evicted while it was away, or whose files of Corosync are old, finds no majority. The others know why.
    private func askTheOthers(_ member: MemberRecord) async {
        guard let forming, ContinuousClock.now >= nextEvictionQuestion else { return }
        nextEvictionQuestion = .now + .seconds(3)
        let replies = await peers.askAll { (peer) async throws(APIError) in _ = try await peer.membership() }
        for reply in replies.values {
            guard case .failure(let error) = reply, error.code == .evicted else { continue }
            logger.warning("evicted from the cluster", metadata: ["reason": "\(error.message)"])
            do {
                // First what must outlive a crash: it must not come back by itself.
                try forming.folder.keep(Eviction(learnedAt: Date(), message: error.message))
                engineRuns = false
                try await forming.engine.stop()
            } catch { logger.error("an evicted node cannot be stopped", metadata: ["reason": "\(error)"]) }
            return
        }
        await fetchCorosyncFiles(member)
    }

    /// A new certificate when a third of the life of the present one is left.
    ///
    /// Every node has the authority's keys, in the configuration, so it issues its own; the others learn of it by the log.
    private func renewCertificate(_ state: ClusterState) async {
        guard let forming, let member, ContinuousClock.now >= nextRenewal, let authority = state.authority else { return }
        nextRenewal = .now + .seconds(60)
        do {
            let now = Date()
            let folder = forming.folder.identity
            let identity = try NodeIdentity.load(from: folder, node: node.rawValue, now: now)
            guard identity.isDueForRenewal(now: now) else { return }
            let issued = try CertificateAuthority(try authority.files(), now: now).issueNodeCertificate(
                node: node.rawValue, addresses: forming.settings.addresses.shared.all, now: now)
            try await forming.engine.propose(
                .recordCertificate(
                    certificate: IssuedCertificate(
                        facts: try issued.api.facts, subject: node.rawValue, node: member.nodeID, issuedAt: WallTime(now))),
                requestedBy: nil)
            try issued.writeReplaceable(to: folder, machineGroup: host.machineUser.groupID)
            try forming.shown.showMember(folder: folder, isRenewal: true)
            try peers.renew()
            logger.notice("the node's certificates were renewed", metadata: ["until": "\(issued.api.expires)"])
        } catch { logger.error("the node's certificates cannot be renewed; trying again", metadata: ["reason": "\(error)"]) }
    }
}
