import ClusterModel

extension CollectedFacts {
    /// Disks that could be shared: seen over a storage network by at least two nodes, or by the only node. In the order of their LUNs.
    public var sharedDisks: [ValidatedDisk] {
        var seen: [DiskID: [DiskFacts]] = [:]
        for inventory in answers {
            for disk in inventory.storage.disks where disk.transport != "local" {
                guard let id = disk.id else { continue }
                seen[id, default: []].append(disk)
            }
        }
        let enough = min(2, answers.count)
        let found = seen.filter { _, views in views.count >= enough }.map { id, views in
            let luns = Set(views.compactMap(\.lun))
            return ValidatedDisk(
                id: id, lun: luns.count == 1 ? luns.first : nil, byteCount: views.compactMap(\.byteCount).max() ?? 0,
                model: [views.first?.vendor, views.first?.product].compactMap { $0 }.joined(separator: " "),
                content: views.compactMap(\.content).first?.sentence ?? "not read")
        }
        return found.sorted { ($0.lun ?? .max, $0.id) < ($1.lun ?? .max, $1.id) }
    }

    /// Disks that tests may write to: the operator named them, every node that answered sees them, and nobody uses them.
    public func testableDisks(named: [DiskID]) -> [DiskID] {
        sharedDisks.map(\.id).filter { id in
            named.contains(id)
                && answers.allSatisfy { inventory in
                    inventory.storage.disks.contains { $0.id == id && $0.usedBy == nil }
                }
        }
    }
}

extension DiskContent {
    /// What the disk carries, for people: a few words.
    public var sentence: String {
        switch self {
        case .empty: "empty"
        case .clusterSharedVolume(_, let label): "Cluster Shared Volume \(label)"
        case .foreign(let what): what
        case .damaged(let what): "damaged: \(what)"
        }
    }
}
