import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Membership
import NodeClient

/// Shared disks. Volume metadata is written by the coordinator alone; others pass the request on.
extension NodeService {
    public func disks() async throws(APIError) -> [SharedDiskStatus] {
        do { return try await storage.inventory() } catch { throw translate(error, while: "Listing the shared disks") }
    }

    public func initializeDisk(_ request: InitializeDiskRequest) async throws(APIError) -> SharedDiskStatus {
        try requireQuorum(to: "initialise a disk")
        guard peers.isCoordinator else { return try await coordinator().initializeDisk(request) }
        do {
            try await requireUnused(request.disk)
            let status = try await storage.initialize(request.disk, label: request.label, cluster: peers.cluster, force: request.force)
            try await takeIntoUse(status)
            return status
        } catch { throw translate(error, while: "Initialising \(request.disk)") }
    }

    public func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine {
        try requireQuorum(to: "write volume metadata")
        guard peers.isCoordinator else { return try await coordinator().allocate(request) }
        do { return try await storage.allocate(request) } catch {
            throw translate(error, while: "Allocating room for \(request.definition.name)")
        }
    }

    public func release(_ machine: VirtualMachine) async throws(APIError) {
        try requireQuorum(to: "write volume metadata")
        guard peers.isCoordinator else { return try await coordinator().release(machine) }
        do { try await storage.release(machine) } catch { throw translate(error, while: "Releasing the room of \(machine.name)") }
    }

    /// What the configuration says of a disk outweighs `--force`: machines, or the witness, are on it.
    private func requireUnused(_ id: DiskID) async throws(APIError) {
        guard let state = await forming?.engine.view?.state else { return }
        if state.witness.witness == .disk(id: id) {
            throw error(
                .refused,
                "\(id) is the witness of the cluster. Choose another disk, or another witness first: apus cluster quorum set --witness")
        }
        let users = state.machines.values
            .filter { $0.machine.ownershipSlot.disk == id || $0.machine.extents.values.contains { $0.disk == id } }
            .map(\.name.rawValue).sorted()
        guard users.isEmpty else {
            throw error(.refused, "\(id) is used by \(users.joined(separator: ", ")). Delete or move that first.")
        }
    }

    /// The cluster's configuration names the volumes that machines may be on.
    private func takeIntoUse(_ disk: SharedDiskStatus) async throws(APIError) {
        guard let engine = forming?.engine, case .clusterSharedVolume(let id, let label) = disk.content else { return }
        if await engine.view?.state.disks[disk.id] != nil {
            // It carried another volume before.
            try await engine.propose(.removeDisk(disk: disk.id), requestedBy: requester)
        }
        let taken = ClusterDisk(id: disk.id, use: .clusterSharedVolume(id: id, label: label), addedAt: WallTime(Date()))
        try await engine.propose(.addDisk(disk: taken), requestedBy: requester)
    }

    private func coordinator() throws(APIError) -> any OperatorOperations & PeerOperations {
        guard let client = peers.client(of: peers.coordinator) else {
            throw error(.unreachable, "The coordinator \(peers.coordinator) is not among the nodes of this one's configuration.")
        }
        return client
    }

    public func nodes() async throws(APIError) -> [NodeStatus] {
        let replies = await peers.askAll { (peer) async throws(APIError) in try await peer.facts() }
        let ours = try await facts()
        return peers.nodes.map { address in
            let isCoordinator = address.name == peers.coordinator
            if address.name == node {
                return NodeStatus(name: node, address: address.cluster, facts: ours, problem: nil, isCoordinator: isCoordinator)
            }
            switch replies[address.name] {
            case .success(let facts):
                return NodeStatus(name: address.name, address: address.cluster, facts: facts, problem: nil, isCoordinator: isCoordinator)
            case .failure(let error):
                return NodeStatus(
                    name: address.name, address: address.cluster, facts: nil, problem: error.message, isCoordinator: isCoordinator)
            case nil:
                return NodeStatus(
                    name: address.name, address: address.cluster, facts: nil, problem: "It was not asked.", isCoordinator: isCoordinator)
            }
        }
    }
}
