import ClusterAPI
import ClusterModel
import DurableFiles
import Forming
import Foundation
import ISCSI
import Logging
import Membership
import SharedDisks
import Synchronization
import Witness

/// What the engine leaves to the node service: the way to the witness.
///
/// Lists of nodes, certificates and evictions are followed from the state every second (``NodeService/lookAfterMembership()``), and so are
/// machines (``NodeService/keepReconciled()``); whoever orders a change of a machine carries it out itself. Their effects need nothing here.
final class EngineDelegate: MemberDelegate {
    private let node: NodeName
    private let folder: ClusterFolder
    private let logger: Logger
    private struct Known: Sendable {
        var storage: StorageAccess?
        var votes = VoteTable(version: 0, nodes: [:], witness: 0)
    }
    private let known = Mutex(Known())

    init(node: NodeName, folder: ClusterFolder, logger: Logger) {
        self.node = node
        self.folder = folder
        self.logger = logger
    }

    /// The engine is made before the node service that has the way to the SAN.
    func use(_ storage: StorageAccess) { known.withLock { $0.storage = storage } }

    func standingChanged(_ standing: MembershipStanding, _ state: ClusterState) { known.withLock { $0.votes = state.votes } }

    func carryOut(_ effect: ClusterEffect, _ state: ClusterState) async {
        logger.debug("an effect of the configuration", metadata: ["effect": "\(effect)"])
    }

    func openWitness(_ witness: ClusterModel.Witness, cluster: UUID) async throws -> (any WitnessPort)? {
        let (storage, votes) = known.withLock { ($0.storage, $0.votes) }
        guard let storage, let member = try folder.member() else { return nil }
        switch witness {
        case .none: return nil
        case .disk(let id):
            let disk = WitnessDisk(
                node: member.nodeID, cluster: cluster, epoch: try nextEpoch(), votes: votes, lun: try await storage.disk(id).lun,
                connect: try await storage.witnessSessions())
            return DiskWitnessPort(disk, logger: logger)
        case .fileShare(let path):
            let share = WitnessDisk(node: member.nodeID, cluster: cluster, epoch: try nextEpoch(), votes: votes, label: path) {
                try await ShareMedium.open(path, cluster: cluster)
            }
            return DiskWitnessPort(share, logger: logger)
        }
    }

    /// Rises with every opening, so that what an earlier one of this node left at the target is told apart.
    private func nextEpoch() throws -> UInt16 {
        let file = folder.path + "/witness-epoch"
        let last = (try? String(contentsOfFile: file, encoding: .utf8)).flatMap { UInt16($0) } ?? 0
        let next = last &+ 1 == 0 ? 1 : last &+ 1
        try DurableFile.replace(file, with: Array("\(next)".utf8))
        return next
    }
}

extension StorageAccess {
    /// Logs in to the target for the witness alone: another session than the one that serves machines, always under the same identity.
    func witnessSessions() throws -> WitnessDisk.Connect {
        let target = try sanTarget()
        let identity = ISCSISessionIdentity(stableFor: "witness of \(name)")
        return { limit in
            let session = try await ISCSISession.open(target, identity: identity, silenceLimit: .seconds(2), within: limit)
            return WitnessSession(transport: session) { await session.close() }
        }
    }
}
