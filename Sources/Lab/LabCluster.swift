import ClusterAPI
import ClusterModel
import NodeClient

/// Makes a cluster of a lab's nodes, by the calls that an administrator's commands make.
extension Lab {
    /// The name of the cluster that ``formCluster(witness:progress:)`` forms.
    public static let clusterName = ClusterName(unchecked: "lab")

    /// Forms a cluster of all nodes; none of them belongs to one. Returns when every node has found quorum.
    ///
    /// - Parameters:
    ///   - witness: ``WitnessChoice/auto`` takes LUN 1 when the number of nodes is even.
    ///   - progress: Told each step, as `apus cluster create` shows it.
    public func formCluster(witness: WitnessChoice = .auto, progress: (String) -> Void = { _ in }) async throws(LabError) {
        guard let first = nodes.first else { return }
        do {
            var tokens: [String] = []
            for node in nodes.dropFirst() {
                tokens.append(try await NodeClient(socketPath: node.apiSocket).makeToken(TokenRequest()).token)
            }
            let client = NodeClient(socketPath: first.apiSocket)
            let change = try await client.createCluster(
                CreateClusterRequest(
                    name: Self.clusterName, nodes: nodes.map(\.name), tokens: tokens, witness: witness, validation: .skipped))
            var shown = 0
            for try await change in try await client.followChange(change.id) {
                for step in change.steps.dropFirst(shown) { progress("cluster: \(step.text)") }
                shown = change.steps.count
                guard let outcome = change.outcome else { continue }
                guard outcome == .done else { throw LabError.refused(change.message ?? "The cluster was not formed.") }
                progress(change.message ?? "")
                return
            }
            throw LabError.refused("The node service of \(first.name) stopped telling about the cluster.")
        } catch let error as LabError { throw error } catch {
            throw .refused("The nodes of lab \(folder.prefix) do not form a cluster: \((error as? APIError)?.message ?? "\(error)")")
        }
    }

    /// Makes a disk of the SAN a Cluster Shared Volume, ready for machines.
    public func makeVolume(lun: Int = 2, label: String = "csv1") async throws(LabError) {
        guard let first = nodes.first else { return }
        do {
            let request = InitializeDiskRequest(disk: try await diskID(lun: lun), label: label)
            _ = try await NodeClient(socketPath: first.apiSocket).initializeDisk(request)
        } catch let error as LabError { throw error } catch {
            throw .refused("LUN \(lun) of lab \(folder.prefix) becomes no volume: \((error as? APIError)?.message ?? "\(error)")")
        }
    }

    /// The identity of a disk of the SAN, as its nodes name it.
    public func diskID(lun: Int) async throws(LabError) -> DiskID {
        guard let first = nodes.first else { throw .refused("Lab \(folder.prefix) has no node.") }
        do {
            let disks = try await NodeClient(socketPath: first.apiSocket).disks()
            guard let disk = disks.first(where: { $0.serial == LabDisk.serial(lun: lun) }) else {
                throw LabError.refused("\(first.name) does not see LUN \(lun) of the SAN. Its log is \(first.serviceLog).")
            }
            return disk.id
        } catch let error as LabError { throw error } catch {
            throw .refused("The disks of lab \(folder.prefix) cannot be listed: \((error as? APIError)?.message ?? "\(error)")")
        }
    }
}
