import ClusterModel

extension CollectedFacts {
    /// Disks that could be shared: seen over a storage network by at least two nodes, or by the only node. In the order of their LUNs.
    public var sharedDisks: [ValidatedDisk] {
        let enough = min(2, answers.count)
        return networkDisks.filter { Set($0.views.map(\.node)).count >= enough }.map(\.disk)
    }

    /// A disk that is reached over a storage network, as the nodes see it that see it.
    struct NetworkDisk {
        var disk: ValidatedDisk
        /// In the order of the nodes; a node that reaches it by several paths, or sees it under two numbers, is there several times.
        var views: [(node: NodeName, facts: DiskFacts)]
        /// `LUN 4`; the identity when the nodes number it differently.
        var name: String { disk.lun.map { "LUN \($0)" } ?? "disk \(disk.id)" }
        /// The numbers under which a node sees it; two paths to one disk have one.
        func numbers(on node: NodeName) -> [Int] { Set(views.filter { $0.node == node }.compactMap(\.facts.lun)).sorted() }
        /// What all nodes say that it carries; nil when they differ or none could read it.
        var content: DiskContent? {
            let all = Set(views.compactMap(\.facts.content))
            return all.count == 1 ? all.first : nil
        }
        /// Who uses it where: a clause.
        var use: String? {
            views.first { $0.facts.usedBy != nil }.map { "\($0.facts.usedBy ?? "") on \($0.node)" }
        }
    }

    /// Every disk that at least one node reaches over a storage network, in the order of their LUNs.
    var networkDisks: [NetworkDisk] {
        var seen: [DiskID: [(node: NodeName, facts: DiskFacts)]] = [:]
        for inventory in answers {
            for disk in inventory.storage.disks where disk.transport != "local" {
                guard let id = disk.id else { continue }
                seen[id, default: []].append((inventory.node, disk))
            }
        }
        let found = seen.map { id, views in
            let luns = Set(views.compactMap(\.facts.lun))
            let first = views.first?.facts
            return NetworkDisk(
                disk: ValidatedDisk(
                    id: id, lun: luns.count == 1 ? luns.first : nil, byteCount: views.compactMap(\.facts.byteCount).max() ?? 0,
                    model: [first?.vendor, first?.product].compactMap { $0 }.joined(separator: " "),
                    content: views.compactMap(\.facts.content).first?.sentence ?? "not read"),
                views: views)
        }
        return found.sorted { ($0.disk.lun ?? .max, $0.disk.id) < ($1.disk.lun ?? .max, $1.disk.id) }
    }

    /// Disks that tests may write to: the operator named them or gave all empty ones, every node that answered sees them, and nobody has
    /// anything on them but us.
    public func testableDisks(named: [DiskID], allEmpty: Bool = false) -> [DiskID] {
        networkDisks.filter { disk in
            (named.contains(disk.disk.id) || allEmpty && disk.content == .empty) && obstacle(to: disk) == nil
        }.map(\.disk.id)
    }

    /// Why tests must not write to a disk that the operator named: a sentence. nil when they may.
    public func obstacle(to id: DiskID) -> String? {
        guard let disk = networkDisks.first(where: { $0.disk.id == id }) else {
            return "No node sees a disk \(id) over a storage network. `apus disk list` shows the disks of a node."
        }
        return obstacle(to: disk)
    }

    private func obstacle(to disk: NetworkDisk) -> String? {
        let missing = answers.map(\.node).filter { node in !disk.views.contains { $0.node == node } }
        guard missing.isEmpty else { return "\(NodeList.text(missing)) \(missing.count == 1 ? "does" : "do") not see \(disk.name)." }
        if let node = disk.views.map(\.node).first(where: { disk.numbers(on: $0).count > 1 }) {
            return "\(node) sees several disks with the identity \(disk.disk.id)."
        }
        if let use = disk.use { return "\(disk.name) is in use: \(use)." }
        let blind = answers.map(\.node).filter { node in !disk.views.contains { $0.node == node && $0.facts.content != nil } }
        guard blind.isEmpty else { return "\(NodeList.text(blind)) could not read what \(disk.name) carries." }
        guard disk.disk.byteCount >= ScratchArea.smallestDisk else {
            return "\(disk.name) has \(ByteText.text(disk.disk.byteCount)); disks below \(ByteText.text(ScratchArea.smallestDisk)) "
                + "are not written to."
        }
        switch disk.content {
        case .empty: return nil
        case .clusterSharedVolume(_, let label):
            return subject.cluster == nil ? nil : "\(disk.name) is the volume \(label), and cluster \(subject.cluster?.rawValue ?? "") runs."
        case .foreign(let what): return "\(disk.name) carries something of others: \(what)."
        case .damaged(let what): return "\(disk.name) cannot be trusted: \(what)."
        case nil: return "The nodes do not agree on what \(disk.name) carries, or could not read it."
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
